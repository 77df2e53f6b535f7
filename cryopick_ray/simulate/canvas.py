"""The image that particles are thrown on, and its regions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.simulate.placement import Propose
from cryopick_ray.units import Shape

INSIDE, ON_CONTAMINATION, BEYOND_EDGE = REGIONS = range(3)


@dataclass(frozen=True)
class Ground:
    """An image and the molecules to come.

    Attributes
    ----------
    shape
        Height and width in pixels.
    diameters_px, weights
        ``(m,)`` diameters of the molecules and their shares, which add up to 1.
    contaminated
        ``(h, w)`` bool; ``None`` for a clean image.
    """

    shape: Shape
    diameters_px: NDArray[np.float64]
    weights: NDArray[np.float64]
    contaminated: NDArray[np.bool_] | None

    @property
    def area_px2(self) -> float:
        """Area of the image."""
        return float(self.shape[0]) * self.shape[1]

    @property
    def mean_square_px2(self) -> float:
        """Mean square of the diameters."""
        return float(self.weights @ self.diameters_px**2)

    @property
    def margin_px(self) -> float:
        """How far outside the image a centre may lie for its particle to reach in."""
        return float(np.max(self.diameters_px)) / 2

    def regions(self, full: int, density_on_contamination: float) -> NDArray[np.int64]:
        """Return a region for each particle, given how many a clean image holds."""
        height, width = self.shape
        clean = 1.0 if self.contaminated is None else 1 - float(np.mean(self.contaminated))
        around = (height + 2 * self.margin_px) * (width + 2 * self.margin_px) / self.area_px2 - 1
        shares = (clean, (1 - clean) * density_on_contamination, around)
        return np.repeat([INSIDE, ON_CONTAMINATION, BEYOND_EDGE], [round(full * s) for s in shares])

    def proposer(self, rng: np.random.Generator, regions: NDArray[np.int64]) -> Propose:
        """Return what throws a disc evenly over its region."""
        last = np.array([self.shape[1] - 1.0, self.shape[0] - 1.0])

        def propose(discs: NDArray[np.int64]) -> NDArray[np.float64]:
            region = regions[discs]
            margin = self.margin_px * (region == BEYOND_EDGE)[:, None]
            points: NDArray[np.float64] = rng.uniform(size=(len(discs), 2)) * (last + 2 * margin) - margin
            points[self.region(points) != region] = np.nan
            return points

        return propose

    def region(self, points: NDArray[np.float64]) -> NDArray[np.int64]:
        """Tell in which region ``(n, 2)`` points lie."""
        height, width = self.shape
        x, y = points.T
        inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
        region = np.where(inside, INSIDE, BEYOND_EDGE)
        if self.contaminated is not None:
            x, y = np.nan_to_num(points).T  # clumps that found no room are nowhere
            column = np.clip(np.rint(x), 0, width - 1).astype(np.int64)
            row = np.clip(np.rint(y), 0, height - 1).astype(np.int64)
            region[inside & self.contaminated[row, column]] = ON_CONTAMINATION
        return region
