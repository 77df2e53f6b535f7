"""Points of ridges -> chains of them, which neither branch nor cross."""

from itertools import product

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.filaments.ridges import RidgePoints

Indices = NDArray[np.intp]
REACH = 2
"""Pixels, in columns and rows, to the next point of a chain."""
LEAST_COSINE = np.cos(np.deg2rad(40))
"""Of the angle between the directions of neighbours, and between each and the step from one to the other."""
TWINS_PX = 0.5
"""Apart, two points are one that two pixels have found."""
FREE = -1


def chains(ridges: RidgePoints) -> list[Indices]:
    """Return the points of each chain in order, chains in the order of their first rows.

    Every point has two sides. A point's neighbour on a side is the nearest of those the ridge leads to, and
    two are linked that are each other's: so no point has more than two links, and where ridges meet the
    straightest one goes on.
    """
    facing = _faced(ridges).tolist()
    done = bytearray(len(ridges))
    found = []
    ends = [port for port, other in enumerate(facing) if other == FREE]
    for start in (*ends, *range(0, 2 * len(ridges), 2)):  # the second ones are loops
        if done[start // 2]:
            continue
        order, port = [], start
        while port != FREE and not done[port // 2]:
            order.append(port // 2)
            done[port // 2] = 1
            port = facing[port ^ 1]
        found.append(np.array(order, np.intp))
    return found


def _faced(ridges: RidgePoints) -> Indices:
    """Return ``(2 n,)`` what each side is linked to, or ``FREE``: point ``i`` has the sides 2i and 2i + 1."""
    one, other, cost, sides = _neighbours(ridges)
    ports = np.concatenate([2 * one + sides[0], 2 * other + sides[1]])
    faced = np.concatenate([2 * other + sides[1], 2 * one + sides[0]])
    worst_first = np.argsort(-np.concatenate([cost, cost]), kind="stable")
    nearest = np.full(2 * len(ridges), FREE, np.intp)
    nearest[ports[worst_first]] = faced[worst_first]  # the last to be written stays
    mutual = (nearest != FREE) & (nearest[nearest] == np.arange(len(nearest)))
    return np.where(mutual, nearest, FREE)


def _neighbours(ridges: RidgePoints) -> tuple[Indices, Indices, NDArray[np.float64], tuple[Indices, Indices]]:
    """Return pairs of points that may follow each other, the cost of each, and the sides they do it with."""
    one, other = _near(ridges)
    step = ridges.points[other] - ridges.points[one]
    apart = np.hypot(*step.T)
    ahead, behind = (np.einsum("ij,ij->i", step, ridges.along[end]) for end in (one, other))
    alike = np.abs(np.einsum("ij,ij->i", ridges.along[one], ridges.along[other]))
    least = LEAST_COSINE * np.maximum(apart - 1, 0)  # a step below one pixel is as much noise as direction
    fits = (alike >= LEAST_COSINE) & (np.minimum(np.abs(ahead), np.abs(behind)) >= least)
    is_twin = _second_twins(ridges, one, other, fits & (apart < TWINS_PX))
    fits &= ~(is_twin[one] | is_twin[other])
    one, other, apart, ahead, behind = (values[fits] for values in (one, other, apart, ahead, behind))
    sides = (ahead < 0).astype(np.intp), (behind > 0).astype(np.intp)
    off = 2 * apart - np.abs(ahead) - np.abs(behind)
    return one, other, apart + off, sides


def _near(ridges: RidgePoints) -> tuple[Indices, Indices]:
    """Return all pairs of points whose pixels are within reach, each once."""
    height, width = ridges.shape
    number = np.full((height + REACH, width + 2 * REACH), FREE, np.int32)
    first = ridges.row * number.shape[1] + ridges.column + REACH
    flat = number.ravel()
    flat[first] = np.arange(len(ridges))
    ones, others = [], []
    for down, right in product(range(REACH + 1), range(-REACH, REACH + 1)):
        if (down, right) > (0, 0):
            there = flat[first + (down * number.shape[1] + right)]
            one = np.flatnonzero(there != FREE)
            ones.append(one)
            others.append(there[one].astype(np.intp))
    return np.concatenate(ones), np.concatenate(others)


def _second_twins(
    ridges: RidgePoints, indices: Indices, other: Indices, are_twins: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Tell which points are twins of one whose pixel's centre is nearer to the ridge."""
    indices, other = indices[are_twins], other[are_twins]
    off = np.hypot(*(ridges.points - np.column_stack([ridges.column, ridges.row])).T)
    found = np.zeros(len(ridges), bool)
    found[np.where(off[indices] <= off[other], other, indices)] = True
    return found
