import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from labelled_sources import labelled_row
from small_training import DIAMETER_A, PIXEL_SIZE_A, SIDE_PX, small_rows

from cryopick_ray.evaluation.score import Score
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.training.results import ResultLine, TrainingResult, score_table
from cryopick_ray.training.scored import ScoredMicrograph, ranking, score, score_picker
from cryopick_ray.training.train_model import with_false_picks

OWN_PX = DIAMETER_A / PIXEL_SIZE_A


@dataclasses.dataclass
class Pointing:
    """Points at given places of the source, in pixels of the image it is given."""

    particle_px: float
    places: np.ndarray
    scores: np.ndarray
    seen: list = dataclasses.field(default_factory=list)

    def pick(self, image):
        self.seen.append(image)
        x, y = self.places.T * (image.shape[1] / SIDE_PX)
        return Candidates(x.astype(np.float32), y.astype(np.float32), self.scores.astype(np.float32))


@pytest.fixture(scope="module")
def row(tmp_path_factory):
    return small_rows(tmp_path_factory.mktemp("store"), [0])[0]


@pytest.mark.parametrize("particle_px", [10.0, OWN_PX, 26.0])
def test_picks_come_back_in_pixels_of_the_source(row, particle_px):
    picker = Pointing(particle_px, row.particles, np.linspace(1, 0.5, len(row.particles)))
    (scored,) = score_picker(picker, [row])
    assert picker.seen[0].shape == (2 * round(SIDE_PX * particle_px / OWN_PX / 2),) * 2
    np.testing.assert_allclose(
        np.column_stack([scored.candidates.x, scored.candidates.y]), row.particles, atol=1e-3
    )
    assert scored.is_hit.all()
    found = score([scored])
    assert (found.n_candidates, found.n_truth, found.n_hits) == (len(row.particles),) * 3
    assert found.f1 == found.best_f1 == found.auprc == 1


def test_a_pick_finds_a_particle_within_the_radius_only(row):
    for off, hits in ((0.95, 20), (1.05, 0)):
        alone = dataclasses.replace(row, radius_A=9.0)
        places = row.particles + np.float32([off * 3.0, 0])
        (scored,) = score_picker(Pointing(OWN_PX, places, np.ones(20)), [alone])
        assert scored.is_hit.sum() == hits


def test_only_picks_above_the_threshold_tell_how_far_off_centre_they_are(row):
    off_px = np.where(np.arange(20) < 15, 1.0, 5.0).astype(np.float32)
    places = row.particles + np.stack([off_px, np.zeros(20, np.float32)], axis=1)
    scored = score_picker(Pointing(OWN_PX, places, np.linspace(1, 0.05, 20)), [row])
    assert score(scored).centring_error == pytest.approx(1 / OWN_PX, rel=1e-3)
    worst_first = score_picker(Pointing(OWN_PX, places, np.linspace(0.05, 1, 20)), [row])
    assert score(worst_first, 0.8).centring_error == pytest.approx(5 / OWN_PX, rel=1e-3)


def test_bright_particles_are_shown_dark(row):
    pickers = [Pointing(13.0, row.particles, np.ones(20)) for _ in range(2)]
    score_picker(pickers[0], [row])
    score_picker(pickers[1], [dataclasses.replace(row, sign=-1)])
    np.testing.assert_allclose(pickers[0].seen[0], -pickers[1].seen[0], atol=1e-5)


def test_a_threshold_cuts_the_picks_and_not_the_ranking(row):
    wrong = np.float32([[1, 1], [250, 3]])
    places, scores = np.concatenate([row.particles, wrong]), np.r_[np.linspace(1, 0.6, 20), 0.3, 0.2]
    scored = score_picker(Pointing(OWN_PX, places, scores), [row])
    every, cut = score(scored), score(scored, 0.25)
    strict = score(scored, 2.0)
    assert (every.n_picks, cut.n_picks, strict.n_picks) == (22, 21, 0)
    assert (every.n_hits, cut.n_hits, strict.n_hits) == (20, 20, 0)
    assert every.best_f1 == cut.best_f1 == strict.best_f1 == 1
    assert every.best_threshold == pytest.approx(0.6)
    assert score(scored, every.best_threshold).f1 == 1
    assert ranking(scored) is not None
    assert score(scored, 0.0).n_picks == 22


def test_micrographs_without_labels_or_candidates_count(row):
    empty = dataclasses.replace(row, particles=row.particles[:0])
    nothing = Pointing(OWN_PX, row.particles[:0], np.empty(0))
    everything = Pointing(OWN_PX, row.particles, np.ones(20))
    found = score([*score_picker(everything, [empty]), *score_picker(nothing, [row])])
    assert (found.n_hits, found.n_truth, found.n_candidates) == (0, 20, 20)


def test_a_candidate_at_an_unsure_place_is_neither_found_nor_false(row):
    unsure, particle = [100, 100], [120, 100]
    alone = dataclasses.replace(
        row, radius_A=18.0, particles=np.float32([particle]), unsure=np.float32([unsure, [124, 100]])
    )
    places = {
        (106, 100): False,  # on the radius of an unsure one
        (93.9, 100): True,  # beyond it: false
        (121, 100): True,  # nearer to the particle
        (123, 100): False,  # nearer to an unsure one, though within reach of the particle
        (10, 10): True,
    }
    (scored,) = score_picker(Pointing(OWN_PX, np.float32(list(places)), np.ones(len(places))), [alone])
    kept = np.column_stack([scored.candidates.x, scored.candidates.y])
    np.testing.assert_allclose(kept, [place for place, counts in places.items() if counts], atol=1e-3)
    assert scored.is_hit.tolist() == [False, True, False]
    assert len(scored.candidates.score) == 3


def test_without_particles_unsure_places_still_count_for_nothing(row):
    empty = dataclasses.replace(row, particles=row.particles[:0], unsure=row.particles)
    (scored,) = score_picker(Pointing(OWN_PX, row.particles, np.ones(20)), [empty])
    assert len(scored.is_hit) == 0


def tried_at(places, scores, particles):
    source = labelled_row("a", particles=np.float32(particles).reshape(-1, 2))  # 20 px across, 2 A a pixel
    x, y = np.float32(places).reshape(-1, 2).T
    return ScoredMicrograph(source, Candidates(x, y, np.float32(scores)), np.zeros(len(x), bool))


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [(None, [[80, 50], [20, 80], [5, 5]]), (0.0, [[80, 50], [20, 80]]), (0.5, [[80, 50]]), (2.0, [])],
)
def test_false_picks_are_those_above_the_threshold_and_far_from_labels(threshold, expected):
    places = [[80, 50], [50, 39], [50, 62.5], [20, 80], [5, 5]]
    scored = tried_at(places, [1, 1, 1, 0.3, -1], [[50, 50], [52, 54]])
    found = with_false_picks(scored, SimpleNamespace(threshold=threshold))
    np.testing.assert_array_equal(found.false, np.float32(expected).reshape(-1, 2))
    assert found.false.dtype == np.float32


def test_a_pick_beyond_six_tenths_of_a_diameter_is_false():
    scored = tried_at([[50, 37.9], [50, 38.1]], [1, 1], [[50, 50]])
    found = with_false_picks(scored, SimpleNamespace(threshold=0.5)).false
    np.testing.assert_array_equal(found, np.float32([[50, 37.9]]))


def test_false_picks_add_to_those_known():
    scored = tried_at([[80, 50]], [1], [])
    known = dataclasses.replace(scored, source=dataclasses.replace(scored.source, false=np.float32([[3, 4]])))
    np.testing.assert_array_equal(
        with_false_picks(known, SimpleNamespace(threshold=0.5)).false, [[3, 4], [80, 50]]
    )


def a_score(f1):
    return Score(10, 8, 9, 7, 0.875, None, f1, f1, 0.5, f1)


def test_the_table_ends_with_mean_and_spread():
    lines = [
        ResultLine("fold-1", "apo", 3, a_score(0.5)),
        ResultLine("fold-2", "apo", 3, a_score(0.75), overlap=True),
    ]
    table = score_table(lines)
    assert len(table) == 4
    assert table[1].split() == ["fold-1", "apo", "9", "0.875", "-", "0.500", "0.500", "0.500"]
    assert table[2].endswith("seen in training")
    assert table[3].split()[-3:] == ["0.625+-0.177"] * 3
    assert len(score_table(lines[:1])) == 2


def test_an_outcome_is_plain_and_readable():
    outcome = TrainingResult(("m.safetensors",), (ResultLine("", "apo", 3, a_score(None)),), 12.4)
    assert outcome.to_dict()["lines"][0]["score"]["n_picks"] == 8
    assert outcome.text().splitlines()[:2] == ["model m.safetensors", "trained for 12 s"]
    assert TrainingResult(("m",), (), 1.0).text() == "model m\ntrained for 1 s"
