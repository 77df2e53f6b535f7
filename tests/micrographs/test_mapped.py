"""A mapped file's checksum is of its bytes as stored, whatever of it was read in whatever order."""

import gzip
import os

import google_crc32c
import mrcfile
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.exposure import read_exposure
from cryopick_ray.micrographs.mapped import MappedFile
from cryopick_ray.micrographs.preprocess import prepare
from cryopick_ray.micrographs.reader import read_micrograph, source_checksum
from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.settings.run_settings import IngestSettings


@pytest.fixture
def path(tmp_path):
    """An MRC file with an extended header, and bytes after its pixels that nobody promised."""
    path = tmp_path / "m.mrc"
    with mrcfile.new(path) as file:
        file.set_data(np.random.default_rng(1).normal(300, 20, (640, 96)).astype(np.int16))
        file.set_extended_header(np.frombuffer(b"stage position 7" * 16, "V16"))
    with path.open("ab") as file:
        file.write(b"more")
    return path


def mapped(path) -> MappedFile:
    with path.open("rb") as file:
        return MappedFile(file)


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(0, 90)), max_size=8))
def test_the_checksum_is_of_all_bytes_whatever_was_seen(tmp_path_factory, seen):
    path = tmp_path_factory.mktemp("mapped") / "m"
    path.write_bytes(bytes(range(97)))
    file = mapped(path)
    whole = file.array(0, np.dtype("u1"), (1, 97))[0]
    for begin, end in seen:
        file.see(whole[begin:end])
    assert file.checksum() == f"crc32c:{google_crc32c.value(path.read_bytes()):08x}"


@pytest.mark.parametrize("shape", [(640, 96), (64, 10), (20, 20)])
def test_the_checksum_made_while_pixels_are_used_is_the_file_s(path, shape):
    micrograph = read_micrograph(path)
    rows = []

    def see(block):
        rows.append(block)
        micrograph.file.see(block)

    prepare(micrograph.pixels, shape, see)
    np.testing.assert_array_equal(np.concatenate(rows), micrograph.pixels)
    assert micrograph.file.checksum() == source_checksum(path)


def test_what_lies_elsewhere_is_not_summed(path):
    micrograph = read_micrograph(path)
    prepare(micrograph.pixels.copy(), (20, 20), micrograph.file.see)
    assert micrograph.file.checksum() == source_checksum(path)


@pytest.mark.parametrize("when", ["before the pixels are used", "after"])
def test_a_file_that_changes_before_its_checksum_is_told_is_refused(path, when):
    exposure = read_exposure(MicrographSource("m.mrc", "set", path, "m.mrc"), IngestSettings())
    if when == "after":
        prepare(exposure.micrograph.pixels, (20, 20), exposure.micrograph.file.see)
    os.utime(path, ns=(1, 1))
    with pytest.raises(MicrographError, match="changed while it was read"):
        exposure.checksum()


def test_a_compressed_file_is_summed_as_it_is_stored(path, tmp_path):
    packed = tmp_path / "m.mrc.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()[:-4], 1))
    exposure = read_exposure(MicrographSource("m.mrc.gz", "set", packed, "m.mrc.gz"), IngestSettings())
    assert exposure.checksum() == source_checksum(packed)
