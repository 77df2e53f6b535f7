"""Pixels that do not count as others do: listed, found, and replaced by their neighbours."""

from pathlib import Path

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from cryopick_ray.errors import MicrographError, UsageError
from cryopick_ray.micrographs.movies.movie import read_frames
from cryopick_ray.micrographs.movies.open_movie import STACK_SUFFIXES, open_movie
from cryopick_ray.micrographs.preprocess import SIGMAS_PER_MAD
from cryopick_ray.units import Shape

MAX_LIST_BYTES = 2**20
HOT_SIGMAS = 6.0
SAMPLE_STEP = 7  # every seventh row and column tells sigma
TRIES = 8  # in a window before it is doubled


def read_defects(path: Path, shape: Shape) -> NDArray[np.bool_]:
    """Return the mask of a list of rectangles (``x y w h`` a line, ``#`` for remarks) or of a map.

    Parameters
    ----------
    path
        A text, or an image in MRC or TIFF that is not 0 on defects.
    shape
        Height and width of a frame.

    Raises
    ------
    UsageError
        It cannot be read, or does not lie inside a frame.
    """
    try:
        if path.name.lower().endswith(STACK_SUFFIXES):
            mask = np.asarray(next(read_frames(open_movie(path), range(1))) != 0)
        else:
            mask = _rectangles(path, shape)
    except (MicrographError, OSError, UnicodeDecodeError) as error:
        raise UsageError(f"`movies.defects` {path}: {error}") from error
    if mask.shape != shape:
        raise UsageError(
            f"`movies.defects` {path}: the map has {mask.shape[1]} x {mask.shape[0]} pixels, "
            f"the frames have {shape[1]} x {shape[0]}"
        )
    return mask


def _rectangles(path: Path, shape: Shape) -> NDArray[np.bool_]:
    with path.open("rb") as file:
        text = file.read(MAX_LIST_BYTES + 1)
    if len(text) > MAX_LIST_BYTES:
        raise MicrographError(f"the list is longer than {MAX_LIST_BYTES} bytes; give a map")
    mask = np.zeros(shape, np.bool_)
    for number, line in enumerate(text.decode().splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != 4 or not all(word.isascii() and word.isdigit() and len(word) < 10 for word in words):
            raise MicrographError(f"line {number} is {line[:80]!r}; expected four whole numbers: x y w h")
        x, y, width, height = map(int, words)
        if x + width > shape[1] or y + height > shape[0]:
            raise MicrographError(
                f"line {number} ({line[:80].strip()}) reaches beyond the {shape[1]} x {shape[0]} pixels"
            )
        mask[y : y + height, x : x + width] = True
    return mask


def find_deviants(mean: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return the mask of pixels that differ from the mean of their eight neighbours by more than six sigma.

    Parameters
    ----------
    mean
        ``(h, w)`` unaligned mean of corrected frames: the specimen is blurred there, the detector is not.
    """
    # From the mean of all nine, which is eight ninths of the way: no matter, for pixels as for sigma.
    deviation = scipy.ndimage.uniform_filter(mean, 3, mode="reflect")
    deviation -= mean
    np.abs(deviation, out=deviation)
    sample = deviation[::SAMPLE_STEP, ::SAMPLE_STEP]
    # Where most pixels never counted, the median says nothing.
    sigma = SIGMAS_PER_MAD * float(np.median(sample)) or float(sample.std())
    return deviation > np.float32(HOT_SIGMAS * sigma) if sigma > 0 else np.zeros(mean.shape, np.bool_)


def donors(bad: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the bad pixels and a good one near each, whose value may stand in.

    One neighbour drawn by chance keeps the noise as it is, which a mean of several would not; equal masks
    have equal donors.

    Returns
    -------
    Two ``(2, m)`` arrays of rows and columns.

    Raises
    ------
    MicrographError
        More than half of the pixels are bad.
    """
    if np.count_nonzero(bad) > bad.size / 2:
        raise MicrographError(
            "more than half of the pixels are defects; check `movies.gain` and `movies.defects`"
        )
    rng = np.random.default_rng(0)
    targets = np.argwhere(bad).T
    sources = np.full_like(targets, -1)
    missing = np.arange(targets.shape[1])
    reach = 2
    while missing.size:
        for _ in range(TRIES):
            drawn = targets[:, missing] + rng.integers(-reach, reach + 1, (2, missing.size))
            inside = ((drawn >= 0) & (drawn < np.array(bad.shape)[:, None])).all(0)
            good = inside & ~bad[tuple(np.where(inside, drawn, 0))]
            sources[:, missing[good]] = drawn[:, good]
            missing = missing[~good]
        reach = min(2 * reach, max(bad.shape))
    return targets, sources
