import re

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cryopick_ray.errors import DamagedError
from cryopick_ray.micrographs.junk import KINDS, Junk, JunkMask, kept_out, read_shares, shares_text
from cryopick_ray.store.masks import COLOURS, MaskShelf, read_stored_mask
from cryopick_ray.store.place import Place
from cryopick_ray.store.store import MicrographStore


def a_mask(seed=0, cells=(9, 13), shape=(120, 170)):
    rng = np.random.default_rng(seed)
    return JunkMask(rng.integers(0, len(KINDS), cells, np.uint8), shape)


@pytest.fixture
def place(tmp_path):
    return MicrographStore(str(tmp_path / "s.zarr"), create=True).place


def test_a_mask_comes_back_and_is_a_picture_that_any_viewer_opens(place, tmp_path):
    mask = a_mask()
    key = MaskShelf(place, "d").put("a/b.mrc", mask)
    back = read_stored_mask(place, key)
    assert np.array_equal(back.codes, mask.codes)
    assert back.image_shape == mask.image_shape
    with Image.open(tmp_path / "s.zarr" / key) as picture:
        shown = np.asarray(picture.convert("RGB"))
    colours = np.array([list(bytes.fromhex(colour)) for colour in COLOURS], np.uint8)
    assert np.array_equal(shown, colours[mask.codes])


def test_masks_of_other_settings_and_other_content_lie_beside_and_nothing_is_written_twice(place):
    one, other = MaskShelf(place, "one"), MaskShelf(place, "other")
    keys = [one.put("a", a_mask()), other.put("a", a_mask()), one.put("a", a_mask(1)), one.put("b", a_mask())]
    assert len(set(keys)) == 4
    before = place.sizes("masks")
    assert one.put("a", a_mask()) == keys[0]
    assert place.sizes("masks") == before
    there = one.keys()
    assert {keys[0], keys[2], keys[3]} <= there
    assert keys[1] not in there


def test_a_clear_mask_needs_no_file(place):
    shelf = MaskShelf(place, "d")
    assert shelf.put("a", JunkMask(np.zeros((4, 5), np.uint8), (40, 50))) == ""
    assert shelf.keys() == set()
    assert place.sizes("masks") == {}


def test_the_store_stays_one_that_zarr_reads_without_complaint(place):
    MaskShelf(place, "d").put("a", a_mask())
    group = zarr.open_group(place.url, mode="r")
    assert sorted(name for name, _ in group.groups()) == ["manifest", "masks"]
    assert list(group.arrays()) == []
    assert [name for name, _ in group["masks"].groups()] == ["d"]


def test_a_flipped_bit_anywhere_in_a_mask_is_noticed(place, tmp_path):
    key = MaskShelf(place, "d").put("a", a_mask())
    path = tmp_path / "s.zarr" / key
    whole = path.read_bytes()
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 4]) + whole[position + 1 :])
        with pytest.raises(DamagedError, match=r"not what it is named by.*delete it and go on by `resume`"):
            read_stored_mask(place, key)
    for torn in (b"", whole[:50]):
        path.write_bytes(torn)
        with pytest.raises(DamagedError):
            read_stored_mask(place, key)
    path.unlink()
    with pytest.raises(DamagedError, match="no such mask"):
        read_stored_mask(place, key)


@pytest.mark.parametrize("key", ["../secret.png", "/etc/passwd", "masks/d/../../x.png", "zarr.json", ""])
def test_nothing_but_masks_is_read_as_one(place, tmp_path, key):
    (tmp_path / "secret.png").write_bytes(b"x")
    with pytest.raises(DamagedError, match="no such mask"):
        read_stored_mask(Place(place.url), key)


@given(
    cells=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    steps=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    seed=st.integers(0, 9),
)
def test_every_pixel_of_a_cell_has_its_code(cells, steps, seed):
    shape = cells[0] * steps[0], cells[1] * steps[1]
    mask = a_mask(seed, cells, shape)
    whole = np.kron(mask.codes, np.ones(steps, np.uint8))
    y, x = (index.ravel().astype(np.float32) for index in np.indices(shape))
    for shift in (-0.49, 0, 0.49):
        assert np.array_equal(mask.at(x + np.float32(shift), y - np.float32(shift)), whole.ravel())


def test_a_grid_lies_over_the_source_as_the_cropped_image_does():
    # of 100 pixels 20 are left: their pixel 0 has its centre on the source's, and reaches 2.5 beyond it
    mask = a_mask(cells=(2, 4), shape=(10, 20))
    assert mask.frame((50, 100)) == (0.5 - 2.5, 0.5 - 2.5, 100, 50)
    assert a_mask(shape=(50, 100)).frame((50, 100)) == (0, 0, 100, 50)


def test_shares_are_of_the_area_and_come_back_from_their_text():
    codes = np.zeros((4, 5), np.uint8)
    codes[0], codes[1, :3] = Junk.CARBON, Junk.ICE
    shares = JunkMask(codes, (40, 50)).shares()
    assert shares == {"carbon": 0.25, "ice": 0.15}
    assert read_shares(shares_text(shares)) == shares
    assert read_shares("") == {}


@pytest.mark.parametrize(
    "text", ["[]", "1", "{", '{"mud": 0.5}', '{"ice": 1.5}', '{"ice": true}', "[" * 99_999]
)
def test_shares_that_somebody_made_up_are_refused(text):
    with pytest.raises(ValueError, match=re.compile("junk|Expecting")):
        read_shares(text)


def test_what_is_kept_out_follows_the_user_first():
    codes = np.arange(len(KINDS), dtype=np.uint8)
    assert kept_out(codes, keep_junk=False).tolist() == [False, *[True] * 4, False, True]
    assert kept_out(codes, keep_junk=True).tolist() == [*[False] * 6, True]
