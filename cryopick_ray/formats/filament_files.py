"""Filaments as files of coordinates have them: segments in order, or the ends of straight pieces."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.filaments.segments import psi_deg
from cryopick_ray.filaments.trace import Points
from cryopick_ray.formats.column_names import single
from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.formats.format import Note
from cryopick_ray.picks.columns import Columns

FILAMENT, TRACK, ANGLE = "filament", "track_px", "angle_deg"
BEND_PER_WIDTH, LEAST_BEND_PX = 0.1, 1.0
"""How far a filament may lie from the straight line that stands for it, of its width, and in pixels."""
MOST = int(np.iinfo(np.int32).max)


def numbered(ids: NDArray[np.floating]) -> NDArray[np.int32]:
    """Return ``(n,)`` numbers of filaments as a file counts them, -1 for NaN and those below 0.

    What is no whole number or too large for one is counted anew, from 0 in the order of the ids.
    """
    known = np.isfinite(ids) & (ids >= 0)
    found = np.full(len(ids), -1, np.int32)
    own = ids[known]
    fits = bool((own <= MOST).all() and (own == np.rint(own)).all())
    found[known] = own.astype(np.int32) if fits else np.unique(own, return_inverse=True)[1]
    return found


def tracked(
    filament: NDArray[np.int32],
    x_px: NDArray[np.floating],
    y_px: NDArray[np.floating],
    order: NDArray[np.floating] | None = None,
) -> dict[str, NDArray[np.generic]]:
    """Return what the places of segments tell: their filament, way along it, and direction.

    Parameters
    ----------
    filament
        ``(n,)`` numbers, -1 for none.
    order
        What orders the segments of a filament; ``None`` where they are in order.

    Notes
    -----
    A direction is that from the segment before to the one after; NaN where these lie at one place.
    """
    n = len(filament)
    rows = np.lexsort((np.arange(n) if order is None else order, filament))
    points = np.column_stack([x_px, y_px])[rows]
    goes_on = np.diff(filament[rows]) == 0
    no = [False] * min(n, 1)
    ahead = np.arange(n) + np.append(goes_on, no).astype(np.intp)
    behind = np.arange(n) - np.append(no, goes_on).astype(np.intp)
    track, angle = np.empty(n), np.empty(n)
    with np.errstate(over="ignore", invalid="ignore"):
        steps = np.where(goes_on, np.hypot(*np.diff(points, axis=0).T), 0.0)
        walked = np.append(np.zeros(min(n, 1)), np.cumsum(steps))
        first = np.flatnonzero(behind == np.arange(n))
        track[rows] = walked - np.repeat(walked[first], np.diff(np.append(first, n)))
        dx, dy = (points[ahead] - points[behind]).T
        angle[rows] = np.where((dx == 0) & (dy == 0), np.nan, psi_deg(np.arctan2(dy, dx)))
    none = filament < 0
    track[none] = angle[none] = np.nan
    return {FILAMENT: filament, TRACK: single(track), ANGLE: single(angle)}


def along(coordinates: Coordinates) -> Coordinates:
    """Return the particles of a micrograph, those of filaments last: one after the other, along it."""
    known = coordinates.known
    if FILAMENT not in known:
        return coordinates
    track = known.get(TRACK, np.zeros(len(coordinates.x_px)))
    return coordinates.taken(np.lexsort((track, known[FILAMENT])))


def lines(coordinates: Coordinates) -> Iterator[NDArray[np.intp]]:
    """Yield the rows of each filament, in order along it."""
    filament = coordinates.known.get(FILAMENT, np.full(len(coordinates.x_px), -1, np.int32))
    track = coordinates.known.get(TRACK, np.zeros(len(filament)))
    rows = np.lexsort((track, filament))[loose(coordinates) :]
    if len(rows):
        yield from np.split(rows, np.flatnonzero(np.diff(filament[rows])) + 1)


def loose(coordinates: Coordinates) -> int:
    """Return how many particles are of no filament."""
    filament = coordinates.known.get(FILAMENT)
    return len(coordinates.x_px) if filament is None else int((filament < 0).sum())


def tell_loose(count: int, say: Note) -> None:
    """Say how many particles are left out where filaments alone have room."""
    if count:
        say(f"{count} picks are of no filament: left out")


def corners_of(points: Points, bend_px: float) -> NDArray[np.intp]:
    """Return which of ``(n, 2)`` points a polyline needs that stays within ``bend_px`` of all.

    The method of Ramer (1972) and Douglas and Peucker (1973).
    """
    kept, left = {0, len(points) - 1}, [(0, len(points) - 1)]
    while left:
        start, stop = left.pop()
        if stop - start < 2:
            continue
        chord, away = points[stop] - points[start], points[start + 1 : stop] - points[start]
        length = np.hypot(*chord)
        beside = np.abs(away @ [-chord[1], chord[0]]) / length if length else np.hypot(*away.T)
        corner = start + 1 + int(beside.argmax())
        if beside[corner - start - 1] > bend_px:
            kept.add(corner)
            left += [(start, corner), (corner, stop)]
    return np.array(sorted(kept), np.intp)


class FilamentEnds:
    """Filaments as straight pieces, and what is lost by that.

    A filament that bends is cut into pieces that are straight to a tenth of its width.
    """

    def __init__(self) -> None:
        self._bent, self._pieces, self._short, self._loose = 0, 0, 0, 0

    def of(self, coordinates: Coordinates, width_px: float) -> Iterator[Points]:
        """Yield ``(2, 2)`` x, y of both ends of each piece."""
        bend_px = max(LEAST_BEND_PX, BEND_PER_WIDTH * width_px)
        self._loose += loose(coordinates)
        for rows in lines(coordinates):
            points = np.column_stack([coordinates.x_px, coordinates.y_px])[rows].astype(np.float64)
            corners = points[corners_of(points, bend_px)]
            corners = corners[np.append(True, (np.diff(corners, axis=0) != 0).any(1))]
            self._short += len(corners) < 2
            self._bent += len(corners) > 2
            self._pieces += len(corners) - 1 if len(corners) > 2 else 0
            yield from (corners[at : at + 2] for at in range(len(corners) - 1))

    def tell(self, say: Note) -> None:
        """Say what the files do not hold."""
        if self._bent:
            say(
                f"{self._bent} filaments bend and are written as {self._pieces} straight pieces, each a "
                "filament of its own"
            )
        if self._short:
            say(f"{self._short} filaments of one segment have no two ends: left out")
        tell_loose(self._loose, say)


def of_ends(x_px: NDArray[np.floating], y_px: NDArray[np.floating]) -> Columns:
    """Return what is known of ``(n,)`` ends, two a filament, one filament after the other."""
    return tracked((np.arange(len(x_px)) // 2).astype(np.int32), x_px, y_px)
