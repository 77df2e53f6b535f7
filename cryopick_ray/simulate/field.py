"""The field of view in angstroms: positions of pixels, windows, and noise independent of pixel size.

Everything is drawn in angstroms and sampled at the centres of pixels, so that one seed gives one
specimen at every pixel size.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from cryopick_ray.units import Shape


@dataclass(frozen=True)
class FieldOfView:
    """The detector's field of view; (0, 0) A is the centre of the first pixel.

    Attributes
    ----------
    shape
        Height and width in pixels.
    pixel_size_A
        Angstroms per pixel.
    """

    shape: Shape
    pixel_size_A: float

    @property
    def size_A(self) -> tuple[float, float]:
        """Height and width in angstroms."""
        return self.shape[0] * self.pixel_size_A, self.shape[1] * self.pixel_size_A

    def random_point_A(self, rng: np.random.Generator) -> tuple[float, float]:
        """Draw x, y evenly over the field."""
        height_A, width_A = self.size_A
        return float(rng.uniform(0, width_A)), float(rng.uniform(0, height_A))

    def window(self, x_A: float, y_A: float, reach_A: float) -> tuple[slice, slice]:
        """Return rows and columns of the pixels within a square around a point; may be empty."""
        rows, columns = (
            slice(
                min(max(0, int(np.ceil((centre - reach_A) / self.pixel_size_A))), side),
                min(max(0, int(np.floor((centre + reach_A) / self.pixel_size_A)) + 1), side),
            )
            for centre, side in zip((y_A, x_A), self.shape, strict=True)
        )
        return rows, columns

    def positions_A(self, pixels: slice, side: int) -> NDArray[np.float64]:
        """Return the positions of the rows (side 0) or columns (side 1) in ``pixels``."""
        return np.arange(*pixels.indices(self.shape[side]), dtype=np.float64) * self.pixel_size_A


@dataclass(frozen=True)
class Patch:
    """A piece of specimen on a window of the image.

    Attributes
    ----------
    rows, columns
        The window.
    thickness_A
        ``(rows, columns)`` float32: vitreous-ice-equivalent thickness, see :mod:`.contamination`.
    grain_A
        Its variation from grain to grain, of the same shape; ``None`` for smooth matter.
    covered
        Mask of the piece, bool of the same shape, where its thickness does not show it.
    """

    rows: slice
    columns: slice
    thickness_A: NDArray[np.float32]
    grain_A: NDArray[np.float32] | None = None
    covered: NDArray[np.bool_] | None = None


def smooth_noise(
    rng: np.random.Generator,
    y_A: NDArray[np.float64],
    x_A: NDArray[np.float64],
    box_A: tuple[float, float, float],
    step_A: float,
) -> NDArray[np.float32]:
    """Return noise of unit variance whose features are about ``step_A`` wide, on rows x columns.

    White noise on a lattice fixed in space, interpolated by cubic B-splines; power is white below
    ``1 / (4 step_A)`` and gone above ``1 / step_A``.

    Parameters
    ----------
    y_A, x_A
        ``(h,)`` and ``(w,)`` positions, inside the box.
    box_A
        Left, top and side of the square that the lattice covers. It alone decides how many random
        numbers are drawn.
    """
    left, top, side = box_A
    nodes = int(np.ceil(side / step_A)) + 4
    white = rng.standard_normal((nodes, nodes), dtype=np.float32)
    along_rows = _spline_weights((y_A - top) / step_A, nodes) @ white
    return np.ascontiguousarray((_spline_weights((x_A - left) / step_A, nodes) @ along_rows.T).T)


def _spline_weights(position: NDArray[np.float64], nodes: int) -> scipy.sparse.csr_array:
    """Return cubic B-spline weights ``(len(position), nodes)``, rows scaled to keep the noise's variance."""
    first = np.clip(np.floor(position), 0, nodes - 4).astype(np.int64)
    t = position - first
    weights = np.stack(
        [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1
    )
    weights /= np.sqrt(np.sum(weights**2, axis=1, keepdims=True))
    columns = first[:, None] + np.arange(4)
    rows = np.repeat(np.arange(len(position)), 4)
    shape = (len(position), nodes)
    return scipy.sparse.csr_array((weights.ravel().astype(np.float32), (rows, columns.ravel())), shape=shape)
