"""Places that several pickers give in one micrograph -> the best of all ways to group them."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, csc_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import rankdata

from cryopick_ray.errors import UsageError
from cryopick_ray.passes.clusters import CandidatePlaces, Graph, Groups, graph, nearest_first
from cryopick_ray.units import is_positive

MOST_CLIQUES = 2000
"""Of a connected part of a micrograph; one with more is grouped greedily."""

Clique = tuple[int, ...]
"""Places that are all near each other, as indices into a graph's, ascending."""


def programme(lists: Mapping[str, CandidatePlaces], radius_px: float, weights: Mapping[str, float]) -> Groups:
    """Return the groups of most weight, all pairs of a group within the radius.

    Places that are all near each other are a clique of the graph of near pairs, and a group is a clique. The
    integer programme picks the cliques of the largest sum of weights in which no place is twice, exactly. So
    does REPIC, Cameron et al. (2024), Commun. Biol. 7, with other weights and with cliques that have a place
    of every picker only.

    The weight of a clique is the sum over its pairs of closeness x the sum of the two places' values:
    closeness is 1 for equal places and falls in a line to one half at the radius (1 - distance / diameter,
    where the radius is half of it); a place's value is its picker's weight x the share of the picker's places
    here that score no better, equal ones by half (one half without scores). Every further member adds to it,
    so that groups are as large as can be.

    Parameters
    ----------
    lists
        Each picker's places by its name.
    radius_px
        Largest distance of two places of a group, the radius included.
    weights
        How much each picker counts.

    Raises
    ------
    UsageError
        If the radius or a weight is not positive, or a picker has none.
    """
    if wrong := [name for name in lists if not is_positive(weights.get(name, 0.0))]:
        given = weights.get(wrong[0])
        raise UsageError(
            f"weight of {wrong[0]!r} is {given}; give `weights` a positive number for each picker"
        )
    whole = graph(lists, radius_px)
    worth = _worth(whole, weights, radius_px)
    pairs, apart_px = whole.pairs, whole.apart_px
    sets: list[list[int]] = []
    tangled: list[int] = []
    among: list[Clique] = []
    greedily = 0
    for own in _parts(whole):
        if all(len(whole.near[place]) == len(own) - 1 for place in own):
            sets.append(own)  # all near each other: nothing weighs more
        elif (found := cliques(whole, own)) is not None:
            tangled += own
            among += found
        else:
            inside = np.isin(pairs[:, 0], own)
            sets += nearest_first(whole, pairs[inside], apart_px[inside], own)
            greedily += 1
    if tangled:  # all parts in one programme, which falls into them: each call costs milliseconds
        sets += _heaviest(tangled, among, worth)
    return whole.groups(sets, greedily)


def weight(
    groups: Groups, lists: Mapping[str, CandidatePlaces], radius_px: float, weights: Mapping[str, float]
) -> float:
    """Return the sum over groups that :func:`programme`, which takes the same, makes the largest."""
    whole = graph(lists, radius_px)
    worth = _worth(whole, weights, radius_px)
    place = {key: at for at, key in enumerate(zip(whole.picker.tolist(), whole.index.tolist(), strict=True))}
    rows = groups.members.tolist()
    return sum(_sum([place[one] for one in enumerate(row) if one[1] >= 0], worth) for row in rows)


def cliques(whole: Graph, places: list[int]) -> list[Clique] | None:
    """Return all cliques of two and more of these places, in order; ``None`` if they are more than 2000."""
    near = whole.near
    later = {place: {other for other in near[place] if other > place} for place in places}
    found: list[Clique] = []
    open_ones: list[tuple[Clique, set[int]]] = [((place,), later[place]) for place in sorted(places)]
    while open_ones:
        clique, others = open_ones.pop()
        for other in sorted(others):
            larger = (*clique, other)
            found.append(larger)
            open_ones.append((larger, others & later[other]))
        if len(found) > MOST_CLIQUES:
            return None
    return sorted(found)


def _parts(whole: Graph) -> list[list[int]]:
    """Return the places of each connected part of the graph."""
    n = len(whole.picker)
    links = coo_array((np.ones(len(whole.pairs)), tuple(whole.pairs.T)), shape=(n, n))
    n_parts, part = connected_components(links, directed=False)
    parts: list[list[int]] = [[] for _ in range(n_parts)]
    for place, number in enumerate(part.tolist()):
        parts[number].append(place)
    return parts


def _worth(whole: Graph, weights: Mapping[str, float], radius_px: float) -> dict[tuple[int, int], float]:
    """Return what each near pair adds to the weight of a clique."""
    value = np.empty(len(whole.picker))
    for picker, name in enumerate(whole.names):
        own = whole.picker == picker
        value[own] = weights[name] * _standing(whole.score[own])
    one, other = whole.pairs.T
    worth = (1 - whole.apart_px / (2 * radius_px)) * (value[one] + value[other])
    return dict(zip(map(tuple, whole.pairs.tolist()), worth.tolist(), strict=True))


def _standing(score: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of ``(n,)`` scores that are no better than each, equal ones by half."""
    standing = np.full(len(score), 0.5)
    scored = ~np.isnan(score)
    if scored.any():
        standing[scored] = (rankdata(score[scored]) - 0.5) / scored.sum()
    return standing


def _sum(clique: list[int] | Clique, worth: Mapping[tuple[int, int], float]) -> float:
    ordered = sorted(clique)
    return sum(worth[one, other] for at, one in enumerate(ordered) for other in ordered[at + 1 :])


def _heaviest(
    places: list[int], found: list[Clique], worth: Mapping[tuple[int, int], float]
) -> list[list[int]]:
    """Return the places as the cliques of the largest sum of weights, and what is left of them alone."""
    weights = np.array([_sum(clique, worth) for clique in found])
    row = {place: at for at, place in enumerate(places)}
    rows = [row[place] for clique in found for place in clique]
    columns = np.repeat(np.arange(len(found)), [len(clique) for clique in found])
    holds = csc_array((np.ones(len(rows)), (rows, columns)), shape=(len(places), len(found)))
    solved = milp(
        -weights,
        integrality=np.ones(len(found), np.intp),
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(holds, ub=1),
        options={"mip_rel_gap": 0},
    )
    assert solved.x is not None, solved.message  # none taken is allowed, and the weights are finite
    chosen = [list(found[at]) for at in np.flatnonzero(solved.x > 0.5)]
    taken = {place for one in chosen for place in one}
    return chosen + [[place] for place in places if place not in taken]
