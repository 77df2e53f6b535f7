from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.errors import UsageError
from cryopick_ray.pickers.cryolo.grid_boxes import EMPTY, HELD, UNKNOWN, encode
from cryopick_ray.pickers.cryolo.networks import CryoloNetwork
from cryopick_ray.pickers.cryolo.picker import CryoloPicker
from cryopick_ray.pickers.families import make_picker
from cryopick_ray.pickers.registry import find_network
from cryopick_ray.pickers.weights import ModelCard, weights_digest
from cryopick_ray.training.data.labelled import LabelledMicrograph, nowhere
from cryopick_ray.training.recipes.cryolo import CryoloRecipe
from cryopick_ray.training.recipes.recipe import Slot

SLOT = Slot(0, 1)


def micrograph(shape=(200, 260), count=20, seed=0, **changes):
    """A dark disc of one pixel at each whole-pixel centre, no two in one cell or its neighbours."""
    rng = np.random.default_rng(seed)
    places = np.stack(np.meshgrid(np.arange(20, shape[1] - 20, 40), np.arange(20, shape[0] - 20, 40)), -1)
    centres = rng.permutation(places.reshape(-1, 2))[:count].astype(np.float32)
    image = np.zeros(shape, np.float32)
    image[centres[:, 1].astype(int), centres[:, 0].astype(int)] = -1
    return LabelledMicrograph("m", "d", image, **({"particles": centres} | changes))


@pytest.mark.parametrize("seed", range(12))
def test_targets_lie_where_the_particles_are(seed):
    recipe = CryoloRecipe(crop_px=96, own_greys=False)
    example = recipe.example(micrograph(), SLOT, np.random.default_rng(seed))
    assert example.image.shape == (96, 96)
    assert example.target.shape == (5, 6, 6)
    x, y = example.target[:2, example.target[4] == HELD]
    blobs = np.argwhere(example.image < -0.3)
    away = np.hypot(blobs[:, 0, None] - y, blobs[:, 1, None] - x)
    assert len(blobs) == 0 or away.min(axis=1).max() < 1.2  # interpolation spreads a pixel
    within = (np.minimum(x, y) > 1) & (np.maximum(x, y) < 94)
    for column, row in zip(x[within], y[within], strict=True):
        top, left = int(row), int(column)
        assert example.image[top - 1 : top + 3, left - 1 : left + 3].sum() == pytest.approx(-1, abs=0.5)


def test_grey_values_are_changed_as_in_the_paper_unless_told():
    dots = micrograph()
    shown = [
        [CryoloRecipe(crop_px=96, own_greys=own).example(dots, SLOT, np.random.default_rng(seed)).image]
        for own in (True, False)
        for seed in range(20)
    ]
    paper, plain = shown[:20], shown[20:]
    alike = [np.array_equal(*pair) for pair in zip(paper, plain, strict=True)]
    assert 0 < sum(alike) < 12  # one in four has no change
    at_rest = [seed for seed in range(20) if np.random.default_rng(seed).uniform(0.9, 1.1) <= 1]
    assert all(set(np.unique(plain[seed])) <= {-1.0, 0.0} for seed in at_rest)  # not enlarged: as they are


def test_boxes_grow_with_the_image_and_half_of_the_crops_do_not():
    recipe = CryoloRecipe(crop_px=160, particle_px=30.0, own_greys=False)
    sides = []
    for seed in range(60):
        target = recipe.example(micrograph(), SLOT, np.random.default_rng(seed)).target
        held = target[4] == HELD
        side = np.unique(target[2:4, held])
        assert len(side) == 1
        x, y = target[:2, held].astype(np.float64)
        apart = np.hypot(x[:, None] - x, y[:, None] - y)[~np.eye(len(x), dtype=bool)]
        assert apart.min() / 40 == pytest.approx(side[0] / 30, rel=1e-4)  # neighbours are 40 px apart
        sides.append(side[0])
    assert 15 < sum(side == 30 for side in sides) < 45
    assert 30 <= min(sides) < 30.3
    assert 32.5 < max(sides) <= 33


@pytest.mark.parametrize("scale", [0.7, 1.5])
def test_boxes_are_as_much_larger_as_the_particles_of_a_view_and_the_anchor_stays(scale):
    recipe = CryoloRecipe(crop_px=160, particle_px=30.0, own_greys=False)
    for seed in range(10):
        usual, seen = (
            recipe.example(micrograph(scale=at), SLOT, np.random.default_rng(seed)) for at in (1.0, scale)
        )
        held = usual.target[4] == HELD
        assert held.any()
        np.testing.assert_allclose(seen.target[2:4, held], scale * usual.target[2:4, held], rtol=1e-5)
        np.testing.assert_array_equal(seen.target[:2], usual.target[:2])
        np.testing.assert_array_equal(seen.target[2:, ~held], usual.target[2:, ~held])
        np.testing.assert_array_equal(seen.image, usual.image)


def test_crops_stay_on_a_large_micrograph():
    recipe = CryoloRecipe(crop_px=96)
    for seed in range(40):
        target = recipe.example(micrograph((96, 130)), SLOT, np.random.default_rng(seed)).target
        assert set(np.unique(target[4])) <= {EMPTY, HELD}


def test_cells_beyond_a_small_micrograph_are_not_taught():
    recipe = CryoloRecipe(crop_px=96)
    for seed in range(20):
        held = micrograph((64, 64), count=1, seed=seed)
        target = recipe.example(held, SLOT, np.random.default_rng(seed)).target
        assert (target[4] == HELD).sum() == 1
        taught = target[4] != UNKNOWN
        assert 9 <= taught.sum() <= 20  # 64 px are 4 cells, one less where the crop begins within a cell
        assert not taught[[0, -1]].any()
        assert not taught[:, [0, -1]].any()


def test_unsure_places_are_neither_particle_nor_empty():
    sure = micrograph()
    half = len(sure.particles) // 2
    split = micrograph(particles=sure.particles[:half], unsure=sure.particles[half:])
    recipe = CryoloRecipe(crop_px=160, own_greys=False)
    for seed in range(10):
        whole = recipe.example(sure, SLOT, np.random.default_rng(seed)).target
        part = recipe.example(split, SLOT, np.random.default_rng(seed)).target
        np.testing.assert_array_equal(part[4] == EMPTY, whole[4] == EMPTY)
        assert (part[4] == UNKNOWN).any()
        np.testing.assert_array_equal((part[4] == UNKNOWN) | (part[4] == HELD), whole[4] == HELD)


def test_a_particle_beside_an_unsure_place_is_still_taught():
    both = micrograph(unsure=micrograph().particles)
    target = CryoloRecipe(crop_px=160).example(both, SLOT, np.random.default_rng(0)).target
    assert (target[4] == HELD).any()
    assert not (target[4] == UNKNOWN).any()


def test_equal_generators_give_equal_examples():
    one, other = (
        CryoloRecipe(crop_px=96).example(micrograph(), SLOT, np.random.default_rng(3)) for _ in "ab"
    )
    np.testing.assert_array_equal(one.image, other.image)
    np.testing.assert_array_equal(one.target, other.target)
    assert one.image.dtype == one.target.dtype == np.float32


def test_a_micrograph_without_particles_teaches_emptiness():
    target = (
        CryoloRecipe(crop_px=96)
        .example(micrograph(particles=nowhere()), SLOT, np.random.default_rng(0))
        .target
    )
    assert (target[4] == EMPTY).all()


def overlap(one, other):
    """Intersection over union of two boxes (x, y, width, height), straight from the definition."""
    shared = 1.0
    for axis in (0, 1):
        end = min(one[axis] + one[axis + 2] / 2, other[axis] + other[axis + 2] / 2)
        start = max(one[axis] - one[axis + 2] / 2, other[axis] - other[axis + 2] / 2)
        shared *= max(0.0, end - start)
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


def loss_in_loops(answers, targets, anchor, warm):
    """YOLO's loss, cell by cell."""
    total = 0.0
    for answer, target in zip(answers.double().numpy(), targets.double().numpy(), strict=True):
        _, rows, columns = answer.shape
        cells = [(row, column) for row in range(rows) for column in range(columns)]
        truth = [target[:4, r, c] for r, c in cells if target[4, r, c] == HELD]
        for r, c in cells:
            t_x, t_y, t_w, t_h, t_c = answer[:, r, c]
            place = [c + 1 / (1 + np.exp(-t_x)), r + 1 / (1 + np.exp(-t_y))]  # in cells
            size = [anchor * np.exp(t_w), anchor * np.exp(t_h)]
            confidence = 1 / (1 + np.exp(-t_c))
            box = [16 * place[0] - 0.5, 16 * place[1] - 0.5, *size]
            if target[4, r, c] == HELD:
                total += (place[0] - (target[0, r, c] + 0.5) / 16) ** 2
                total += (place[1] - (target[1, r, c] + 0.5) / 16) ** 2
                total += ((size[0] - target[2, r, c]) / 16) ** 2 + ((size[1] - target[3, r, c]) / 16) ** 2
                total += 5 * (overlap(box, target[:4, r, c]) - confidence) ** 2
            elif target[4, r, c] == EMPTY:
                if max((overlap(box, one) for one in truth), default=0.0) < 0.6:
                    total += confidence**2
                if warm:
                    total += (place[0] - c - 0.5) ** 2 + (place[1] - r - 0.5) ** 2
                    total += ((size[0] - anchor) / 16) ** 2 + ((size[1] - anchor) / 16) ** 2
    return total / len(answers)


@pytest.mark.parametrize("epoch", [0, 2, 3, 9])
@pytest.mark.parametrize("seed", range(4))
def test_the_loss_is_the_formula_cell_by_cell(epoch, seed):
    rng = np.random.default_rng(seed)
    targets = []
    for count in (0, 5):
        centres = rng.uniform(0, 64, (count, 2)).astype(np.float32)
        target = encode(centres, 34.0, (4, 4), anchor_px=32.0)
        target[4][(target[4] == EMPTY) & (rng.uniform(size=(4, 4)) < 0.2)] = UNKNOWN
        targets.append(torch.from_numpy(target))
    target = torch.stack(targets)
    answer = torch.from_numpy(rng.normal(0, 0.5, (2, 5, 4, 4)).astype(np.float32))
    found = CryoloRecipe().loss(answer, target, epoch)
    assert found.item() == pytest.approx(loss_in_loops(answer, target, 32.0, warm=epoch < 3), rel=1e-4)


def test_the_right_answer_costs_nothing_and_none_costs_an_unknown_cell():
    target = encode(np.array([[23.5, 7.5]], np.float32), 32.0, (2, 3), anchor_px=32.0)
    target[4, 1, 2] = UNKNOWN
    answer = torch.zeros(1, 5, 2, 3)
    answer[0, 4] = torch.where(torch.from_numpy(target[4] == HELD), 20.0, -20.0)
    answer[0, :, 1, 2] = 3.0
    assert CryoloRecipe().loss(answer, torch.from_numpy(target[None]), 0).item() == pytest.approx(0, abs=1e-6)


def test_confidence_is_not_taught_through_the_box():
    target = torch.from_numpy(encode(np.array([[30.0, 7.5]], np.float32), 32.0, (2, 3), anchor_px=32.0)[None])
    answer = torch.zeros(1, 5, 2, 3, requires_grad=True)
    CryoloRecipe().loss(answer, target, 9).backward()
    # the offset's gradient is that of (sigmoid(t) - truth)^2 alone
    assert answer.grad[0, 0, 0, 1].item() == pytest.approx(2 * (0.5 - 14.5 / 16) * 0.25)
    assert answer.grad[0, 4].abs().min() > 0


@given(st.lists(st.floats(0, 100), max_size=40))
def test_the_rate_falls_by_tenths_and_never_rises(losses):
    recipe = CryoloRecipe()
    rates = [recipe.rate(0.0, 100, losses[:count]) for count in range(len(losses) + 1)]
    assert rates[0] == 1
    for before, after in pairwise(rates):
        assert after == before or after == pytest.approx(before / 10)


def test_six_epochs_on_a_plateau_cost_a_tenth():
    recipe = CryoloRecipe()
    falling = [5.0, 4.0, 3.0]
    assert recipe.rate(0.0, 100, falling + [3.0] * 5) == 1
    assert recipe.rate(0.0, 100, falling + [3.0] * 6) == pytest.approx(0.1)
    assert recipe.rate(0.0, 100, falling + [3.0] * 11) == pytest.approx(0.1)
    assert recipe.rate(0.0, 100, falling + [3.0] * 12) == pytest.approx(0.01)
    assert recipe.rate(0.0, 100, falling + [3.0] * 5 + [2.9]) == 1


def test_the_rate_ends_at_nothing():
    rates = [CryoloRecipe().rate(epoch, 20, []) for epoch in range(21)]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0)


@pytest.mark.parametrize("architecture", ["cryolo-16", "cryolo-phosaurus"])
def test_what_is_taught_is_what_the_picker_uses(architecture):
    recipe = CryoloRecipe(architecture=architecture, width=2, particle_px=28.0)
    network = recipe.build()
    assert isinstance(network, CryoloNetwork)
    assert find_network("cryolo").parameters == set(recipe.parameters)
    card = ModelCard(
        name="tiny",
        architecture=recipe.architecture,
        parameters=recipe.parameters,
        particle_px=recipe.particle_px,
        normalisation=recipe.normalisation,
        trained_on="nothing",
        licence="CC0-1.0",
        source="a test",
        digest=weights_digest(network.state_dict()),
    )
    picker = make_picker(network, card)
    assert isinstance(picker, CryoloPicker)
    image = np.random.default_rng(0).normal(5, 3, (64, 96)).astype(np.float32)
    with torch.inference_mode():
        prepared = network(torch.from_numpy(recipe.prepare(image))[None, None])[0]
    answers = picker.answers(torch.from_numpy(image)[None])[0]
    np.testing.assert_allclose(answers, prepared, atol=1e-5)


@pytest.mark.parametrize("crop_px", [0, -32, 100, 48])
def test_crops_fit_the_grid(crop_px):
    with pytest.raises(UsageError, match="multiple of 32"):
        CryoloRecipe(crop_px=crop_px)
