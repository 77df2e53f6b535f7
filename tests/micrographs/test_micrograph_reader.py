import logging
import os

import mrcfile
import numpy as np
import pytest

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.reader import SUFFIXES, is_micrograph_name, read_micrograph, source_checksum


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("content", [b"", b"\0", b"garbage" * 1000, bytes(4096), b"\xff" * 4096])
def test_garbage_of_any_name_is_a_reason_in_one_line(tmp_path, suffix, content, capfd):
    path = tmp_path / f"m{suffix}"
    path.write_bytes(content)
    with pytest.raises(MicrographError) as caught:
        read_micrograph(path)
    assert str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_empty_file_is_called_empty(tmp_path, suffix):
    (tmp_path / f"m{suffix}").touch()
    with pytest.raises(MicrographError, match="empty"):
        read_micrograph(tmp_path / f"m{suffix}")


def test_the_suffix_counts_in_any_case(tmp_path):
    with mrcfile.new(tmp_path / "m.mrc", np.eye(4, dtype=np.float32)):
        pass
    path = (tmp_path / "m.mrc").rename(tmp_path / "M.MRC")
    assert read_micrograph(path).shape == (4, 4)


@pytest.mark.parametrize("name", ["m.mrcs", "m.map", "m.star", "mrc", "m.mrc.zip", "m.eer"])
def test_other_names_are_no_micrographs(tmp_path, name):
    assert not is_micrograph_name(name)
    with pytest.raises(MicrographError, match=r"\.mrc\.bz2"):
        read_micrograph(tmp_path / name)


@pytest.mark.parametrize("use", [read_micrograph, source_checksum])
class TestWhatIsNoFile:
    def test_a_missing_file(self, tmp_path, use):
        with pytest.raises(MicrographError, match="no such file"):
            use(tmp_path / "m.mrc")

    def test_a_folder(self, tmp_path, use):
        (tmp_path / "m.mrc").mkdir()
        with pytest.raises(MicrographError, match="folder"):
            use(tmp_path / "m.mrc")

    def test_a_pipe_does_not_hang(self, tmp_path, use):
        os.mkfifo(tmp_path / "m.mrc")
        with pytest.raises(MicrographError, match="pipe"):
            use(tmp_path / "m.mrc")

    def test_a_link_to_itself(self, tmp_path, use):
        (tmp_path / "m.mrc").symlink_to("m.mrc")
        with pytest.raises(MicrographError, match="cannot be read"):
            use(tmp_path / "m.mrc")

    def test_a_name_too_long(self, tmp_path, use):
        with pytest.raises(MicrographError, match="too long"):
            use(tmp_path / f"{'m' * 300}.mrc")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_a_file_one_may_not_read(self, tmp_path, use):
        (tmp_path / "m.mrc").touch(mode=0)
        with pytest.raises(MicrographError, match="permission"):
            use(tmp_path / "m.mrc")


def test_the_checksum_is_castagnoli(tmp_path):
    (tmp_path / "m").write_bytes(b"123456789")
    assert source_checksum(tmp_path / "m") == "crc32c:e3069283"  # check value of RFC 3720's CRC32C


def test_the_checksum_sees_every_block(tmp_path):
    data = bytearray(3 * 2**20 + 17)
    (tmp_path / "m").write_bytes(data)
    before = source_checksum(tmp_path / "m")
    for position in (0, 2**20, len(data) - 1):
        changed = data.copy()
        changed[position] = 1
        (tmp_path / "m").write_bytes(changed)
        assert source_checksum(tmp_path / "m") != before


def test_a_broken_tiff_is_silent_where_nobody_set_up_logging():
    assert any(isinstance(handler, logging.NullHandler) for handler in logging.getLogger("tifffile").handlers)
