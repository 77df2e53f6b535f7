import pytest

from cryopick_ray.errors import UsageError
from cryopick_ray.formats.mask_names import check_masks, find_masks


def folder(tmp_path, *names):
    for name in names:
        path = tmp_path / "masks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return tmp_path / "masks"


def found(tmp_path, ids, *names):
    where = folder(tmp_path, *names)
    return {name: path.relative_to(where).as_posix() for name, path in find_masks(where, ids).items()}


def test_masks_are_found_by_name_whatever_the_suffix_and_what_programs_add(tmp_path):
    ids = ["s/a.mrc", "s/b_DW.mrc", "c.tif", "d.mrc", "e.mrc"]
    names = ["a.png", "s/b_DW_mask.mrc", "c-mask.tif", "notes.txt", "e.npy"]
    assert found(tmp_path, ids, *names) == {
        "s/a.mrc": "a.png",
        "s/b_DW.mrc": "s/b_DW_mask.mrc",
        "c.tif": "c-mask.tif",
    }


def test_folders_tell_apart_micrographs_of_one_name(tmp_path):
    ids = ["1/a.mrc", "2/a.mrc"]
    assert found(tmp_path, ids, "1/a.png", "2/a.png") == {"1/a.mrc": "1/a.png", "2/a.mrc": "2/a.png"}


def test_a_mask_of_another_folder_s_micrograph_masks_none_of_the_same_name(tmp_path):
    assert found(tmp_path, ["1/a.mrc", "2/a.mrc"], "1/a.png") == {"1/a.mrc": "1/a.png"}


def test_a_mask_that_may_be_of_two_micrographs_is_refused(tmp_path):
    where = folder(tmp_path, "a.png")
    with pytest.raises(UsageError, match=r"a\.png may be the mask of 1/a\.mrc and of 2/a\.mrc"):
        find_masks(where, ["1/a.mrc", "2/a.mrc"])


def test_masks_may_lie_beside_the_micrographs(tmp_path):
    assert found(tmp_path, ["a.mrc"], "a.mrc", "a_mask.mrc") == {"a.mrc": "a_mask.mrc"}


def test_two_masks_of_one_micrograph_are_refused(tmp_path):
    where = folder(tmp_path, "a.png", "a.tif")
    with pytest.raises(UsageError, match=r"`masks`.*a\.png and .*a\.tif may both be the mask of a\.mrc"):
        find_masks(where, ["a.mrc"])


def test_what_is_no_folder_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"`masks` .*nowhere is no folder"):
        check_masks(tmp_path / "nowhere")
    check_masks(None)
