"""The power of an image by frequency and direction, averaged over tiles."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.no_data import NoData, slack_px
from cryopick_ray.units import Shape, resampled_shape

TILE_A = 1536.0
"""Side of a tile: resolves the rings of 5 um at 4 A, and keeps the first ring of 0.3 um apart."""
SMALLEST_PX = 128
SECTORS = 36
RING_WIDTH = 1e-4
"""Of k^2, per square angstrom: equal widths hold equally many samples, and a ring of 5 um spans 10."""
COARSEST_A, FINEST_A = 100.0, 3.0
NEAR_NYQUIST = 0.95
FINE_A = 0.7
"""Finer pixels, of super-resolution, show no more rings and take longer: they are cropped away."""
MOST_WITHOUT_DATA = 0.001
"""Of a tile's power: along its edges the taper hides borders of a few pixels."""


@dataclass(frozen=True, eq=False)
class PowerSpectrum:
    """Power of a real image in polar cells: half a turn, as the other half is the same.

    Attributes
    ----------
    k2
        ``(r,)`` middle of each ring, the frequency squared, per square angstrom.
    angle_rad
        ``(s,)`` middle of each sector, from the x axis towards increasing rows.
    power
        ``(s, r)`` mean power of a cell; NaN where it holds no sample.
    samples
        ``(s, r)`` frequencies of one tile in each cell.
    """

    k2: NDArray[np.float64]
    angle_rad: NDArray[np.float64]
    power: NDArray[np.float64]
    samples: NDArray[np.float64]


def fitted_shape(shape: Shape, pixel_size_A: float) -> Shape:
    """Return the shape to fit rings at: the micrograph's own; of fine pixels, one that resolves 3 A."""
    if pixel_size_A >= FINE_A:
        return shape
    return resampled_shape(shape, pixel_size_A, NEAR_NYQUIST * FINEST_A / 2)


def power_spectrum(image: NDArray[np.float32], pixel_size_A: float, no_data: NoData) -> PowerSpectrum:
    """Return the averaged periodogram (Welch 1967) of an image.

    Tiles overlap by half, lose their mean, and are tapered; those that see an area without data are left
    out.

    Parameters
    ----------
    image
        ``(h, w)``.
    no_data
        In pixels of the image.

    Raises
    ------
    MicrographError
        The image is too small, too coarse, or no tile of it holds data throughout.
    """
    side = tile_px((image.shape[0], image.shape[1]), pixel_size_A)
    window = np.hanning(side + 1)[:-1].astype(np.float32)
    window = window[:, None] * window
    total = np.zeros((side, side // 2 + 1))
    count = 0
    for y, x in _seen(image, side, no_data, window**2 / np.square(window).sum()):
        tile = image[y : y + side, x : x + side]
        spectrum = scipy.fft.rfft2((tile - tile.mean()) * window, overwrite_x=True)
        total += spectrum.real**2 + spectrum.imag**2
        count += 1
    if not count:
        raise MicrographError(f"no square of {side} pixels is without areas that hold no data")
    return _polar(total / count, pixel_size_A)


def _seen(
    image: NDArray[np.float32], side: int, no_data: NoData, share: NDArray[np.float32]
) -> Iterator[tuple[int, int]]:
    """Yield where tiles begin that hold data; ``share`` is what each pixel counts for."""
    shape = image.shape[0], image.shape[1]
    empty = no_data.mask(shape, grown_px=slack_px(shape)) if no_data else None
    for y, x in product(_starts(shape[0], side), _starts(shape[1], side)):
        if empty is None or share[empty[y : y + side, x : x + side]].sum() <= MOST_WITHOUT_DATA:
            yield y, x


def tile_px(shape: Shape, pixel_size_A: float) -> int:
    """Return the side of tiles in pixels, even and fast to transform.

    Raises
    ------
    MicrographError
        The image is too small to show rings.
    """
    if min(shape) < SMALLEST_PX:
        raise MicrographError(
            f"{shape[1]} x {shape[0]} pixels are too few to see rings in; expected {SMALLEST_PX} a side"
        )
    wanted = min(min(shape) // 2, math.ceil(TILE_A / pixel_size_A / 2))
    side = 2 * scipy.fft.next_fast_len(wanted, real=True)
    return side if side <= min(shape) else min(shape) // 2 * 2


def _starts(length: int, side: int) -> list[int]:
    """Return where tiles begin that overlap by half, or a little more, from edge to edge."""
    count = 1 + math.ceil(2 * (length - side) / side)
    return [round(place) for place in np.linspace(0, length - side, count)]


def _polar(power: NDArray[np.float64], pixel_size_A: float) -> PowerSpectrum:
    side = len(power)
    k_y = scipy.fft.fftfreq(side, pixel_size_A)[:, None]
    k_x = scipy.fft.rfftfreq(side, pixel_size_A)
    k2 = k_y**2 + k_x**2
    first = round(COARSEST_A**-2 / RING_WIDTH)
    last = math.floor(min(FINEST_A**-1, NEAR_NYQUIST / 2 / pixel_size_A) ** 2 / RING_WIDTH)
    rings = max(0, last - first)
    ring = np.floor(k2 / RING_WIDTH).astype(np.intp) - first
    inside = (ring >= 0) & (ring < rings)
    turn = np.arctan2(k_y, k_x) % math.pi
    sector = np.minimum((turn * (SECTORS / math.pi)).astype(np.intp), SECTORS - 1)
    cell = (sector * rings + ring)[inside]
    samples = np.bincount(cell, minlength=SECTORS * rings)
    sums = np.bincount(cell, power[inside], minlength=SECTORS * rings)
    with np.errstate(invalid="ignore"):
        mean = sums / samples
    return PowerSpectrum(
        k2=np.asarray((first + 0.5 + np.arange(rings)) * RING_WIDTH, np.float64),
        angle_rad=np.asarray((np.arange(SECTORS) + 0.5) * (math.pi / SECTORS), np.float64),
        power=mean.reshape(SECTORS, rings),
        samples=samples.reshape(SECTORS, rings).astype(np.float64),
    )
