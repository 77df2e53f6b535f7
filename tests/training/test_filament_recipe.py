import numpy as np
import pytest
import torch
from labelled_sources import labelled_row, manifest_row

from cryopick_ray.errors import UsageError
from cryopick_ray.filaments.trace import Trace
from cryopick_ray.micrographs.junk import Junk
from cryopick_ray.pickers.filament.networks import ANSWERS
from cryopick_ray.training.data.labelled import LabelledMicrograph, nowhere
from cryopick_ray.training.data.splits import Split
from cryopick_ray.training.recipes.filament import FilamentRecipe
from cryopick_ray.training.recipes.painted_ridges import SIGMA, paint_ridges
from cryopick_ray.training.recipes.recipe import Slot
from cryopick_ray.training.train_model import train_model
from cryopick_ray.training.training_settings import learn_settings

CELLS = np.arange(48) * 2 + 0.5


def line(start, stop):
    return np.linspace(start, stop, 400).astype(np.float32)


@pytest.mark.parametrize("turn_deg", [0, 30, 90, 135])
def test_a_ridge_is_highest_on_its_axis_and_points_along_it(turn_deg):
    along = np.array([np.cos(np.deg2rad(turn_deg)), np.sin(np.deg2rad(turn_deg))])
    found = paint_ridges([line(48 - 90 * along, 48 + 90 * along)], CELLS, width_px=10)
    x, y = np.meshgrid(CELLS, CELLS)
    off = (x - 48) * -along[1] + (y - 48) * along[0]
    assert found.height == pytest.approx(np.exp(-((off / (10 * SIGMA)) ** 2) / 2), abs=0.02)
    on = found.height > 0.5
    assert found.cos2[on] == pytest.approx(np.cos(2 * np.deg2rad(turn_deg)), abs=1e-3)
    assert found.sin2[on] == pytest.approx(np.sin(2 * np.deg2rad(turn_deg)), abs=1e-3)


def test_which_end_comes_first_changes_nothing():
    axis = line((5, 10), (90, 70))
    one, other = (paint_ridges([places], CELLS, width_px=8) for places in (axis, axis[::-1]))
    for name in ("height", "cos2", "sin2"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), abs=1e-4)


def test_without_filaments_there_is_no_ridge():
    assert not paint_ridges([], CELLS, width_px=10).height.any()
    assert not paint_ridges([line((500, 500), (600, 600))], CELLS, width_px=10).height.any()


def labelled(filaments):
    """A dark line on noise, told or not."""
    rng = np.random.default_rng(5)
    image = rng.normal(size=(256, 256)).astype(np.float32)
    image[120:130] -= 2
    return LabelledMicrograph("m.mrc", "set", image, nowhere(), filaments=filaments)


def test_examples_show_the_filament_where_the_target_has_it():
    recipe = FilamentRecipe(crop_px=96, batch=8)
    micrograph = labelled((Trace(np.array([[0.0, 124.5], [255.0, 124.5]])),))
    seen = [recipe.example(micrograph, Slot(at, 8), np.random.default_rng(at)) for at in range(8)]
    with_ridge = [one for one in seen if (one.target[0] > 0.85).any()]
    assert len(with_ridge) >= 6
    for one in with_ridge:
        image, (height, cos2, sin2, judged, junk) = one.image[::2, ::2], one.target
        assert image[height > 0.85].mean() < image[height == 0].mean() - 0.7
        assert np.abs(sin2[height > 0.5]).max() < 0.05  # in any of the eight orientations of a square
        assert set(np.unique(judged)) <= {0.0, 1.0}
        assert set(np.unique(junk)) <= {float(Junk.NONE), -1.0}
        assert np.hypot(cos2, sin2)[height > 0.3] == pytest.approx(1)


def test_the_loss_falls_to_what_is_certain_at_the_right_answer():
    recipe = FilamentRecipe(crop_px=96)
    micrograph = labelled((Trace(np.array([[0.0, 124.5], [255.0, 124.5]])),))
    example = recipe.example(micrograph, Slot(7, 8), np.random.default_rng(3))
    target = torch.from_numpy(example.target)[None]
    right = torch.zeros(1, ANSWERS, 48, 48)
    right[:, 0] = torch.logit(target[:, 0].clamp(1e-4, 1 - 1e-4))
    right[:, 1:3] = target[:, 1:3]
    right[:, 3] = 9
    wrong = right.clone()
    wrong[:, 1:3] *= -1
    nothing = right.clone()
    nothing[:, 0] = -4
    best = recipe.loss(right, target, 0)
    assert best < recipe.loss(wrong, target, 0)
    assert best < recipe.loss(nothing, target, 0)
    network = recipe.build()
    assert network(torch.zeros(1, 1, 96, 96)).shape == right.shape


def test_labels_without_filaments_teach_no_filaments(tmp_path):
    rows = tuple(
        labelled_row(f"{n}.mrc", count=30, row=manifest_row(f"{n}.mrc", (400, 400))) for n in range(3)
    )
    split = Split(training=rows[:2], validation=rows[2:], test=())
    with pytest.raises(UsageError, match=r"filament learns filaments, and no label of d .*rlnHelicalTubeID"):
        train_model(learn_settings({"network": "filament"}), split, tmp_path, None, start=None)
