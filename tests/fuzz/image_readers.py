"""Readers of micrographs, movies, gains, defects and sidecars."""

import bz2
import gzip
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

import mrcfile
import numpy as np
import tifffile
from PIL import Image
from reader import Reader, only, text_file

from cryopick_ray.micrographs.movies.defects import read_defects
from cryopick_ray.micrographs.movies.gain import load_gain
from cryopick_ray.micrographs.movies.movie import read_frames
from cryopick_ray.micrographs.movies.open_movie import open_movie
from cryopick_ray.micrographs.mrc_header import FOUR_BITS
from cryopick_ray.micrographs.nibbles import PACKED
from cryopick_ray.micrographs.reader import read_micrograph
from cryopick_ray.micrographs.sidecars.beside import sidecar_of
from tests.micrographs.epu_files import epu_xml
from tests.micrographs.movies.eer_files import random_events, write_eer

COUNTS = np.random.default_rng(0).poisson(20, (3, 24, 32)).astype(np.uint16)


def _mrc(name: str, pixels: Any) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        packed = {".gz": gzip.compress, ".bz2": bz2.compress}.get(Path(name).suffix, bytes)
        plain = folder / "plain"
        with mrcfile.new(plain) as mrc:
            mrc.set_data(pixels)
            mrc.voxel_size = 1.5
        (folder / name).write_bytes(packed(plain.read_bytes()))
        plain.unlink()

    return write


def _bytes_mrc(name: str, pixels: Any, mode: int) -> Callable[[Path], None]:
    """Return what writes bytes whose kind the header leaves open, or two pixels in each."""

    def write(folder: Path) -> None:
        _mrc(name, pixels.astype(np.uint8).view(np.int8))(folder)
        raw = bytearray((folder / name).read_bytes())
        raw[12:16], raw[76:84] = mode.to_bytes(4, "little"), bytes(8)
        if mode:
            raw[0:4] = (2 * pixels.shape[-1]).to_bytes(4, "little")
        (folder / name).write_bytes(raw)

    return write


def _tiff(name: str, pixels: Any, **options: Any) -> Callable[[Path], None]:
    return lambda folder: tifffile.imwrite(folder / name, pixels, photometric="minisblack", **options)


def _picture(name: str) -> Callable[[Path], None]:
    return lambda folder: Image.fromarray(COUNTS[0].astype(np.uint8)).save(folder / name)


def _eer(compression: int) -> Callable[[Path], object]:
    shape = (32, 32)
    events = [random_events(np.random.default_rng(seed), shape, 0.1) for seed in range(4)]
    return lambda folder: write_eer(folder / "m.eer", events, shape, compression)


def _micrograph(folder: Path) -> object:
    read = read_micrograph(only(folder))
    return crc32(np.ascontiguousarray(read.pixels)), read.pixel_size_A


def _movie(folder: Path) -> object:
    movie = open_movie(only(folder), eer_grouping=2)
    return [crc32(frame) for frame in read_frames(movie, range(movie.count))]


def _sidecar(folder: Path) -> object:
    said = sidecar_of(only(folder).with_suffix(""))
    return said, said.pixel_size_of((4092, 5760)), said.pixel_size_of((3, 5))


MDOC = """Voltage = 300

[ZValue = 0]
PixelSpacing = 1.5
Binning = 2
ImageSize = 2880 2046
SubFramePath = X:\\in\\m.tif
NumSubFrames = 12
FrameDosesAndNumber = 0.6 12
ExposureDose = 7.2
GainReference = ref.dm4
RotationAndFlip = 3
"""
IMAGES: Mapping[str, Reader] = {
    "micrograph": Reader(
        (
            *(_mrc(f"m.mrc{packed}", COUNTS[0]) for packed in ("", ".gz", ".bz2")),
            *(
                _tiff("m.tif", COUNTS[0], compression=code)
                for code in (None, "lzw", "zlib", "zstd", "packbits")
            ),
            _tiff("m.tif", COUNTS[0].astype(np.float32), tile=(16, 16)),
            _tiff("m.tiff", COUNTS[0], bigtiff=True, rowsperstrip=5),
            _tiff("m.tif", COUNTS[0].astype(np.float64)),
            _tiff("m.tif", COUNTS[0].astype(np.uint8) % 16, bitspersample=4),
            _tiff("m.tif", COUNTS[0].astype(np.uint8), description=f"SerialEMCCD: {PACKED}", metadata=None),
            *(_bytes_mrc("m.mrc", COUNTS[0] + 110, mode) for mode in (0, FOUR_BITS)),
            *(_picture(name) for name in ("m.png", "m.jpg")),
        ),
        _micrograph,
        ("tiff-grey/*.tif", "mrc/*.png"),
    ),
    "movie": Reader(
        (
            *(_mrc(f"m.mrcs{packed}", COUNTS) for packed in ("", ".gz", ".bz2")),
            *(_bytes_mrc("m.mrcs", COUNTS + 110, mode) for mode in (0, FOUR_BITS)),
            *(_tiff("m.tif", COUNTS, compression=code) for code in (None, "lzw")),
            *map(_eer, (65000, 65001, 65002)),
        ),
        _movie,
        ("tiff-grey/gray.[fiu]*.tif",),
    ),
    "gain": Reader(
        (_tiff("m.gain", COUNTS[0].astype(np.float32)), _mrc("m.mrc", COUNTS[0].astype(np.float32))),
        lambda folder: load_gain(only(folder)).tobytes(),
    ),
    "defects": Reader(
        (
            text_file("d.txt", "# x y w h\n1 2 3 4\n0 0 32 1\n"),
            _tiff("d.tif", (COUNTS[0] > 25).astype(np.uint8)),
        ),
        lambda folder: read_defects(only(folder), (24, 32)).tobytes(),
    ),
    "sidecar": Reader(
        (text_file("m.mdoc", MDOC), text_file("m.xml", epu_xml())),
        _sidecar,
        ("mdoc/frame*.mdoc", "mdoc/tilt*.mdoc"),
    ),
}
