"""The rule that judges classes, and the measures it judges by."""

from dataclasses import fields, replace

import boxed
import numpy as np
import pytest
import torch

from cryopick_ray.particles.classes.class_likeness import LEAST_PARTICLES, learnt_rule
from cryopick_ray.particles.classes.class_quality import ClassMeasures, ring_correlation
from cryopick_ray.particles.classes.components import Components


def measures(**given):
    """Return measures of two classes: the first as good, the second as bad as any."""
    rule = learnt_rule()
    sign = np.sign(rule.weight)
    best, worst = rule.mean + 2 * sign * rule.spread, rule.mean - 2 * sign * rule.spread
    table = dict(zip(rule.measures, np.stack([best, worst], axis=1), strict=True))
    known = {field.name: np.zeros(2) for field in fields(ClassMeasures)} | table
    return ClassMeasures(**{**known, "particles": np.array([100.0, 100.0]), **given})


def test_the_rule_tells_the_best_from_the_worst():
    rule = learnt_rule()
    sure = rule.probability(measures())
    assert rule.qualities(sure) == ["good", "junk"]


def test_hardly_any_particles_make_no_good_class():
    few = measures(particles=np.array([LEAST_PARTICLES - 1.0, 100.0]))
    assert learnt_rule().qualities(learnt_rule().probability(few))[0] == "junk"


def test_nothing_is_extrapolated_beyond_what_was_seen():
    rule = learnt_rule()
    far = replace(measures(), **{rule.measures[0]: np.array([1e9, -1e9])})
    assert np.isfinite(rule.probability(far)).all()
    farther = replace(far, **{rule.measures[0]: np.array([1e12, -1e12])})
    assert rule.probability(far) == pytest.approx(rule.probability(farther))


def test_the_rule_was_tried_on_molecules_it_was_not_learnt_from():
    told = learnt_rule().made_from
    assert not set(told["learnt_from"]) & set(told["held_out"])
    assert "apoferritin" not in (*told["learnt_from"], *told["held_out"])
    assert told["error_held_out"]["error_rate"] < 0.05


def test_ring_correlation_is_one_of_equal_pictures_and_none_of_noise():
    components = Components(boxed.BOX_PX, 14)
    rng = torch.Generator().manual_seed(0)
    one, other = torch.randn((2, 50, boxed.BOX_PX, boxed.BOX_PX), generator=rng)
    assert ring_correlation(components, one, 2 * one)[:, 1:].numpy() == pytest.approx(1, abs=1e-5)
    assert abs(float(ring_correlation(components, one, other)[:, 5:].mean())) < 0.02
