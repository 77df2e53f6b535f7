"""Found traces and true ones of one image -> what each follows of the others, and for how long."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cryopick_ray.errors import PicksError
from cryopick_ray.filaments.trace import Points, Trace

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
STEP = 0.1
"""Widths between the places that are compared."""
MOST_DEG = 30.0
"""Largest angle between two lines of which one follows the other."""
FOLLOWS = 1.0
"""Widths that a trace follows another at least for it to be more than an accident."""
NONE = -1
MOST_PLACES, MOST_PAIRS = 1_000_000, 20_000_000


@dataclass(frozen=True, eq=False)
class TracePlaces:
    """Places along traces, evenly spaced, each for the same part of its trace.

    Attributes
    ----------
    points, along
        ``(n, 2)`` places in pixels, and unit vectors along the trace there.
    owner
        ``(n,)`` number of the trace.
    widths
        ``(n,)`` length that each stands for, in widths.
    """

    points: Points
    along: Points
    owner: Indices
    widths: Floats

    def __len__(self) -> int:
        return len(self.points)


@dataclass(frozen=True, eq=False)
class Followed:
    """How found traces and true ones follow each other.

    Attributes
    ----------
    length, hit_length
        ``(n,)`` length of each found trace, and of what of it follows true ones, in widths.
    shared
        ``(n, m)`` length of each found trace that follows each true one, in widths; each place the one that
        suits best.
    alone
        ``(n, m)`` the same of places that can follow no other: where two true ones meet at a small angle,
        nobody can tell them apart.
    false_joins, bridges
        How often a found trace goes from one true one to another, which it follows for a width at least each:
        where they meet, and across a gap between their ends, where they may be one that is broken.
    true_length
        ``(k,)`` length of true places, in widths.
    best
        ``(k,)`` number of the trace of the highest score that finds each of them; -1 for none.
    angle_deg, offset
        ``(h,)`` how far places that follow a true trace are off its direction, and off its axis in widths, a
        width apart.
    """

    length: Floats
    hit_length: Floats
    shared: Floats
    alone: Floats
    true_length: Floats
    best: Indices
    angle_deg: Floats
    offset: Floats
    false_joins: int
    bridges: int

    @property
    def breaks(self) -> int:
        """Found traces more than one that each true trace is followed by."""
        return int(np.maximum((self.alone >= FOLLOWS).sum(axis=0) - 1, 0).sum())


def places(traces: Sequence[Trace], width_px: float) -> TracePlaces:
    """Return places ``STEP`` widths apart along traces.

    Raises
    ------
    PicksError
        They are so long that it would be millions.
    """
    counts = [max(round(trace.length_px / (STEP * width_px)), 1) for trace in traces]
    if sum(counts) > MOST_PLACES:
        raise PicksError(
            f"filaments of one micrograph are {sum(counts) * STEP:.3g} widths long; expected at most "
            f"{MOST_PLACES * STEP:.3g}"
        )
    points, directions = [np.empty((0, 2))], [np.empty(0)]
    for trace, count in zip(traces, counts, strict=True):
        track: Floats = np.linspace(0, trace.length_px, 2 * count + 1)[1::2]
        points.append(trace.at(track))
        directions.append(trace.direction_rad(track, width_px))
    angle = np.concatenate(directions)
    along = np.column_stack([np.cos(angle), np.sin(angle)])
    widths = [trace.length_px / width_px / count for trace, count in zip(traces, counts, strict=True)]
    owner = np.repeat(np.arange(len(traces)), counts)
    return TracePlaces(np.concatenate(points), along, owner, np.repeat(np.array(widths, float), counts))


def follow(found: Sequence[Trace], true: Sequence[Trace], width_px: float, radius_px: float) -> Followed:
    """Compare found traces with true ones.

    A place follows a line that is within the radius and within 30 degrees of its direction. Where a found
    place may follow two, it is the one that is nearer in both together: where filaments cross at a small
    angle, each trace so stays with its own.
    """
    ours, theirs = places(found, width_px), places(true, width_px)
    one, other, apart_px, angle = _near(ours, theirs, radius_px)
    unlike = apart_px / radius_px + angle / np.deg2rad(MOST_DEG)
    order = np.lexsort((other, unlike, one))
    place, first = np.unique(one[order], return_index=True)
    follows = other[order][first]
    choices = np.unique(one * np.intp(len(true)) + theirs.owner[other]) // max(len(true), 1)
    is_alone = np.bincount(choices, minlength=len(ours))[place] == 1
    shared, alone = np.zeros((2, len(found), len(true)))
    pairs = ours.owner[place], theirs.owner[follows]
    np.add.at(shared, pairs, ours.widths[place])
    np.add.at(alone, pairs, ours.widths[place] * is_alone)
    joins = [
        is_bridge(true[one], true[other], width_px)
        for row, number in zip(alone, range(len(found)), strict=True)
        for one, other in _passed(row, number, place, follows, ours, theirs)
    ]
    score = np.array([trace.score for trace in found])
    rank = np.empty(len(found), np.intp)
    rank[np.argsort(np.nan_to_num(score, nan=-np.inf), kind="stable")] = np.arange(len(found))
    best_rank = np.full(len(theirs), NONE, np.intp)
    np.maximum.at(best_rank, other, rank[ours.owner[one]])
    by_rank = np.append(np.argsort(rank), NONE)  # the last for what nothing finds
    some = slice(None, None, round(1 / STEP))
    step = ours.points[place] - theirs.points[follows]
    return Followed(
        length=np.array([trace.length_px / width_px for trace in found], np.float64),
        hit_length=shared.sum(axis=1),
        shared=shared,
        alone=alone,
        true_length=theirs.widths,
        best=by_rank[best_rank],
        angle_deg=np.rad2deg(angle[order][first])[some],
        offset=np.abs(_cross(theirs.along[follows], step))[some] / width_px,
        false_joins=len(joins) - sum(joins),
        bridges=sum(joins),
    )


def _passed(
    alone: Floats, number: int, place: Indices, follows: Indices, ours: TracePlaces, theirs: TracePlaces
) -> list[tuple[int, int]]:
    """Return pairs of true traces that a found one follows one after the other."""
    owners = np.flatnonzero(alone >= FOLLOWS)
    if len(owners) < 2:
        return []
    own = ours.owner[place] == number
    at, of = place[own], theirs.owner[follows[own]]
    order = sorted(owners.tolist(), key=lambda owner: float(np.median(at[of == owner])))
    return list(pairwise(order))


def is_bridge(trace: Trace, other: Trace, width_px: float) -> bool:
    """Tell whether two traces are nearest to each other at an end of both, as pieces of one are."""
    ends = np.hypot(*(trace.points[[0, -1]][:, None] - other.points[[0, -1]][None]).transpose(2, 0, 1)).min()
    nearest, _ = cKDTree(other.dense(width_px / 4)).query(trace.dense(width_px / 4))
    return bool(ends <= np.min(nearest) + width_px / 2)


def crossings(traces: Sequence[Trace], width_px: float) -> int:
    """Return how often traces cross each other."""
    track = [
        np.linspace(0, trace.length_px, round(trace.length_px / (STEP * width_px)) + 2) for trace in traces
    ]
    lines = [trace.at(there) for trace, there in zip(traces, track, strict=True)]
    if len(lines) < 2:
        return 0
    start, stop = (np.concatenate([line[part] for line in lines]) for part in (slice(-1), slice(1, None)))
    owner = np.repeat(np.arange(len(lines)), [len(line) - 1 for line in lines])
    longest = float(np.hypot(*(stop - start).T).max())
    one, other = cKDTree((start + stop) / 2).query_pairs(longest, output_type="ndarray").T
    apart = owner[one] != owner[other]
    one, other = one[apart], other[apart]

    def parted(line: Indices, by: Indices) -> NDArray[np.bool_]:
        """Tell whether a step's ends lie on both sides of another."""
        along = stop[by] - start[by]
        sides = [_cross(along, end[line] - start[by]) > 0 for end in (start, stop)]
        return np.asarray(sides[0] != sides[1])

    return int((parted(one, other) & parted(other, one)).sum())


def _near(
    ours: TracePlaces, theirs: TracePlaces, radius_px: float
) -> tuple[Indices, Indices, Floats, Floats]:
    """Return pairs of places that follow each other, how far they are apart, and the angle between them."""
    if not len(ours) or not len(theirs):
        return np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0), np.empty(0)
    our_tree, their_tree = cKDTree(ours.points), cKDTree(theirs.points)
    if our_tree.count_neighbors(their_tree, radius_px) > MOST_PAIRS:
        raise PicksError(
            "filaments of one micrograph lie on top of each other by the hundred; expected lines"
        )
    near = our_tree.sparse_distance_matrix(their_tree, radius_px, output_type="ndarray")
    one, other = near["i"], near["j"]
    cosine = np.abs(np.einsum("ij,ij->i", ours.along[one], theirs.along[other]))
    angle = np.arccos(np.minimum(cosine, 1.0))
    alike = angle <= np.deg2rad(MOST_DEG)
    return one[alike], other[alike], near["v"][alike], angle[alike]


def _cross(points: Points, other: Points) -> Floats:
    product: Floats = points[:, 0] * other[:, 1] - points[:, 1] * other[:, 0]
    return product
