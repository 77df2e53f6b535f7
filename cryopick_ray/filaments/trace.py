"""One filament: the polyline of its axis."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""``(n, 2)`` columns (x) and rows (y) in pixels of one image."""


@dataclass(frozen=True, eq=False)
class Trace:
    """The axis of one filament in one image; which end comes first means nothing.

    Attributes
    ----------
    points
        ``(n, 2)`` x and y of the polyline's vertices in pixels, at least two, no two neighbours equal.
    score
        How sure it is, higher is better; NaN where nobody said.

    Raises
    ------
    ValueError
        If the points are no polyline.
    """

    points: Points
    score: float = float("nan")

    def __post_init__(self) -> None:
        points = self.points
        if points.ndim != 2 or points.shape[1] != 2 or len(points) < 2 or not np.isfinite(points).all():
            raise ValueError(f"points have shape {points.shape}; expected (n, 2), n at least 2, all finite")
        if not (np.diff(self.track_px) > 0).all():
            raise ValueError("two neighbouring points of a trace are equal")

    @cached_property
    def track_px(self) -> NDArray[np.float64]:
        """``(n,)`` distances of the vertices from the first, along the trace."""
        steps = np.hypot(*np.diff(self.points, axis=0).T)
        return np.concatenate([[0.0], np.cumsum(steps)])

    @property
    def length_px(self) -> float:
        """From end to end, along the trace."""
        return float(self.track_px[-1])

    def at(self, track_px: NDArray[np.float64]) -> Points:
        """Return the ``(m, 2)`` places so far along the trace."""
        return np.column_stack([np.interp(track_px, self.track_px, axis) for axis in self.points.T])

    def dense(self, step_px: float) -> Points:
        """Return places ``step_px`` apart along the trace, from its first end."""
        return self.at(np.arange(0, self.length_px, step_px))

    def direction_rad(self, track_px: NDArray[np.float64], over_px: float) -> NDArray[np.float64]:
        """Return ``(m,)`` directions ``atan2(dy, dx)`` of the trace there.

        Parameters
        ----------
        over_px
            Length of the chord that they are taken from, less at the ends.
        """
        ahead, behind = (self.at(track_px + sign * over_px / 2) for sign in (1, -1))
        dx, dy = (ahead - behind).T
        direction: NDArray[np.float64] = np.arctan2(dy, dx)
        return direction

    def between(self, start_px: float, stop_px: float) -> "Trace":
        """Return the part from ``start_px`` to ``stop_px`` along the trace."""
        inside = (self.track_px > start_px) & (self.track_px < stop_px)
        ends = self.at(np.array([start_px, stop_px]))
        return replace(self, points=np.concatenate([ends[:1], self.points[inside], ends[1:]]))

    def scaled(self, across: float, down: float) -> "Trace":
        """Return the same trace in pixels so many times smaller: x times ``across``, y times ``down``."""
        return replace(self, points=self.points * np.array([across, down]))
