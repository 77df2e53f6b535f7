"""The convention of coordinates, and conversions between angstroms and pixels.

The one coordinate convention of this package: a particle's centre is ``(x_px, y_px)`` in pixels of
the source micrograph as stored in its file; ``x`` is the column, ``y`` the row, row 0 is the first
row of the file, and 0.0 is the *centre* of the first pixel. Sizes given by people are in angstroms.

A TIFF, of one or many pages, is turned by :func:`rows_up`: its last row is row 0. PNG and JPEG are read
as they are shown.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cryopick_ray.errors import UsageError

Voltage = Annotated[float, Field(ge=60, le=400)]
"""In kilovolts, as people may set it."""
Shape = tuple[int, int]
"""Height and width of an image in pixels, in that order."""


def rows_up(page: NDArray[Any]) -> NDArray[Any]:
    """Return a TIFF's page ``(h, w)`` with its last row as row 0, as a view.

    So RELION, IMOD, EMAN2, SerialEM and MotionCor2 read it, for which y points up: the same picture as MRC
    and as TIFF has the same coordinates there, and a gain reference in MRC fits frames in TIFF. The tag
    that tells viewers how a page is to be shown (Orientation) is ignored, as RELION does.
    """
    return page[::-1]


def diameter_px(diameter_A: float, pixel_size_A: float) -> float:
    """Return a length of ``diameter_A`` angstroms in pixels of ``pixel_size_A`` angstroms."""
    return diameter_A / pixel_size_A


def working_pixel_size_A(diameter_A: float, particle_px: float) -> float:
    """Return the pixel size (angstroms) at which ``diameter_A`` spans ``particle_px`` pixels."""
    return diameter_A / particle_px


def resampled_shape(shape: Shape, pixel_size_A: float, target_pixel_size_A: float) -> Shape:
    """Return the even-sided shape nearest to ``target_pixel_size_A``, same field of view.

    Even sides keep the Fourier crop symmetric; the exact scale of each axis is the ratio of the
    shapes, so nothing is lost by rounding.
    """
    scale = pixel_size_A / target_pixel_size_A
    height, width = (max(2, 2 * round(side * scale / 2)) for side in shape)
    return height, width


def resampled_to_source(
    x: NDArray[np.float32], y: NDArray[np.float32], shape: Shape, source_shape: Shape
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Map coordinates on a Fourier-resampled image back to the source: ``x_src = x W_src / W``.

    A Fourier crop keeps the centre of the first pixel where it was, hence no half-pixel term.

    Parameters
    ----------
    x, y
        ``(n,)`` columns and rows on the resampled image.
    shape, source_shape
        Shapes of the resampled and of the source image.
    """
    return (
        (x * np.float32(source_shape[1] / shape[1])).astype(np.float32),
        (y * np.float32(source_shape[0] / shape[0])).astype(np.float32),
    )


def binned_to_source(x: float, binning: int) -> float:
    """Map a coordinate on an image binned by ``binning`` back: ``b (x + 0.5) - 0.5``."""
    return binning * (x + 0.5) - 0.5


def is_positive(value: float) -> bool:
    """Tell whether ``value`` can be a size: finite and above zero."""
    return math.isfinite(value) and value > 0


@dataclass(frozen=True)
class Optics:
    """How the microscope was set, as RELION's optics groups state it; the defaults of RELION's Import job."""

    voltage_kV: float = 300.0
    spherical_aberration_mm: float = 2.7
    amplitude_contrast: float = 0.1

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        if not (
            is_positive(self.voltage_kV)
            and 0 <= self.spherical_aberration_mm < math.inf
            and 0 <= self.amplitude_contrast <= 1
        ):
            raise UsageError(
                f"optics of {self.voltage_kV:g} kV, {self.spherical_aberration_mm:g} mm and amplitude "
                f"contrast {self.amplitude_contrast:g}: expected a voltage above 0 (`optics.voltage_kV`), an "
                "aberration of at least 0 (`optics.spherical_aberration_mm`) and a contrast from 0 to 1 "
                "(`optics.amplitude_contrast`)"
            )
