import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cryopick_ray.errors import MicrographError
from cryopick_ray.pickers.patches import (
    Windows,
    box_means,
    mirrored,
    z_scored,
    z_scored_micrograph,
    z_scored_micrographs,
)


def noise(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def test_windows_show_the_image_around_their_middle():
    image = torch.arange(60 * 70, dtype=torch.float32).view(1, 60, 70)
    windows = Windows(image, 15, step_px=3, edge_px=4.5)
    assert windows.first_px == 4  # the middle of the fifth pixel is 4.5 px from the edge
    assert windows.shape == (1, 18, 21)
    assert torch.equal(windows.all()[..., 7, 7], image[:, 4:-4:3, 4:-4:3])
    assert windows.all()[0, 0, 0, 0, 0] == image[0, 2, 2]  # row -3 is row 2: mirrored


@pytest.mark.parametrize("edge_px", [0.0, 7.3, 20.0, 32.0, 50.0])
@pytest.mark.parametrize("shape", [(90, 101), (64, 65), (30, 200)])
def test_windows_stay_away_from_the_edges(shape, edge_px):
    windows = Windows(torch.zeros(1, *shape), 64, step_px=1, edge_px=edge_px)
    for count, side in zip(windows.shape[1:], shape, strict=True):
        if count:
            first, last = windows.first_px, windows.first_px + count - 1
            assert min(first, side - 1 - last) >= edge_px - 0.5 or edge_px > 32
            assert first == side - 1 - last
            assert first - 1 < max(edge_px, 0) - 0.5 or edge_px > 32
        else:
            assert side < 2 * edge_px or side < 64


@given(st.integers(0, 40), st.integers(1, 9), st.integers(1, 9))
def test_mirrored_as_numpy_pads(margin, height, width):
    images = noise(2, height, width)
    padded = np.pad(images.numpy(), ((0, 0), (margin, margin), (margin, margin)), mode="symmetric")
    np.testing.assert_array_equal(
        mirrored(images, range(-margin, height + margin), range(-margin, width + margin)).numpy(), padded
    )


@given(st.integers(1, 40), st.integers(40, 60), st.integers(40, 60))
def test_means_of_boxes(size, height, width):
    images = noise(2, height, width)
    context = images.unfold(1, size, 1).unfold(2, size, 1).mean((-2, -1))
    torch.testing.assert_close(box_means(images, size), context, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("size", "step"), [(16, 3), (33, 4), (64, 4)])
def test_mean_and_std_are_those_of_each_window(size, step):
    windows = Windows(noise(2, 71, 90) + 2, size, step_px=step, edge_px=10)
    found_mean, found_std = windows.mean_and_std()
    std, mean = torch.std_mean(windows.all(), (-2, -1), correction=0)
    assert mean.shape == windows.shape
    torch.testing.assert_close(found_mean, mean, atol=1e-5, rtol=0)
    torch.testing.assert_close(found_std, std, atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [7, 16])
def test_locally_each_pixel_is_compared_with_what_is_around_it(size):
    image = noise(1, 50, 61)
    windows = Windows(image, size, step_px=1, edge_px=3)
    found = windows.locally_z_scored((slice(0, windows.shape[1]), slice(0, windows.shape[2])))
    assert found.shape == windows.padded.shape
    wide = mirrored(image, range(-60, 110), range(-60, 121))[0].double()
    at = 60 - int(size / 2 - 3)  # the padded image's first pixel
    mean = wide.unfold(0, size, 1).unfold(1, size, 1).mean((-2, -1))  # [i] of the box from i to i + size
    centred = wide[size // 2 :, size // 2 :][: mean.shape[0], : mean.shape[1]] - mean
    for y, x in [(0, 0), (20, 31), (49, 40)]:
        row, column = at + y - size // 2, at + x - size // 2
        around = centred[row - size : row + size, column - size : column + size]
        expected = centred[row, column] / around.square().mean().sqrt()
        assert found[0, y, x].item() == pytest.approx(expected.item(), abs=1e-4)


@settings(deadline=None)
@given(st.integers(30, 80), st.integers(30, 80), st.integers(1, 9), st.integers(5, 100))
def test_tiles_are_the_grid_cut_into_parts(height, width, step, tile_px):
    windows = Windows(torch.zeros(1, height, width), 30, step_px=step, edge_px=30)
    seen_by, every = torch.zeros(windows.shape), windows.all()
    for tile in windows.tiles(tile_px):
        part = windows.padded[(..., *windows.seen(tile))]
        assert part.unfold(1, 30, step).unfold(2, 30, step).shape == every[:, *tile].shape
        assert part.shape[1:] == tuple((one.stop - one.start - 1) * step + 30 for one in tile)
        assert all((one.stop - one.start) * step <= max(tile_px, step) for one in tile)
        seen_by[:, *tile] += 1
    assert (seen_by == 1).all()


def test_a_micrograph_is_brought_to_mean_0_and_std_1():
    images = torch.stack([noise(50, 60) * 3 + 1e3, noise(50, 60, seed=1) / 7])
    found = z_scored_micrographs(images)
    torch.testing.assert_close(found.mean((1, 2)), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.std((1, 2), correction=0), torch.ones(2), atol=1e-5, rtol=0)
    np.testing.assert_array_equal(z_scored_micrograph(images[1].numpy()), found[1].numpy())


@pytest.mark.parametrize(
    ("value", "words"), [(1.0, "constant"), (np.nan, "1 of 120 pixels"), (np.inf, "1 of 120 pixels")]
)
def test_one_bad_micrograph_of_several_is_named(value, words):
    images = noise(3, 10, 12)
    if value == 1:
        images[1] = value
    else:
        images[1, 4, 4] = value
    with pytest.raises(MicrographError, match=words):
        z_scored_micrographs(images)


def test_a_flat_patch_is_no_error():
    assert torch.equal(z_scored(torch.full((2, 8, 8), 3.0)), torch.zeros(2, 8, 8))
