"""Filling of areas without data, so that they disturb neither resampling nor picking."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.no_data import NoData, slack_px
from cryopick_ray.units import Shape

CELL_PX = 8
"""Pixels are filled in squares of so many."""
STRIDE_PX = 4
"""Every so many pixels one is looked at for the local mean: four in a square."""
BAND_PX = 512
"""Rows whose mask is made at a time, a multiple of both."""
MEAN_PX = 48.0
"""Sigma of the Gaussian that makes the local mean."""
TAPER_PX = 40.0
"""So far from data the contrast of what stands there is full; beside data it is none."""


@dataclass(frozen=True, eq=False)
class Fill:
    """Fills with the local mean and, away from the data, mirrored texture: no edges, same grey values.

    A level fill would bend what pickers take the spread of: with half a detector dead they find nothing.

    Attributes
    ----------
    image, no_data
        The micrograph, and where it holds no picture.
    source
        ``(2, h / 8, w / 8)`` row and column of the square that each square is filled from.
    mean, contrast
        ``(h / 8, w / 8)`` local mean of the data, and which part of their contrast is taken over.
    """

    image: NDArray[Any]
    no_data: NoData
    source: NDArray[np.intp]
    mean: NDArray[np.float32]
    contrast: NDArray[np.float32]

    def filled(self, block: NDArray[np.float32], start: int) -> NDArray[np.float32]:
        """Return the micrograph's rows from ``start`` on, filled."""
        shape = self.image.shape[0], self.image.shape[1]
        empty = self.no_data.mask(block.shape, first_row=start, grown_px=slack_px(shape))
        if not empty.any():
            return block
        first, above = divmod(start, CELL_PX)
        filling = self._filling(first, math.ceil((above + len(block)) / CELL_PX))
        return np.where(empty, filling[above : above + len(block), : shape[1]], block)

    def _filling(self, first: int, count: int) -> NDArray[np.float32]:
        """Return what would fill ``count`` rows of squares."""
        part = np.s_[first : first + count]
        row, column = np.nonzero(self.contrast[part])
        down, across = self.source[:, part][:, row, column]
        texture = _squares(self.image)[down, across] - self.mean[down, across][:, None, None]
        texture *= self.contrast[part][row, column][:, None, None]
        filling = np.empty((count, CELL_PX, self.mean.shape[1], CELL_PX), np.float32)
        filling[row, :, column] = texture + self.mean[part][row, column][:, None, None]
        return filling.reshape(count * CELL_PX, -1)


def _squares(image: NDArray[Any]) -> NDArray[Any]:
    """Return the whole squares of an image as ``(h // 8, w // 8, 8, 8)``, not copied."""
    return sliding_window_view(image, (CELL_PX, CELL_PX))[::CELL_PX, ::CELL_PX]


def planned_fill(image: NDArray[Any], no_data: NoData, low: np.float32, high: np.float32) -> Fill:
    """Return the filling of an ``(h, w)`` image.

    Parameters
    ----------
    low, high
        Grey values beyond these count as these in the local mean.

    Raises
    ------
    MicrographError
        There are hardly any data.
    """
    cells = math.ceil(image.shape[0] / CELL_PX), math.ceil(image.shape[1] / CELL_PX)
    lacking = np.ones(cells, bool)  # squares that the image's edge cuts give nothing
    sample = np.clip(image[::STRIDE_PX, ::STRIDE_PX].astype(np.float32), low, high)
    for top, empty in _masked_bands(no_data, (image.shape[0], image.shape[1])):
        sample[top // STRIDE_PX :][: math.ceil(len(empty) / STRIDE_PX)][empty[::STRIDE_PX, ::STRIDE_PX]] = (
            np.nan
        )
        down, across = (side // CELL_PX for side in empty.shape)
        squares = empty[: down * CELL_PX, : across * CELL_PX].reshape(down, CELL_PX, -1).any(axis=1)
        cells_here = np.s_[top // CELL_PX : top // CELL_PX + down, :across]
        lacking[cells_here] = squares.reshape(down, across, CELL_PX).any(axis=2)
    mean = _local_mean(sample, (low + high) / 2, cells)
    source, distance = _mirrored(lacking)
    return Fill(image, no_data, source, mean, np.clip(CELL_PX * distance / TAPER_PX, 0, 1).astype(np.float32))


def _masked_bands(no_data: NoData, shape: Shape) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Yield first row and mask of bands of an image."""
    for top in range(0, shape[0], BAND_PX):
        band = min(BAND_PX, shape[0] - top), shape[1]
        yield top, no_data.mask(band, first_row=top, grown_px=slack_px(shape))


def _local_mean(
    sample: NDArray[np.float32], usual: np.float32, cells: tuple[int, int]
) -> NDArray[np.float32]:
    """Return the mean around each square; NaN counts for nothing, and far from all else it is ``usual``."""
    each = CELL_PX // STRIDE_PX
    padding = [(0, each * count - side) for count, side in zip(cells, sample.shape, strict=True)]
    apart = np.pad(sample - usual, padding, constant_values=np.nan).reshape(cells[0], each, cells[1], each)
    has_data = ~np.isnan(apart)
    total = np.where(has_data, apart, np.float32(0)).sum(axis=(1, 3))
    weight = has_data.sum(axis=(1, 3), dtype=np.float32)
    total, weight = (gaussian_filter(image, MEAN_PX / CELL_PX) for image in (total, weight))
    return np.asarray(usual + total / np.maximum(weight, np.float32(1e-3)), np.float32)


def _mirrored(lacking: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return for each square the one it is filled from, and how far away the nearest data are, in squares."""
    if lacking.all():
        raise MicrographError("no part of the image with data is large enough to see anything in it")
    own = np.indices(lacking.shape)
    distance, nearest = distance_transform_edt(lacking, return_indices=True)
    source = 2 * nearest - own
    for axis, side in enumerate(lacking.shape):
        source[axis] = np.abs(source[axis])
        source[axis] = np.where(source[axis] >= side, 2 * (side - 1) - source[axis], source[axis])
        source[axis] = np.clip(source[axis], 0, side - 1)
    bad = lacking[source[0], source[1]]
    data = np.stack(np.nonzero(~lacking))
    source[:, bad] = data[:, np.arange(np.count_nonzero(bad)) % data.shape[1]]
    return source, distance
