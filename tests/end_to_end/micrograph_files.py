"""Micrographs on disk, good and bad, and what a run made of them."""

import mrcfile
import numpy as np

from cryopick_ray.simulate.phantom import make_phantom

PIXEL_SIZE_A = 4.0
DIAMETER_A = 150.0
LOG = ["--model", "log", "--diameter", DIAMETER_A, "--invert", "no"]
"""What the blob detector is told: it needs no weights, and its picks are those of any machine."""


def write_mrc(path, pixels, pixel_size_A=PIXEL_SIZE_A):
    path.parent.mkdir(parents=True, exist_ok=True)
    with mrcfile.new(path) as mrc:
        mrc.set_data(pixels)
        mrc.voxel_size = pixel_size_A


def phantom(seed, shape=(512, 576)):
    return make_phantom(
        seed,
        shape=shape,
        pixel_size_A=PIXEL_SIZE_A,
        diameter_A=DIAMETER_A,
        particles=25,
        signal_to_noise=0.05,
    )


def table_bytes(folder):
    """Return the name and content of every file of a run's table."""
    table = folder / "table"
    return {p.relative_to(table).as_posix(): p.read_bytes() for p in sorted(table.rglob("*")) if p.is_file()}


def broken_folder(folder):
    """Fill a folder with every kind of bad file and two good ones; return the reasons expected."""
    good = phantom(0).pixels
    write_mrc(folder / "good.mrc", good)
    whole = (folder / "good.mrc").read_bytes()
    header = bytearray(whole[:1024])
    header[212:216] = b"\x11\x11\x00\x00"
    words = np.frombuffer(bytes(header), "<i4").astype(">i4").tobytes()
    big = bytearray(words)
    big[104:112], big[208:212], big[212:216], big[220:] = (
        header[104:112],
        b"MAP ",
        b"\x11\x11\x00\x00",
        header[220:],
    )
    (folder / "big_endian.mrc").write_bytes(bytes(big) + good.astype(">f4").tobytes())
    (folder / "truncated.mrc").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.mrc").write_bytes(b"")
    (folder / "garbage.mrc").write_bytes(np.random.default_rng(1).bytes(5000))
    nan = good.copy()
    nan[3, 5] = np.nan
    (folder / "nan.mrc").write_bytes(whole[:1024] + nan.tobytes())  # mrcfile would warn
    write_mrc(folder / "constant.mrc", np.full_like(good, 7))
    return {
        "truncated.mrc": "bytes",
        "empty.mrc": "empty",
        "garbage.mrc": "",
        "nan.mrc": "1 of",
        "constant.mrc": "constant",
    }
