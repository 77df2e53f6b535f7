"""The gain reference: read, turned as the frames lie, as factors to multiply by."""

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import MicrographError, UsageError
from cryopick_ray.micrographs.movies.movie import read_frames
from cryopick_ray.micrographs.movies.open_movie import open_movie
from cryopick_ray.units import Shape

ORIENTATIONS = [(rot, flip) for flip in (0, 1) for rot in range(4)]
"""Every way that a square can lie, as RELION's ``(gain_rot, gain_flip)``; flip 2 is half a turn, flip 1."""
LEAST_GOOD = 0.5  # of a gain reference's pixels
MIDDLE_PX = 2048
MOST_TIMES_MEDIAN = 7.5  # five sigma of a normal distribution
CERTAIN_SIGMAS = 10.0


def load_gain(path: Path) -> NDArray[np.float32]:
    """Return the image of a gain reference, the first of several; 0 where it is not positive.

    Raises
    ------
    UsageError
        It cannot be read, or less than half of it is above 0.
    """
    try:
        gain = next(read_frames(open_movie(path), range(1))).astype(np.float32)
    except MicrographError as error:
        raise UsageError(
            f"`movies.gain` {path}: {error}; expected an image in MRC, TIFF or .gain (dm4: convert it to MRC)"
        ) from error
    np.maximum(gain, 0, out=gain)
    good = np.count_nonzero(gain) / gain.size
    if good < LEAST_GOOD:
        raise UsageError(
            f"`movies.gain` {path}: {good:.0%} of its pixels are above 0; expected a gain reference"
        )
    return gain


def oriented(gain: NDArray[np.float32], rot: int, flip: int) -> NDArray[np.float32]:
    """Return the gain after ``rot`` quarter turns clockwise (row 0 on top), then flipped.

    Parameters
    ----------
    gain
        ``(h, w)``.
    rot, flip
        RELION's ``--gain_rot`` (0 to 3) and ``--gain_flip``: 0 for none, 1 upside down, 2 left to right.
    """
    turned = np.rot90(gain, -rot)
    return (turned, turned[::-1], turned[:, ::-1])[flip]


def factors(gain: NDArray[np.float32], shape: Shape, *, reciprocal: bool) -> NDArray[np.float32]:
    """Return what to multiply frames by; 0 on defects.

    Parameters
    ----------
    gain
        ``(h, w)`` as the frames lie, in the frames' shape, or twice or half of it (super-resolution).
    shape
        Height and width of a frame.
    reciprocal
        The frames are to be divided by it: so of EER movies, but for files called ``.gain``.

    Raises
    ------
    MicrographError
        The shapes do not fit.
    """
    if gain.shape == (2 * shape[0], 2 * shape[1]):
        quarters = gain.reshape(shape[0], 2, shape[1], 2)
        gain = quarters.mean((1, 3)) * (quarters > 0).all((1, 3))
    elif shape == (2 * gain.shape[0], 2 * gain.shape[1]):
        gain = gain.repeat(2, 0).repeat(2, 1)
    if gain.shape != shape:
        raise MicrographError(
            f"the gain reference has {gain.shape[1]} x {gain.shape[0]} pixels as turned, the frames have "
            f"{shape[1]} x {shape[0]}; check `movies.gain`, and "
            "`movies.gain_rot` if only the sides are exchanged"
        )
    if reciprocal:
        good = gain > 0
        gain = np.divide(gain[good].mean(dtype=np.float64), gain, out=np.zeros(shape, np.float32), where=good)
    return np.ascontiguousarray(gain)


def misorientation(frame_sum: NDArray[np.float32], factors: NDArray[np.float32]) -> tuple[int, int] | None:
    """Return the ``(rot, flip)`` that factors still need to explain the frames' fixed pattern.

    Where a pixel counts too few its factor is large: fine detail of frames and factors is anticorrelated in
    the right orientation and unrelated in the seven others. Only the middle is looked at.

    Parameters
    ----------
    frame_sum
        ``(h, w)`` sum of uncorrected frames.
    factors
        ``(h, w)`` as they are about to be applied.

    Returns
    -------
    ``(0, 0)`` if they lie right; ``None`` where nothing is certain: few electrons, or corrected frames.
    """
    seen, pattern = _detail(frame_sum), -_detail(factors)
    turned = {orientation: oriented(pattern, *orientation) for orientation in ORIENTATIONS}
    likeness = {o: float(np.vdot(seen, detail)) for o, detail in turned.items() if detail.shape == seen.shape}
    best = max(likeness, key=lambda orientation: likeness[orientation])
    by_chance = float(np.linalg.norm(seen)) * float(np.linalg.norm(pattern)) / math.sqrt(seen.size)
    return best if likeness[best] > CERTAIN_SIGMAS * by_chance else None


def combined(first: tuple[int, int], then: tuple[int, int]) -> tuple[int, int]:
    """Return the one ``(rot, flip)`` that does what two do, one after the other."""
    probe = np.arange(6, dtype=np.float32).reshape(2, 3)
    wanted = oriented(oriented(probe, *first), *then)
    return next(o for o in ORIENTATIONS if np.array_equal(oriented(probe, *o), wanted))


def _detail(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the clipped Laplacian of the middle, cut so that turning and cutting commute."""
    middle = tuple(
        slice(cut, side - cut) for side in image.shape for cut in [max(0, (side - MIDDLE_PX) // 2)]
    )
    x = image[middle]
    detail = 4 * x[1:-1, 1:-1] - x[:-2, 1:-1] - x[2:, 1:-1] - x[1:-1, :-2] - x[1:-1, 2:]
    limit = MOST_TIMES_MEDIAN * float(np.median(np.abs(detail)))
    return np.clip(detail, -limit, limit) if limit > 0 else detail
