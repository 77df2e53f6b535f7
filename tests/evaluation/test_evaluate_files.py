"""Files of any program on either side of a comparison."""

import numpy as np
import pytest

from cryopick_ray.errors import UsageError
from cryopick_ray.evaluation.evaluate import evaluate
from cryopick_ray.evaluation.external_picks import as_picks
from cryopick_ray.evaluation.truth import Truth, read_truth
from cryopick_ray.formats.coordinates import from_file, picked
from cryopick_ray.formats.format import ExportSettings
from cryopick_ray.formats.formats import FORMATS, READ, WRITTEN, export
from cryopick_ray.runs import read_run


@pytest.fixture
def picks(make_picks):
    return [make_picks("x.mrc", 30, picked=30), make_picks("y.mrc", 12, picked=12)]


@pytest.mark.parametrize("format", [name for name in WRITTEN if name in READ and FORMATS[name].looks_like])
def test_every_format_is_truth_and_picks(tmp_path, picks, format):
    export(picks, format, tmp_path, ExportSettings())
    assert evaluate(picks, read_truth(tmp_path)).pooled.f1 == 1
    if format != "cryoppp":
        found = read_run.evaluate(tmp_path, tmp_path, radius_A=15, pixel_size_A=1.5)
        assert found.pooled.f1 == 1


def test_picks_without_scores_have_no_ranking():
    ones = [from_file("x.mrc", [1, 50], [1, 50])]
    truth = Truth("truth", {"x": np.array([[1.0, 1.0], [90.0, 90.0]])}, ())
    found = evaluate(as_picks(ones, pixel_size_A=1, diameter_A=20), truth)
    assert (found.pooled.precision, found.pooled.recall) == (0.5, 0.5)
    assert found.pooled.auprc is found.pooled.best_f1 is found.pooled.best_threshold is None
    assert found.curve == ()
    assert any("no scores" in note for note in found.notes)


def test_what_files_of_picks_do_not_say_is_asked_for():
    ones = [from_file("x.mrc", [1], [1])]
    with pytest.raises(UsageError, match="`pixel_size_A`"):
        list(as_picks(ones, pixel_size_A=None, diameter_A=20))
    with pytest.raises(UsageError, match="`radius_A`"):
        list(as_picks(ones, pixel_size_A=1, diameter_A=None))


def test_truth_in_another_frame_is_refused_or_told(make_picks):
    one = make_picks("x.mrc", 200, picked=200)
    (at,) = (np.column_stack([c.x_px, c.y_px]).astype(float) for c in picked([one]))
    with pytest.raises(UsageError, match=r"particles of x\.mrc in truth .*`binning` 0\.5"):
        evaluate([one], Truth("truth", {"x": 2 * (at + 0.5) - 0.5}, ()))
    for moved, words in (((at + 0.5) / 2 - 0.5, "`binning` 2"), (at * (1, -1) + (0, 1239), "`flip_y`")):
        found = evaluate([one], Truth("truth", {"x": moved}, ()), radius_A=15)
        assert any(words in note for note in found.notes)
    assert evaluate([one], Truth("truth", {"x": at}, ())).notes == ()
