"""Small MRC files of every kind, and how to spoil them."""

import bz2
import gzip
import struct

import mrcfile
import numpy as np
from mrcfile.dtypes import HEADER_DTYPE

from cryopick_ray.micrographs.mrc import read_mrc

SHAPE = (7, 12)
PACK = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress}


def pixels_of(code: str) -> np.ndarray:
    values = np.random.default_rng(3).integers(-100, 100, SHAPE)
    return (abs(values) if code == "u2" else values).astype(code)


def write(path, pixels, *, pixel_size_A=1.7, order="<", extended=b""):
    with mrcfile.new(path) as mrc:
        mrc.set_data(pixels)
        mrc.voxel_size = pixel_size_A
        mrc.set_extended_header(np.frombuffer(extended, "V1"))
        header = mrc.header.copy()
    # mrcfile itself writes one-byte pixels in the machine's order only
    header.machst = [0x11, 0x11, 0, 0] if order == ">" else [0x44, 0x44, 0, 0]
    header = header.astype(HEADER_DTYPE.newbyteorder(order)).tobytes()
    path.write_bytes(header + extended + pixels.astype(pixels.dtype.newbyteorder(order)).tobytes())
    return path


def patched(raw: bytes, offset: int, form: str, *values) -> bytes:
    whole = bytearray(raw)
    struct.pack_into(form, whole, offset, *values)
    return bytes(whole)


def read_bytes(tmp_path, raw: bytes, packing: str = ""):
    path = tmp_path / f"m.mrc{packing}"
    path.write_bytes(PACK[packing](raw))
    return read_mrc(path)
