"""Parts of filaments -> which of their ends go on into each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cryopick_ray.filaments.ridges import Map, sampled
from cryopick_ray.filaments.trace import Points
from cryopick_ray.filaments.tracing_settings import TracingSettings

Floats = NDArray[np.float64]
SKIPPED, FITTED = 0.5, 4.0
"""Widths at an end whose points are not looked at, as other ridges draw them, and those of its direction."""
TURN_DEG, OFFSET, MISSING, GAP = 10.0, 0.25, 1.0, 8.0
"""What costs one: a turn in degrees; widths that an end lies beside the other's course; widths of a gap
without an axis; widths of any gap."""
STIFFNESS = 10.0
"""How much the parabola that is fitted at an end is held to a straight line."""
WIDEST_OFFSET = 0.35
"""Widths that an end may lie beside the other's course."""
CLEAR = 2.0
"""How much cheaper a join must be than any other of either end: where two are as good, none is made."""
MOST_PAIRS, MOST_RIVALS = 200_000, 4


@dataclass(frozen=True, eq=False)
class ChainEnds:
    """Both ends of parts, the first of part ``i`` at 2i, its last at 2i + 1.

    Attributes
    ----------
    points, out
        ``(n, 2)`` places, and unit vectors that lead on from there.
    """

    points: Points
    out: Points


def ends_of(parts: Sequence[Points], width_px: float) -> ChainEnds:
    """Return the ends of ``(n, 2)`` parts, on parabolas that are fitted to the points behind them."""
    fitted = [_end(points, width_px) for part in parts for points in (part, part[::-1])]
    both = np.array(fitted, np.float64).reshape(-1, 2, 2)
    return ChainEnds(both[:, 0], both[:, 1])


def _end(points: Points, width_px: float) -> tuple[Points, Points]:
    points = points[: round(2 * (SKIPPED + FITTED) * width_px)]  # they are about a pixel apart
    far = np.hypot(*(points - points[0]).T)
    is_near = np.logical_and.accumulate(far <= (SKIPPED + FITTED) * width_px)
    is_behind = is_near & (far >= min(SKIPPED * width_px, far[is_near].max() / 3))
    used = points[is_behind] if is_behind.sum() > 1 else points[is_near]
    middle = used.mean(axis=0)
    centred = used - middle
    (xx, xy), (_, yy) = centred.T @ centred
    angle = np.arctan2(2 * xy, xx - yy) / 2
    out = np.array([np.cos(angle), np.sin(angle)])
    if out @ (points[0] - middle) < 0:
        out = -out
    across = out[::-1] * (-1, 1)
    back, off = centred @ out / width_px, centred @ across / width_px
    powers = back[:, None] ** (0, 1, 2)
    bend = np.linalg.solve(powers.T @ powers + np.diag([0, 0, STIFFNESS]), powers.T @ off)
    far = float((points[0] - middle) @ out) / width_px
    lead = out + (bend[1] + 2 * bend[2] * far) * across
    end = middle + width_px * (far * out + (bend @ (1, far, far**2)) * across)
    return end, lead / np.hypot(*lead)


def join(parts: Sequence[Points], height: Map, width_px: float, settings: TracingSettings) -> list[list[int]]:
    """Return which ends make one filament: for each the sides it is walked through, ``side // 2`` the part.

    Of all pairs of ends that may go on into each other the cheapest is joined first, and an end once. Where
    two are about as cheap, neither is joined: a break costs less than a false join.
    """
    ends = ends_of(parts, width_px)
    first_ends, second_ends = _pairs(ends, max(settings.longest_gap, settings.longest_crossing) * width_px)
    cost = _cost(ends, first_ends, second_ends, height, width_px, settings)
    is_open = np.isfinite(cost)
    first_ends, second_ends, cost = first_ends[is_open], second_ends[is_open], cost[is_open]
    clear = cost + CLEAR <= _rival(ends, first_ends, second_ends, cost)
    first_ends, second_ends, cost = first_ends[clear], second_ends[clear], cost[clear]
    order = np.lexsort((second_ends, first_ends, cost))
    partner: dict[int, int] = {}
    group = list(range(len(parts)))
    for first, second in zip(first_ends[order].tolist(), second_ends[order].tolist(), strict=True):
        mine, theirs = _root(group, first // 2), _root(group, second // 2)
        if first in partner or second in partner or mine == theirs:
            continue
        partner[first], partner[second] = second, first
        group[max(mine, theirs)] = min(mine, theirs)
    return list(_walks(len(parts), partner))


def _rival(
    ends: ChainEnds, first_ends: NDArray[np.intp], second_ends: NDArray[np.intp], cost: Floats
) -> Floats:
    """Return the cost of the cheapest other pair that shares an end with each pair; infinite without one.

    Two pairs are no rivals where the one only leaves out a part that the other takes in.
    """
    rival = np.full(len(cost), np.inf)
    of_end: dict[int, list[tuple[int, int]]] = {}
    for pair in np.argsort(cost, kind="stable").tolist():
        for end, there in (
            (int(first_ends[pair]), int(second_ends[pair])),
            (int(second_ends[pair]), int(first_ends[pair])),
        ):
            of_end.setdefault(end, []).append((pair, there))
    for end, pairs in of_end.items():
        for (pair, there), (second, instead) in combinations(pairs[:MOST_RIVALS], 2):
            if not (_leads(ends, end, instead, there) or _leads(ends, end, there, instead)):
                rival[pair] = min(rival[pair], cost[second])
                rival[second] = min(rival[second], cost[pair])
    return rival


def _leads(ends: ChainEnds, start: int, through: int, to: int) -> bool:
    """Tell whether the part that begins at an end leads from ``start`` towards another."""
    places = ends.points[[start, through ^ 1]] - ends.points[to]
    before, after = np.hypot(*places.T)
    return bool(after < before)


def _pairs(ends: ChainEnds, reach_px: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return pairs of ends of different parts that are near enough, and look at each other."""
    pairs = cKDTree(ends.points).query_pairs(reach_px, output_type="ndarray")
    first_ends, second_ends = pairs[pairs[:, 0] // 2 != pairs[:, 1] // 2].T
    faces = np.einsum("ij,ij->i", ends.out[first_ends], ends.out[second_ends]) < 0
    first_ends, second_ends = first_ends[faces], second_ends[faces]
    if len(first_ends) > MOST_PAIRS:
        gap = np.hypot(*(ends.points[second_ends] - ends.points[first_ends]).T)
        nearest = np.sort(np.argsort(gap, kind="stable")[:MOST_PAIRS])
        first_ends, second_ends = first_ends[nearest], second_ends[nearest]
    return first_ends, second_ends


def _cost(
    ends: ChainEnds,
    first_ends: NDArray[np.intp],
    second_ends: NDArray[np.intp],
    height: Map,
    width_px: float,
    settings: TracingSettings,
) -> Floats:
    """Return what it costs to join pairs of ends; infinite where they cannot be one filament.

    The course from one end to the other is an arc: it turns by the angle between the ends' directions. What
    the arc does not explain is an offset sideways.
    """
    step = ends.points[second_ends] - ends.points[first_ends]
    gap = np.hypot(*step.T) / width_px
    turn = _signed(ends.out[first_ends], -ends.out[second_ends])
    middle = _turned(ends.out[first_ends], turn / 2)
    ahead = np.einsum("ij,ij->i", step, middle) / width_px
    offset = np.abs(np.einsum("ij,ij->i", step, middle[:, ::-1] * (-1, 1))) / width_px
    turn_deg = np.rad2deg(np.abs(turn))
    radius = np.maximum(gap, 1.0) / np.maximum(np.abs(turn), 1e-9)
    fits = (
        (turn_deg <= settings.sharpest_join_deg)
        & (offset <= WIDEST_OFFSET)
        & (ahead >= -SKIPPED)
        & (radius >= settings.least_radius / 2)
    )
    missing = np.full(len(gap), np.inf)
    missing[fits] = _missing(ends.points[first_ends[fits]], step[fits], height, settings.floor) * gap[fits]
    fits &= missing <= settings.longest_gap
    cost = (turn_deg / TURN_DEG) ** 2 + (offset / OFFSET) ** 2 + missing / MISSING + gap / GAP
    return np.where(fits, cost, np.inf)


def _missing(start: Points, step: Points, height: Map, floor: float) -> Floats:
    """Return the share of the ways from ``(n, 2)`` starts that has no axis, or that leads out of the map."""
    if not len(start):
        return np.empty(0)
    samples = int(np.ceil(np.hypot(*step.T).max())) + 1
    part = (np.arange(samples) + 0.5) / samples
    way = start[:, None] + part[:, None] * step[:, None]
    found = sampled(height, way.reshape(-1, 2)).reshape(len(start), samples)
    share: Floats = (found < floor).mean(axis=1)
    return share


def _signed(points: Points, others: Points) -> Floats:
    """Return the angles from unit vectors to others, in radians."""
    cross = points[:, 0] * others[:, 1] - points[:, 1] * others[:, 0]
    angle: Floats = np.arctan2(cross, np.einsum("ij,ij->i", points, others))
    return angle


def _turned(vectors: Points, angle: Floats) -> Points:
    cos, sin = np.cos(angle), np.sin(angle)
    x, y = vectors.T
    return np.column_stack([cos * x - sin * y, sin * x + cos * y])


def _root(group: list[int], part: int) -> int:
    while group[part] != part:
        group[part] = group[group[part]]
        part = group[part]
    return part


def _walks(count: int, partner: dict[int, int]) -> list[list[int]]:
    """Return the sides that are entered by, part after part, from each free end of ``count`` parts."""
    seen: set[int] = set()
    walks = []
    for start in range(2 * count):
        if start in partner or start // 2 in seen:
            continue
        side: int | None = start
        walk = []
        while side is not None:
            walk.append(side)
            seen.add(side // 2)
            side = partner.get(side ^ 1)
        walks.append(walk)
    return walks
