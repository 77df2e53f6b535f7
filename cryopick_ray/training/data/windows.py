"""A square window into a micrograph, turned, flipped or enlarged; what lies where in it."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, spline_filter

from cryopick_ray.training.data.labelled import Centres
from cryopick_ray.units import Shape

QUARTER = np.pi / 2
WHOLE = 1e-9
"""A turn this near to a right angle, at zoom 1, moves pixels as they are."""
ROUNDING_PX = 0.01
SPLINE_RIM_PX = 12
"""Beyond which a cubic spline no longer depends on a pixel: by then to one in ten million."""


@dataclass(frozen=True)
class Window:
    """Where a window lies and how it is turned.

    A pixel of the window at ``(u, v)`` from its middle shows the micrograph at
    ``(x, y) + R(angle) F (u, v) / zoom``, with ``R`` the turn that takes x towards -y (anticlockwise on a
    screen) and ``F`` the mirror image in x of a flipped window.

    Attributes
    ----------
    x, y
        The window's middle, in pixels of the micrograph.
    size
        Side in pixels; the middle of an even window lies between pixels.
    angle
        Radians; multiples of a right angle move pixels, others interpolate between them.
    zoom
        Above 1 particles appear larger than in the micrograph.
    flip
        Whether left and right are exchanged.
    """

    x: float
    y: float
    size: int
    angle: float = 0.0
    zoom: float = 1.0
    flip: bool = False

    @classmethod
    def oriented(
        cls, x: float, y: float, size: int, rng: np.random.Generator, *, zoom: float = 1.0, free: bool = False
    ) -> Self:
        """Return a window in one of the eight orientations of a square; if ``free``, half in any direction.

        The other half moves whole pixels: a picker sees micrographs that nobody interpolated.
        """
        turned = free and rng.uniform() < 0.5
        angle = float(rng.uniform(0, 4 * QUARTER)) if turned else int(rng.integers(4)) * QUARTER
        return cls(x, y, size, angle, zoom, bool(rng.integers(2)))

    def cut(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the ``(size, size)`` window; beyond its edges the image is mirrored."""
        matrix, offset, whole = self._map()
        if whole:
            return self._moved(image, matrix.astype(np.intp), offset.astype(np.intp))
        near, corner = self._surroundings(image, matrix, offset)
        splines = spline_filter(near, order=3, output=np.float32, mode="mirror")
        shape = (self.size, self.size)
        return np.asarray(
            affine_transform(
                splines,
                matrix,
                offset - corner,
                shape,
                order=3,
                mode="mirror",
                prefilter=False,
                output=np.float32,
            )
        )

    def codes(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the ``(size, size)`` window of an image of codes, which are not interpolated."""
        matrix, offset, _ = self._map()
        steps = np.arange(self.size)
        places = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1) @ matrix.T + offset
        rows, columns = (
            _mirrored(np.rint(places[..., axis]).astype(np.intp), image.shape[axis]) for axis in (0, 1)
        )
        return image[rows, columns]

    def _surroundings(
        self, image: NDArray[np.float32], matrix: NDArray[np.float64], offset: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Return what a turned window sees of the image and a rim for the splines, and where it starts."""
        ends = np.array([(0, 0), (0, 1), (1, 0), (1, 1)]) * (self.size - 1) @ matrix.T + offset
        low = np.floor(ends.min(axis=0)).astype(np.intp) - SPLINE_RIM_PX
        high = np.ceil(ends.max(axis=0)).astype(np.intp) + SPLINE_RIM_PX
        rows, columns = (
            _mirrored(np.arange(low[axis], high[axis] + 1), image.shape[axis]) for axis in (0, 1)
        )
        return image[rows[:, None], columns[None]], low.astype(np.float64)

    def locate(self, centres: Centres) -> Centres:
        """Return where ``(n, 2)`` centres of the micrograph lie in the window, those outside included."""
        matrix, offset, _ = self._map()
        placed = (centres[:, ::-1] - offset) @ np.linalg.inv(matrix).T
        return placed[:, ::-1].astype(np.float32)

    def places(self, points: Centres) -> Centres:
        """Return where ``(n, 2)`` points of the window lie in the micrograph: what :meth:`locate` undoes."""
        matrix, offset, _ = self._map()
        placed = points[:, ::-1] @ matrix.T + offset
        return placed[:, ::-1].astype(np.float32)

    def cells_within(self, shape: Shape, cell_px: int) -> NDArray[np.bool_]:
        """Mark the cells of the window that lie wholly on an ``(h, w)`` micrograph, not on its mirror image.

        Only for windows in the eight orientations of a square: there the micrograph is a rectangle too.
        """
        corners = np.array([(-0.5, -0.5), (shape[1] - 0.5, shape[0] - 0.5)], np.float32)
        placed = self.locate(corners)
        low, high = placed.min(axis=0) - ROUNDING_PX, placed.max(axis=0) + ROUNDING_PX
        start = cell_px * np.arange(self.size // cell_px) - 0.5
        columns, rows = ((start >= low[axis]) & (start + cell_px <= high[axis]) for axis in (0, 1))
        within: NDArray[np.bool_] = rows[:, None] & columns[None]
        return within

    def _map(self) -> tuple[NDArray[np.float64], NDArray[np.float64], bool]:
        """Return matrix and offset from (row, column) in the window to the micrograph; whether whole pixels.

        A window that only moves pixels is shifted by up to half a pixel, so that none is interpolated.
        """
        matrix = self._matrix()
        middle = (self.size - 1) / 2
        offset = np.array([self.y, self.x]) - matrix @ (middle, middle)
        whole = np.rint(matrix)
        if np.abs(matrix - whole).max() < WHOLE:
            return whole, np.rint(offset), True
        return matrix, offset, False

    def _matrix(self) -> NDArray[np.float64]:
        """Return the map from (row, column) steps in the window to those in the micrograph."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        turn = np.array([[cos, -sin], [sin, cos]]) / self.zoom
        return turn * ([1, -1] if self.flip else [1, 1])

    def _moved(
        self, image: NDArray[np.float32], matrix: NDArray[np.intp], offset: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        """Return the window when it takes whole pixels: no interpolation."""
        height, width = image.shape
        rows = _run(offset[0], matrix[0].sum(), self.size, height)
        columns = _run(offset[1], matrix[1].sum(), self.size, width)
        window = image[rows][:, columns]
        turned = matrix[0, 0] == 0  # the window's rows run along the image's columns
        return np.array(window.T if turned else window, order="C")


def _run(start: int, step: int, count: int, length: int) -> slice | NDArray[np.intp]:
    """Return ``count`` indices into ``length`` pixels, each 1 or -1 further; mirrored at the edges."""
    end = start + step * (count - 1)
    if min(start, end) >= 0 and max(start, end) < length:
        return slice(start, None if end == 0 and step < 0 else end + step, step)
    return _mirrored(start + step * np.arange(count), length)


def _mirrored(index: NDArray[np.intp], length: int) -> NDArray[np.intp]:
    """Return indices into ``length`` pixels, mirrored at the edges: -1 is pixel 0 again."""
    folded = index % (2 * length)
    return np.minimum(folded, 2 * length - 1 - folded)
