from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import nn

from cryopick_ray.errors import MicrographError, ModelError, UsageError
from cryopick_ray.pickers.heatmap import picker as heatmap_picker
from cryopick_ray.pickers.heatmap.networks import REACH_PX, HeatmapNetwork
from cryopick_ray.pickers.heatmap.picker import CLIP, FLOOR, HeatmapPicker, background
from cryopick_ray.pickers.scoring import Scoring
from cryopick_ray.pickers.weights import ModelCard, restore, weights_digest

CARD = ModelCard(
    name="hm",
    architecture="heatmap",
    parameters={"base": 3},
    particle_px=20.0,
    normalisation="flattened",
    trained_on="",
    licence="",
    source="",
    threshold=0.4,
    digest="0" * 64,
)


def network(base=3, seed=0):
    """Return a network whose answers differ from place to place, batch statistics included."""
    torch.manual_seed(seed)
    made = HeatmapNetwork("heatmap", base)
    nn.init.normal_(made.head.weight, std=2.0)
    nn.init.zeros_(made.head.bias)
    for layer in made.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(std=0.3)
            layer.running_var.uniform_(0.3, 2.0)
    return made.eval()


def noise(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def scores(images, made):
    with torch.inference_mode():
        return made(torch.from_numpy(images)[None, None])[0, 0].numpy()


def stacked(*images):
    return torch.from_numpy(np.stack(images).astype(np.float32))


def flatten(image):
    return heatmap_picker.flatten(stacked(image))[0].numpy()


def score_map(picker, image):
    return picker.score_maps(stacked(image))[0].numpy()


class CellMeans(nn.Module):
    """A network by hand: every cell answers by the mean of its own four pixels."""

    def forward(self, images):
        context = nn.functional.avg_pool2d(images, 2)
        return torch.cat([8 * context - 8, context.abs().log()], dim=1)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (48, 16), (160, 192)])
def test_a_cell_for_every_two_by_two_pixels(height, width):
    answer = network()(torch.zeros(2, 1, height, width))
    assert answer.shape == (2, 2, height // 2, width // 2)


@pytest.mark.parametrize("base", [1, 24])
def test_parameters_are_those_of_the_layers(base):
    def pair(channels_in, channels_out):
        return 9 * channels_out * (channels_in + channels_out) + 4 * channels_out

    widths = [base * width for width in (1, 2, 4, 8)]
    expected = sum(pair(a, b) for a, b in zip([4, *widths], widths, strict=False)) + 2 * (base + 1)
    expected += sum(pair(fine + coarse, fine) for fine, coarse in pairwise(widths))
    count = sum(p.numel() for p in HeatmapNetwork("heatmap", base).parameters())
    assert count == expected
    if base == 24:
        assert count == 1_096_850


def test_at_first_nothing_is_a_particle():
    centre, size = HeatmapNetwork("heatmap", 2)(torch.randn(1, 1, 32, 32))[0]
    assert torch.sigmoid(centre).max() < 0.02
    assert (size == 0).all()


@pytest.mark.parametrize(("name", "base"), [("unet", 4), ("heatmap", 0), ("heatmap", 257), ("heatmap", -1)])
def test_networks_that_are_none_are_refused(name, base):
    with pytest.raises(ModelError, match=rf"{name}"):
        HeatmapNetwork(name, base)


def test_what_moves_by_sixteen_pixels_is_found_eight_cells_on():
    image = noise((272, 272))
    whole, moved = scores(image[:256, :256], network()), scores(image[16:, 16:], network())
    np.testing.assert_allclose(whole[56:80, 56:80], moved[48:72, 48:72], atol=1e-4)
    assert np.ptp(whole[56:80, 56:80]) > 0.1


def test_a_state_comes_back_as_the_same_network():
    made = network()
    again = restore(lambda: HeatmapNetwork("heatmap", 3), made.state_dict(), "hm")
    image = noise((64, 64))
    np.testing.assert_array_equal(scores(image, made), scores(image, again))
    with pytest.raises(ModelError):
        restore(lambda: HeatmapNetwork("heatmap", 4), made.state_dict(), "hm")


def test_an_answer_depends_on_no_pixel_beyond_the_reach():
    made, block = network(), REACH_PX + 16
    image = torch.randn(1, 1, 2 * block, 2 * block, requires_grad=True)
    made(image)[0, 0, block // 2 : block // 2 + 8, block // 2 : block // 2 + 8].sum().backward()
    rows = torch.nonzero(image.grad[0, 0].abs().sum(1)).flatten()
    assert block - REACH_PX <= rows.min() < block - REACH_PX + 16
    assert block + REACH_PX <= rows.max() < block + 16 + REACH_PX


@pytest.mark.parametrize("shape", [(300, 270), (257, 131)])
def test_tiles_pick_as_one_piece_does(monkeypatch, shape):
    made, image = network(), noise(shape)
    picker, small = HeatmapPicker(made, CARD), HeatmapPicker(made, CARD, tile_px=64)
    whole, picks = score_map(picker, image), picker.pick(image)
    assert len(picks) > 20
    np.testing.assert_allclose(score_map(small, image), whole, atol=1e-5)
    tiled = small.pick(image)
    np.testing.assert_allclose(tiled.score, picks.score, atol=1e-5)
    np.testing.assert_allclose(
        sorted(zip(tiled.x, tiled.y, strict=True)), sorted(zip(picks.x, picks.y, strict=True)), atol=0.01
    )
    monkeypatch.setattr(heatmap_picker, "REACH_PX", 0)
    assert np.abs(score_map(small, image) - whole).max() > 1e-3  # the rim is needed


def test_a_batch_is_picked_as_each_of_it_is():
    picker, images = HeatmapPicker(network(), CARD), [noise((90, 120), seed) for seed in range(3)]
    for found, image in zip(picker.pick_many(stacked(*images)), images, strict=True):
        alone = picker.pick(image)
        assert len(alone) > 5
        for kept, expected in ((found.x, alone.x), (found.y, alone.y), (found.score, alone.score)):
            np.testing.assert_allclose(kept, expected, atol=1e-4)


def test_half_precision_answers_nearly_the_same():
    half = HeatmapPicker(network(), CARD, scoring=Scoring(exact=False, precision="bfloat16"))
    image = noise((160, 200))
    error = np.abs(score_map(half, image) - score_map(HeatmapPicker(network(), CARD), image)).max()
    assert 0 < error < 0.1


@pytest.mark.parametrize(("row", "column"), [(1, 1), (13, 20), (48, 58), (30, 1)])
def test_a_peak_in_a_cell_is_in_the_middle_of_its_four_pixels(row, column):
    y, x = np.indices((100, 120))
    image = np.where((x + y) % 2, 1.0, -1.0).astype(np.float32)
    image[2 * row : 2 * row + 2, 2 * column : 2 * column + 2] += 4
    found = HeatmapPicker(CellMeans(), CARD).pick(image)
    assert found.x[0] == pytest.approx(2 * column + 0.5, abs=0.05)
    assert found.y[0] == pytest.approx(2 * row + 0.5, abs=0.05)
    assert found.score[0] > 0.4
    assert found.score[1:].max(initial=0) < 0.1


def test_a_candidate_has_the_size_that_its_cell_says():
    y, x = np.indices((100, 120))
    image = np.where((x + y) % 2, 1.0, -1.0).astype(np.float32)
    for (row, column), size in {(13, 20): 4, (40, 30): 3}.items():
        image[2 * row : 2 * row + 2, 2 * column : 2 * column + 2] += size
    picker = HeatmapPicker(CellMeans(), CARD)
    (found,) = picker.pick_sized(stacked(image))
    flat = flatten(image).reshape(50, 2, 60, 2).mean((1, 3))
    np.testing.assert_allclose(found.size[:2], [flat[13, 20], flat[40, 30]], rtol=1e-5)
    np.testing.assert_array_equal(found.candidates.score, picker.pick(image).score)


@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 20), (49, 59), (30, 0)])
def test_what_rises_to_the_edge_is_no_peak(row, column):
    y, x = np.indices((100, 120))
    image = np.where((x + y) % 2, 1.0, -1.0).astype(np.float32)
    image[2 * row : 2 * row + 2, 2 * column : 2 * column + 2] += 4
    assert HeatmapPicker(CellMeans(), CARD).pick(image).score.max(initial=0) < 0.1


@pytest.mark.parametrize("shape", [(33, 47), (5, 90), (1, 31), (16, 16), (100, 17)])
def test_any_size_is_picked_and_picks_lie_in_it(shape):
    picker, image = HeatmapPicker(network(), CARD), noise(shape)
    assert score_map(picker, image).shape == (-(-shape[0] // 2), -(-shape[1] // 2))
    found = picker.pick(image)
    assert ((found.x >= -0.5) & (found.x <= shape[1] + 0.5)).all()
    assert ((found.y >= -0.5) & (found.y <= shape[0] + 0.5)).all()


def test_picks_are_apart_above_the_floor_and_best_first():
    found = HeatmapPicker(network(), CARD).pick(noise((240, 240)))
    assert len(found) > 10
    assert (np.diff(found.score) <= 0).all()
    assert found.score[-1] > FLOOR
    assert found.score[0] <= 1
    apart = np.hypot(found.x[:, None] - found.x, found.y[:, None] - found.y) + 1e9 * np.eye(len(found))
    assert apart.min() > 10 - 2 * np.sqrt(2)  # half a diameter between cells, each moved by half a cell


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((64, 64), np.float32),
        np.full((64, 64), 7.25, np.float32),
        np.empty((0, 5), np.float32),
        np.full((32, 32), np.nan, np.float32),
        np.where(np.eye(40) > 0, np.inf, 1).astype(np.float32),
    ],
)
def test_an_image_without_contrast_is_refused(image):
    with pytest.raises(MicrographError, match="cannot normalise"):
        HeatmapPicker(network(), CARD).pick(image)


@pytest.mark.parametrize("shape", [(400, 331), (96, 1000), (130, 20), (7, 90)])
def test_the_background_is_a_gaussian_mirrored_at_the_edges(shape):
    image = noise(shape) + 5 * np.sin(np.arange(shape[1]) / 60).astype(np.float32)
    expected = gaussian_filter(image, 48, mode="reflect", truncate=3)
    found = background(stacked(image, 3 * image + 1000)).numpy()
    np.testing.assert_allclose(found[0], expected, atol=0.04)
    np.testing.assert_allclose(found[1], 3 * expected + 1000, atol=0.12)


def test_flattening_removes_a_ramp():
    grain, (y, x) = noise((600, 600)), np.indices((600, 600))
    ramp = (0.05 * x - 0.02 * y + 100).astype(np.float32)
    inner = np.s_[160:-160, 160:-160]
    one, other = flatten(grain + ramp)[inner], flatten(grain)[inner]
    np.testing.assert_allclose(one / one.std(), other / other.std(), atol=0.02)  # its rim widens the spread
    assert one.std() == pytest.approx(other.std(), rel=0.1)
    assert np.abs(ramp[inner] - ramp[inner].mean()).max() > 3


@pytest.mark.parametrize(("gain", "offset"), [(3.0, 0.0), (1e-3, 0.0), (5.0, 40.0)])
def test_flattening_forgets_gain_and_offset(gain, offset):
    image = noise((150, 170))
    np.testing.assert_allclose(
        flatten(np.float32(gain) * image + np.float32(offset)), flatten(image), atol=1e-3
    )


def test_flat_grey_values_have_spread_one_and_no_outliers():
    image = noise((300, 300))
    image[50:60, 50:60] = 1e4
    flat = flatten(image)
    assert flat.dtype == np.float32
    assert flat.shape == image.shape
    assert np.abs(flat).max() == CLIP
    assert 1.4826 * np.median(np.abs(flat - np.median(flat))) == pytest.approx(1, abs=0.02)


def test_particles_are_not_flattened_away():
    image, (y, x) = noise((300, 300), 2) * 0.1, np.indices((300, 300))
    image[np.hypot(x - 150, y - 150) < 10] -= 1
    flat = flatten(image)
    assert flat[np.hypot(x - 150, y - 150) < 9].max() < -3


def test_settings_tell_what_decides_the_picks():
    made = network()
    card = CARD.model_copy(update={"digest": weights_digest(made.state_dict())})
    picker = HeatmapPicker(made, card)
    assert (picker.name, picker.threshold, picker.particle_px) == ("hm", 0.4, 20)
    own = picker.settings()
    assert (own["picker"], own["weights"], own["particle_px"]) == ("heatmap", card.digest, 20)
    assert HeatmapPicker(made, card, particle_px=18).settings() == own | {"particle_px": 18}


def test_equal_images_give_equal_picks():
    picker, image = HeatmapPicker(network(), CARD), noise((120, 130))
    one, other = picker.pick(image), picker.pick(image.copy())
    np.testing.assert_array_equal(one.score, other.score)
    np.testing.assert_array_equal(one.x, other.x)


def test_models_of_another_kind_are_refused():
    with pytest.raises(ModelError, match="expected 'flattened'"):
        HeatmapPicker(network(), CARD.model_copy(update={"normalisation": "mixture"}))
    for bad in (0, -3, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="`particle_px`"):
            HeatmapPicker(network(), CARD, particle_px=bad)
