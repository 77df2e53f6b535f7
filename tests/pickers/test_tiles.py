import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from cryopick_ray.pickers.tiles import answer_in_tiles, extended, extended_to_multiple, tile_px_on

MULTIPLE, RIM = 4, 8
KERNELS = torch.randn(3, 1, 12, 12, generator=torch.Generator().manual_seed(0))


def blur(images):
    """A network of stride 2 that sees 5 px around its answer, and zeros beyond the edges."""
    return functional.conv2d(images, KERNELS, stride=2, padding=5)


def tiled(images, ask=blur, **changes):
    return answer_in_tiles(ask, images, **{"multiple_px": MULTIPLE, "rim_px": RIM, "tile_px": 12} | changes)


sides = st.integers(1, 14).map(lambda units: MULTIPLE * units)


@given(sides, sides, st.integers(1, 3), st.integers(1, 70))
def test_tiles_answer_as_the_whole_does(height, width, count, tile_px):
    images = torch.randn(count, height, width, generator=torch.Generator().manual_seed(height))
    found = tiled(images, tile_px=tile_px)
    torch.testing.assert_close(found, blur(images[:, None]), atol=1e-4, rtol=1e-4)


def test_without_the_rim_seams_show():
    images = torch.randn(1, 40, 40)
    assert (tiled(images, rim_px=0) - blur(images[:, None])).abs().max() > 0.1


@given(sides, sides, st.integers(4, 70))
def test_no_tile_is_larger_than_asked_for_and_none_much_smaller(height, width, tile_px):
    seen = []

    def ask(images):
        seen.append(images.shape)
        return blur(images)

    tiled(torch.zeros(2, height, width), ask, tile_px=tile_px, rim_px=0)
    assert all(images == 1 for images, *_ in seen)  # a CPU is asked about one image at a time
    assert sum(h * w for *_, h, w in seen) == 2 * height * width  # each pixel once
    for axis, side in ((2, height), (3, width)):
        parts = {shape[axis] for shape in seen}
        assert max(parts) <= min(side, tile_px)
        assert max(parts) - min(parts) <= MULTIPLE


def test_a_network_that_needs_no_tiles_sees_the_image_itself():
    images = torch.randn(1, 40, 44)
    assert torch.equal(tiled(images, lambda x: x, tile_px=64)[:, 0], images)


@given(
    st.sampled_from(["reflect", "symmetric"]), st.integers(0, 9), st.integers(0, 9), st.sampled_from([1, 2]),
    st.integers(1, 5), st.integers(1, 5),
)  # fmt: skip
def test_images_are_mirrored_as_numpy_mirrors_them(mode, before, after, axis, height, width):
    images = torch.arange(2 * height * width).reshape(2, height, width).float()
    sides = [(0, 0), (0, 0), (0, 0)]
    sides[axis] = (before, after)
    expected = np.pad(images.numpy(), sides, mode)
    np.testing.assert_array_equal(extended(images, axis, (before, after), mode), expected)


@pytest.mark.parametrize(("shape", "expected"), [((5, 8), (8, 8)), ((8, 13), (8, 16)), ((1, 1), (8, 8))])
def test_an_image_grows_to_the_next_multiple(shape, expected):
    images = torch.randn(2, *shape)
    found = extended_to_multiple(images, 8)
    assert found.shape == (2, *expected)
    assert torch.equal(found[:, : shape[0], : shape[1]], images)


def test_each_kind_of_device_has_its_tiles():
    assert tile_px_on(torch.device("cuda", 1)) > tile_px_on(torch.device("cpu")) > 0
