import json
from pathlib import Path

import numpy as np
import pytest

from cryopick_ray.errors import PicksError, UsageError
from cryopick_ray.evaluation.evaluate import evaluate
from cryopick_ray.evaluation.truth import Truth
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph


def micrograph(micrograph_id, rows, *, threshold=0.0, pixel_size_A=2.0, diameter_A=100.0, picked=None):
    x, y, score = np.array(rows, np.float32).reshape(-1, 3).T
    about = PickedMicrograph(
        micrograph_id, "set", micrograph_id, (500, 500), pixel_size_A, None, "complete", ""
    )
    is_picked = score >= threshold if picked is None else np.array(picked)
    return MicrographPicks(about, x, y, score, (~is_picked).astype(np.uint16), diameter_A)


def failed(micrograph_id, status="failed"):
    about = PickedMicrograph(micrograph_id, "set", micrograph_id, None, None, None, status, "truncated")
    nothing = np.empty(0, np.float32)
    return MicrographPicks(about, nothing, nothing, nothing, np.empty(0, np.uint16), 100.0)


def truth(**particles):
    centres = {name: np.array(rows, float).reshape(-1, 2) for name, rows in particles.items()}
    return Truth(Path("truth"), centres, ())


A = micrograph("a.mrc", [(10, 10, 9), (100, 100, 5), (300, 300, 1)], threshold=2)
B = micrograph("b.mrc", [(50, 50, 7), (52, 50, 6)], threshold=2)
AT = {"a": [(0, 0), (100, 100), (200, 200), (490, 490)]}
TRUTH = truth(a=[(12, 10), (300, 301), (400, 400)], b=[(50, 50)])


def test_scores_per_micrograph_and_pooled():
    found = evaluate([A, B], TRUTH)
    a, b = (in_micrograph.score for in_micrograph in found.micrographs)
    assert (a.n_candidates, a.n_picks, a.n_truth, a.n_hits) == (3, 2, 3, 1)
    assert (a.precision, a.recall, a.f1) == (1 / 2, 1 / 3, 2 / 5)
    assert (a.best_f1, a.best_threshold) == (2 * 2 / 6, 1)
    assert a.auprc == pytest.approx((1 + 2 / 3) / 3)
    assert (b.precision, b.recall, b.best_f1, b.best_threshold, b.auprc) == (1 / 2, 1, 1, 7, 1)
    pooled = found.pooled  # ranking: a9 hit, b7 hit, b6 false, a5 false, a1 hit; four particles
    assert (pooled.n_candidates, pooled.n_picks, pooled.n_truth, pooled.n_hits) == (5, 4, 4, 2)
    assert (pooled.precision, pooled.recall, pooled.f1) == (1 / 2, 1 / 2, 1 / 2)
    assert pooled.auprc == pytest.approx((1 + 1 + 3 / 5) / 4)
    assert [(p.threshold, p.precision, p.recall) for p in found.curve] == [
        (9, 1, 1 / 4), (7, 1, 1 / 2), (6, 2 / 3, 1 / 2), (5, 1 / 2, 1 / 2), (1, 3 / 5, 3 / 4),
    ]  # fmt: skip


def test_hits_among_the_picks_tell_how_far_off_centre_they_are_in_diameters():
    picks = micrograph("a.mrc", [(3, 4, 9), (110, 100, 8), (300, 300, 7), (200, 205, 1)], threshold=2)
    at = truth(**AT)
    score = evaluate([picks], at).pooled  # 5 and 10 of 50 px; what is no pick or no hit does not count
    assert score.centring_error == pytest.approx((0.1 + 0.2) / 2)
    assert score.picks_per_particle == 3 / 4
    both = evaluate([picks, micrograph("b.mrc", [(50, 50, 9)], pixel_size_A=1.0)], truth(**AT, b=[(53, 50)]))
    assert both.pooled.centring_error == pytest.approx(0.1)
    nothing = evaluate([micrograph("a.mrc", [(400, 300, 9)])], at).pooled
    assert (nothing.centring_error, nothing.picks_per_particle) == (None, 1 / 4)


@pytest.mark.parametrize(("radius_A", "hits"), [(None, 1), (50, 1), (49, 0), (98, 1)])
def test_the_radius_is_in_angstroms_and_half_a_diameter_by_default(radius_A, hits):
    # 25 px of 2 A away, diameter 100 A
    found = evaluate([micrograph("a.mrc", [(25, 0, 1)])], truth(a=[(0, 0)]), radius_A=radius_A)
    assert found.pooled.n_hits == hits


def test_pixel_sizes_may_differ():
    both = [
        micrograph("a.mrc", [(40, 0, 1)], pixel_size_A=1.0),
        micrograph("b.mrc", [(40, 0, 1)], pixel_size_A=2.0),
    ]
    found = evaluate(both, truth(a=[(0, 0)], b=[(0, 0)]))
    assert [in_micrograph.score.n_hits for in_micrograph in found.micrographs] == [1, 0]


def test_picks_that_are_not_the_best_candidates_are_matched_by_themselves():
    picks = micrograph("a.mrc", [(0, 0, 9), (1, 0, 5)], picked=[False, True])
    found = evaluate([picks], truth(a=[(0, 0)])).pooled
    assert (found.n_picks, found.n_hits, found.f1) == (1, 1, 1)
    assert found.best_threshold == 9


def test_a_failed_micrograph_missed_every_particle():
    found = evaluate([A, failed("b.mrc")], TRUTH)
    assert found.pooled.n_truth == 4
    assert [in_micrograph.failed for in_micrograph in found.micrographs] == [False, True]
    assert found.micrographs[1].score.recall == 0
    assert found.micrographs[1].score.precision is None
    assert any("missed: b.mrc" in note for note in found.notes)


def test_an_image_left_out_for_another_of_its_exposure_claims_no_truth():
    found = evaluate([A, failed("a_noDW.mrc", "left out"), failed("x/b.mrc", "left out")], TRUTH)
    assert [in_micrograph.micrograph_id for in_micrograph in found.micrographs] == ["a.mrc"]
    assert found.pooled.n_truth == 3


def test_what_has_no_counterpart_is_left_out_and_said():
    found = evaluate([A, micrograph("c.mrc", [(1, 1, 100)])], TRUTH)
    assert [in_micrograph.micrograph_id for in_micrograph in found.micrographs] == ["a.mrc"]
    assert found.pooled.n_truth == 3
    assert any("want of truth: c.mrc" in note for note in found.notes)
    assert any("without a micrograph, not counted: b" in note for note in found.notes)


def test_excluded_micrographs_do_not_count():
    found = evaluate([A, B], TRUTH, exclude=["b*"])
    assert found.pooled == evaluate([A], TRUTH).pooled
    assert found.notes == ("left out on request: b.mrc",)


def test_a_micrograph_truly_without_particles_has_only_false_picks():
    found = evaluate([micrograph("a.mrc", [(1, 1, 1)])], truth(a=[])).pooled
    assert (found.precision, found.recall, found.f1, found.auprc) == (0, None, 0, None)


def test_the_dict_is_json_without_nan():
    found = evaluate([A, failed("b.mrc")], TRUTH)
    again = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert again["pooled"]["n_truth"] == 4
    assert again["micrographs"][0]["score"]["best_threshold"] == 1


def test_a_long_curve_is_thinned_and_keeps_its_ends():
    rng = np.random.default_rng(0)
    picks = micrograph("a.mrc", np.column_stack([rng.uniform(0, 500, (5_000, 2)), rng.permutation(5_000)]))
    points = evaluate([picks], truth(a=rng.uniform(0, 500, (300, 2)))).curve
    assert len(points) == 200
    assert (points[0].threshold, points[-1].threshold) == (4_999, 0)


def test_one_truth_never_serves_two_micrographs():
    pair = [micrograph("one/a.mrc", [(1, 1, 1)]), micrograph("two/a.mrc", [(1, 1, 1)])]
    with pytest.raises(PicksError, match=r"one/a\.mrc.*two/a\.mrc"):
        evaluate(pair, TRUTH)


def test_no_truth_at_all_is_a_wrong_usage():
    with pytest.raises(UsageError, match="`truth`"):
        evaluate([micrograph("z.mrc", [(1, 1, 1)])], TRUTH)


@pytest.mark.parametrize("radius_A", [0, -1, float("nan"), float("inf")])
def test_a_radius_that_is_no_length_is_refused(radius_A):
    with pytest.raises(UsageError, match="`radius_A`"):
        evaluate([A], TRUTH, radius_A=radius_A)
