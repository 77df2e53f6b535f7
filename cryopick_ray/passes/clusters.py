"""Places that several pickers give in one micrograph -> groups that are one particle each."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cryopick_ray.errors import UsageError
from cryopick_ray.units import is_positive

ABSENT = -1
"""What stands for a picker that has no place in a group."""


@dataclass(frozen=True)
class CandidatePlaces:
    """What one picker gives in one micrograph.

    Attributes
    ----------
    x_px, y_px, score
        ``(n,)`` columns and rows of centres, and scores on the picker's own scale; NaN without one.
    """

    x_px: NDArray[np.floating]
    y_px: NDArray[np.floating]
    score: NDArray[np.floating]


@dataclass(frozen=True)
class Groups:
    """Places of one micrograph, each in exactly one group.

    Attributes
    ----------
    names
        ``k`` pickers, sorted.
    members
        ``(g, k)`` each picker's place in the group as an index into its own list, -1 where it has none.
        Groups are in the order of their first place by y, then x.
    greedily
        Connected parts of the micrograph that were too entangled to be grouped as asked, and were grouped
        greedily.
    """

    names: tuple[str, ...]
    members: NDArray[np.intp]
    greedily: int = 0

    @property
    def has(self) -> NDArray[np.bool_]:
        """``(g, k)`` which pickers have a place in which group."""
        return np.asarray(self.members != ABSENT)


@dataclass(frozen=True)
class Graph:
    """All places of one micrograph, and which of them may be the same particle.

    Attributes
    ----------
    names
        ``k`` pickers, sorted.
    x_px, y_px, score
        ``(n,)`` of all places by y, then x, then the picker's name, then the better score.
    picker, index
        ``(n,)`` whose place it is, as an index into the names, and which one of its list.
    pairs
        ``(e, 2)`` pairs of places of different pickers within the radius, the first place the smaller.
    apart_px
        ``(e,)`` their distances.
    """

    names: tuple[str, ...]
    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    score: NDArray[np.float64]
    picker: NDArray[np.intp]
    index: NDArray[np.intp]
    pairs: NDArray[np.intp]
    apart_px: NDArray[np.float64]

    @cached_property
    def near(self) -> list[set[int]]:
        """The places that each may be the same particle as."""
        near: list[set[int]] = [set() for _ in self.picker]
        for one, other in self.pairs.tolist():
            near[one].add(other)
            near[other].add(one)
        return near

    def groups(self, sets: list[list[int]], greedily: int = 0) -> Groups:
        """Return sets of places, which share none, as groups."""
        members = np.full((len(sets), len(self.names)), ABSENT, np.intp)
        for row, places in enumerate(sorted(sets, key=min)):
            members[row, self.picker[places]] = self.index[places]
        return Groups(self.names, members, greedily)


def graph(lists: Mapping[str, CandidatePlaces], radius_px: float) -> Graph:
    """Return the places of all pickers, and the pairs of them within a radius, which is included.

    Nothing depends on the order of the lists, or of the places in them.

    Parameters
    ----------
    lists
        Each picker's places by its name.
    radius_px
        Largest distance of two places that may be the same particle.

    Raises
    ------
    UsageError
        If the radius is not positive.
    """
    if not is_positive(radius_px):
        raise UsageError(f"radius is {radius_px}; give `radius_px` a positive length in pixels")
    names = tuple(sorted(lists))
    sizes = [len(lists[name].x_px) for name in names]
    x_px, y_px, score = (
        np.concatenate([np.empty(0), *(getattr(lists[name], column) for name in names)]).astype(np.float64)
        for column in ("x_px", "y_px", "score")
    )
    picker = np.repeat(np.arange(len(names)), sizes)
    index = np.concatenate([np.empty(0, np.intp), *map(np.arange, sizes)]).astype(np.intp)
    order = np.lexsort((-score, picker, x_px, y_px))
    x_px, y_px, picker = x_px[order], y_px[order], picker[order]
    pairs = cKDTree(np.column_stack([x_px, y_px])).query_pairs(radius_px, output_type="ndarray")
    pairs = pairs[picker[pairs[:, 0]] != picker[pairs[:, 1]]].astype(np.intp)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    one, other = pairs.T
    apart_px = np.hypot(x_px[one] - x_px[other], y_px[one] - y_px[other])
    return Graph(names, x_px, y_px, score[order], picker, index[order], pairs, apart_px)


def greedy(lists: Mapping[str, CandidatePlaces], radius_px: float) -> Groups:
    """Return groups of at most one place of each picker, all pairs of a group within the radius.

    The nearest pair of places comes first, and joins the groups that its two places are in, if all of these
    are near each other. Equally near pairs go by y, then x, then the picker's name.

    Parameters
    ----------
    lists
        Each picker's places by its name.
    radius_px
        Largest distance of two places of a group, the radius included.

    Raises
    ------
    UsageError
        If the radius is not positive.
    """
    whole = graph(lists, radius_px)
    return whole.groups(nearest_first(whole, whole.pairs, whole.apart_px, range(len(whole.picker))))


def nearest_first(
    whole: Graph, pairs: NDArray[np.intp], apart_px: NDArray[np.float64], places: range | list[int]
) -> list[list[int]]:
    """Return the sets that :func:`greedy` makes of some places and all ``(e, 2)`` near pairs of them."""
    near = whole.near
    group = {place: [place] for place in places}
    order = np.argsort(apart_px, kind="stable")
    for one, other in pairs[order].tolist():
        ours, theirs = group[one], group[other]
        if ours is not theirs and all(near[place].issuperset(theirs) for place in ours):
            ours += theirs
            group.update(dict.fromkeys(theirs, ours))
    return list({id(one): one for one in group.values()}.values())
