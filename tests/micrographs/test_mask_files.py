import mrcfile
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.mask_file import OutsideMask, read_mask
from cryopick_ray.units import binned_to_source

SHAPE = (60, 90)


def drawn(binning=1):
    """Excluded: the left third of the first half of the rows."""
    mask = np.zeros((SHAPE[0] // binning, SHAPE[1] // binning), np.uint8)
    mask[: len(mask) // 2, : mask.shape[1] // 3] = 1
    return mask


def write(path, mask):
    """Write a mask so that its first row is the micrograph's."""
    kind = path.suffix
    if kind == ".mrc":
        mrcfile.write(path, mask.astype(np.int8))
    elif kind == ".png":
        Image.fromarray(255 * mask).save(path)
    else:
        tifffile.imwrite(path, mask[::-1])


@pytest.mark.parametrize("kind", [".mrc", ".png", ".tif"])
@pytest.mark.parametrize("binning", [1, 2, 5])
def test_a_mask_of_any_kind_and_binning_excludes_the_same_places(tmp_path, kind, binning):
    path = tmp_path / f"m{kind}"
    write(path, drawn(binning))
    mask = read_mask(path, SHAPE)
    y, x = (index.ravel().astype(np.float32) for index in np.indices(SHAPE))
    assert np.array_equal(mask.holds(x, y).reshape(SHAPE), drawn() == 1)
    assert mask.share == pytest.approx(1 / 6)


@given(st.integers(1, 7), st.integers(0, 9), st.integers(0, 5))
def test_the_centre_of_a_binned_pixel_lies_in_it(binning, x, y):
    excluded = np.zeros((6, 10), bool)
    excluded[y, x] = True
    mask = OutsideMask(excluded, (6 * binning, 10 * binning))
    centre = [np.float32([binned_to_source(at, binning)]) for at in (x, y)]
    assert mask.holds(*centre).all()
    beside = [np.float32([binned_to_source(at + 1, binning)]) for at in (x, y)]
    assert not mask.holds(*beside).any() or (x, y) == (9, 5)


@pytest.mark.parametrize(
    ("pixels", "excluded"),
    [
        (np.uint8([[0, 1], [7, 255]]), [[0, 1], [1, 1]]),
        (np.float32([[0, 1], [1, 0]]), [[0, 1], [1, 0]]),
        (np.float32([[0.02, 0.49], [0.5, 0.998]]), [[0, 0], [1, 1]]),  # probabilities
        (np.float32([[0, 0.4], [3, -2]]), [[0, 1], [1, 1]]),
    ],
)
def test_what_is_not_nought_is_excluded_and_probabilities_from_one_half_up(tmp_path, pixels, excluded):
    tifffile.imwrite(tmp_path / "m.tif", pixels[::-1])
    assert read_mask(tmp_path / "m.tif", (2, 2)).excluded.astype(int).tolist() == excluded


def test_a_mask_of_one_bit_that_is_empty_is_no_damaged_picture(tmp_path):
    Image.new("1", (4096, 4096)).save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png", (4096, 4096)).share == 0


def test_masks_of_another_field_or_without_numbers_are_refused(tmp_path):
    write(tmp_path / "m.png", drawn().T.copy())
    with pytest.raises(
        MicrographError, match="60 x 90 pixels, the micrograph 90 x 60; expected the same field"
    ):
        read_mask(tmp_path / "m.png", SHAPE)
    tifffile.imwrite(tmp_path / "m.tif", np.full((4, 4), np.nan, np.float32))
    with pytest.raises(MicrographError, match="NaN"):
        read_mask(tmp_path / "m.tif", (4, 4))
    (tmp_path / "m.mrc").write_bytes(b"x" * 2000)
    with pytest.raises(MicrographError):
        read_mask(tmp_path / "m.mrc", SHAPE)


def test_a_cleaning_program_s_mask_of_probabilities_excludes_the_bad_part_alone(real_data):
    path = real_data / "junk" / "Ucsf_stack_1142_DW_mask.mrc"
    if not path.is_file():
        pytest.skip("no real mask")
    mask = read_mask(path, (927, 959))
    assert 0.1 < mask.share < 0.9
    assert np.array_equal(mask.excluded, mrcfile.read(path) >= 0.5)
