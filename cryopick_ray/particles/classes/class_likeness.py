"""Probability that a class shows particles: a regression learnt from simulated sets with known truth."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.particles.classes.class_quality import ClassMeasures
from cryopick_ray.passes.bad_classes import QUALITIES, Quality

RULE = "likeness.json"
LEAST_PARTICLES = 10
"""Classes with fewer particles count as junk."""
Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class QualityRule:
    """A logistic regression over standardised measures.

    Attributes
    ----------
    measures
        Names of measures in :class:`~cryopick_ray.particles.classes.class_quality.ClassMeasures`.
    mean, spread, weight
        ``(m,)`` of each.
    good, doubtful
        Least probability of a good, and of a doubtful class.
    made_from
        Training sets and error rates, for reports.
    """

    measures: tuple[str, ...]
    mean: Numbers
    spread: Numbers
    weight: Numbers
    bias: float
    good: float
    doubtful: float
    made_from: Mapping[str, Any]

    def probability(self, measured: ClassMeasures) -> Numbers:
        """Return ``(k,)`` probabilities that a class shows particles."""
        table = measured.table()
        rows = np.stack([table[name] for name in self.measures], axis=1)
        # no extrapolation beyond the training range
        standard = np.clip((rows - self.mean) / self.spread, -4, 4)
        sure = 1 / (1 + np.exp(-(standard @ self.weight + self.bias)))
        return np.where(measured.particles < LEAST_PARTICLES, 0.0, sure)

    def qualities(self, probability: Numbers) -> list[Quality]:
        """Return the qualities of classes by their probabilities."""
        rank = np.where(probability >= self.good, 0, np.where(probability >= self.doubtful, 1, 2))
        return [QUALITIES[index] for index in rank]


@cache
def learnt_rule() -> QualityRule:
    """Return the rule that comes with the package; ``tests/benchmarks/class_likeness.py`` learns it."""
    card = json.loads(files(__package__).joinpath(RULE).read_text())
    return QualityRule(
        measures=tuple(card["measures"]),
        mean=np.array(card["mean"]),
        spread=np.array(card["spread"]),
        weight=np.array(card["weight"]),
        bias=card["bias"],
        good=card["good"],
        doubtful=card["doubtful"],
        made_from=card["made_from"],
    )
