"""Masks of micrographs, drawn by a person or made by a program: non-zero pixels are excluded."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.junk import cells_under
from cryopick_ray.micrographs.reader import read_micrograph
from cryopick_ray.units import Shape

CUT = 0.5
"""Where masks of probabilities are cut."""
SLACK_PX, SLACK = 2.0, 0.01
"""By how many pixels of the mask, or which part of its height, its sides may not fit the micrograph's."""


@dataclass(frozen=True, eq=False)
class OutsideMask:
    """The area of a micrograph that a mask excludes.

    Attributes
    ----------
    excluded
        ``(h, w)`` bool over the micrograph's field, in any resolution: its edges are the micrograph's.
    shape
        Height and width of the micrograph.
    """

    excluded: NDArray[np.bool_]
    shape: Shape

    @property
    def share(self) -> float:
        """Part of the area that is excluded."""
        return float(self.excluded.mean())

    def holds(self, x: NDArray[np.floating], y: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Tell which of ``(n,)`` points are excluded, in pixels of the micrograph, 0.0 the first's centre."""
        rows, columns = map(cells_under, (y, x), self.shape, self.excluded.shape)
        return np.asarray(self.excluded[rows, columns])


def read_mask(path: Path, shape: Shape) -> OutsideMask:
    """Read a mask of any kind of file that micrographs come in, in the same frame as these.

    What is not nought is excluded; of numbers between 0 and 1, as programs give probabilities, what is at
    least one half.

    Parameters
    ----------
    shape
        Height and width of the micrograph.

    Raises
    ------
    MicrographError
        If it cannot be read, holds NaN, or is of another field than the micrograph.
    """
    pixels = read_micrograph(path).pixels
    (height, width), (rows, columns) = pixels.shape, shape
    if abs(height - width * rows / columns) > max(SLACK_PX, SLACK * height):
        raise MicrographError(
            f"the mask has {width} x {height} pixels, the micrograph {columns} x {rows}; expected the same "
            "field in any binning"
        )
    return OutsideMask(_excluded(pixels), shape)


def _excluded(pixels: NDArray[Any]) -> NDArray[np.bool_]:
    if pixels.dtype.kind != "f":
        return np.asarray(pixels != 0)
    low, high = pixels.min(), pixels.max()
    if np.isnan(low):
        raise MicrographError("the mask holds NaN; expected numbers")
    may_be = low >= 0 and high <= 1
    are_probabilities = may_be and not ((pixels == 0) | (pixels == 1)).all()
    return np.asarray(pixels >= CUT if are_probabilities else pixels != 0)
