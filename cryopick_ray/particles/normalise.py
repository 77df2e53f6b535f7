"""Normalisation of boxes to a background of mean 0 and standard deviation 1, as in RELION."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.float32]
Seed = int | np.random.SeedSequence
BACKGROUND_SHARE = 0.75
"""Diameter of the circle that holds the particle, of the box: the default of RELION's user interface."""
LEAST_PIXELS = 5
ROUNDING = 1e-6
"""Of a background's grey values: what varies less is constant."""


@dataclass(frozen=True)
class Dust:
    """Pixels that are replaced by noise of the background: brighter or darker than so many deviations."""

    white: float | None = None
    black: float | None = None


class Background:
    """Background of a box: the pixels outside a central circle.

    Parameters
    ----------
    box_px
        Side of the box in pixels.
    radius_px
        Of the circle; whole pixels count, as in RELION. Pixels on it are the particle's.

    Raises
    ------
    ValueError
        If hardly anything lies outside.
    """

    def __init__(self, box_px: int, radius_px: float) -> None:
        away = np.arange(box_px) - box_px // 2
        outside = (away[:, None] ** 2 + away**2 > int(radius_px) ** 2).ravel()
        if outside.sum() < LEAST_PIXELS:
            raise ValueError(f"a circle of {radius_px:g} pixels leaves no background in a box of {box_px}")
        self._pixels = int(outside.sum())
        self._weights = (outside / outside.sum()).astype(np.float32)
        x, y = (array.ravel() for array in np.meshgrid(away, away))
        plane = np.column_stack([x, y, np.ones(box_px**2)])
        # On the background the plane's functions are made orthogonal: a fit is then a product.
        _, triangle = np.linalg.qr(plane[outside])
        even = plane @ np.linalg.inv(triangle)
        self._plane, self._fit = (array.astype(np.float32) for array in (even.T, even * outside[:, None]))

    def evened(self, images: Images) -> Images:
        """Return ``(n, b, b)`` images less the plane that fits their backgrounds best, deviation 1.

        The mean of a background is 0 then, too. One that is a plane but for rounding becomes NaN.
        """
        flat = images.reshape(len(images), -1)
        planes = flat @ self._fit
        rest = planes @ self._plane
        np.subtract(flat, rest, out=rest)
        deviation = np.sqrt((rest * rest) @ self._weights)
        least = ROUNDING * np.linalg.norm(planes, axis=1) / np.sqrt(self._pixels)
        rest /= np.where(deviation > least, deviation, np.float32(np.nan))[:, None]
        return np.asarray(rest.reshape(images.shape))

    def moments(self, images: Images) -> tuple[Images, Images]:
        """Return ``(n, 1, 1)`` mean and standard deviation of each background."""
        flat = images.reshape(len(images), -1)
        mean = flat @ self._weights
        away = flat - mean[:, None]
        deviation = np.sqrt((away * away) @ self._weights)
        return mean[:, None, None], np.asarray(deviation[:, None, None], np.float32)


def normalise(images: Images, background: Background, dust: Dust, seed: Seed = 0) -> Images:
    """Return ``(n, b, b)`` images without dust and ramp, background mean 0 and deviation 1.

    An image whose background is constant becomes NaN.

    Parameters
    ----------
    seed
        Of the noise in place of dust.
    """
    if dust != Dust():
        images = _dusted(images, *background.moments(images), dust, seed)
    return background.evened(images)


def _dusted(images: Images, mean: Images, deviation: Images, dust: Dust, seed: Seed) -> Images:
    is_dust = np.zeros(images.shape, bool)
    if dust.white is not None:
        is_dust |= images > mean + dust.white * deviation
    if dust.black is not None:
        is_dust |= images < mean - dust.black * deviation
    noise = np.random.default_rng(seed).standard_normal(images.shape, np.float32)
    return np.where(is_dust, mean + deviation * noise, images)
