"""Solids in space, and operations that combine them."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

Points = NDArray[np.float64]
"""``(n, 3)`` x, y, z in angstroms."""
Solid = Callable[[Points], NDArray[np.bool_]]
"""Tells ``(n,)`` which points lie inside."""

WAVES = 6
"""Plane waves that make a surface uneven; so few repeat nowhere within a molecule."""


def ellipsoid(a_A: float, b_A: float, c_A: float) -> Solid:
    """Return an ellipsoid of these half axes along x, y, z."""

    def inside(points: Points) -> NDArray[np.bool_]:
        x, y, z = points.T
        return np.asarray((x / a_A) ** 2 + (y / b_A) ** 2 + (z / c_A) ** 2 < 1)

    return inside


def shell(inner_A: float, outer_A: float) -> Solid:
    """Return the space between two spheres of these radii."""

    def inside(points: Points) -> NDArray[np.bool_]:
        x, y, z = points.T
        square = x**2 + y**2 + z**2
        return np.asarray((inner_A**2 <= square) & (square < outer_A**2))

    return inside


def tube(inner_A: float, outer_A: float, length_A: float) -> Solid:
    """Return a cylinder along z with a bore of radius ``inner_A``."""

    def inside(points: Points) -> NDArray[np.bool_]:
        x, y, z = points.T
        across = x**2 + y**2
        return np.asarray((inner_A**2 <= across) & (across < outer_A**2) & (np.abs(z) < length_A / 2))

    return inside


def slab(from_A: float, to_A: float) -> Solid:
    """Return the space between two heights z."""
    return lambda points: (from_A <= points[:, 2]) & (points[:, 2] < to_A)


def balls(centres_A: ArrayLike, radius_A: float) -> Solid:
    """Return the union of equal balls; close together along a curve they are a rope."""
    tree = cKDTree(np.asarray(centres_A, np.float64))
    return lambda points: np.isfinite(tree.query(points, distance_upper_bound=radius_A)[0])


def helix(radius_A: float, pitch_A: float, turns: float) -> Points:
    """Return points 4 A apart along a helix about z, its middle on x; no pitch gives an arc."""
    length_A = abs(turns) * np.hypot(2 * np.pi * radius_A, pitch_A)
    at = np.linspace(-turns / 2, turns / 2, max(2, int(length_A / 4)))
    angle = 2 * np.pi * at
    return np.stack([radius_A * np.cos(angle), radius_A * np.sin(angle), pitch_A * at], axis=1)


def line(start_A: Sequence[float], end_A: Sequence[float]) -> Points:
    """Return points 4 A apart on a straight line."""
    steps = max(2, int(np.linalg.norm(np.subtract(end_A, start_A)) / 4))
    return np.linspace(start_A, end_A, steps)


def icosahedral(frequency: int) -> Points:
    """Return ``10 frequency^2 + 2`` unit vectors: the capsomers of a capsid with T = frequency squared.

    The faces of an icosahedron are divided into triangles (Caspar, Klug 1962, class of k = 0).
    """
    corners = _corners()
    faces = _faces(corners)
    parts = [
        (i * a + j * b + (frequency - i - j) * c) / frequency
        for a, b, c in corners[faces]
        for i in range(frequency + 1)
        for j in range(frequency + 1 - i)
    ]
    unit = np.array(parts) / np.linalg.norm(parts, axis=1, keepdims=True)
    return np.asarray(unit[np.unique(unit.round(6), axis=0, return_index=True)[1]])


def faceted_radius(points: Points, roundness: float) -> NDArray[np.float64]:
    """Return the ``(n,)`` sizes, middle to corner, of the icosahedra about the origin that points lie on.

    Parameters
    ----------
    roundness
        0 for flat faces, 1 for a ball.
    """
    corners = _corners()
    normals = corners[_faces(corners)].mean(axis=1)
    flat = (points @ normals.T).max(axis=1) / (normals[0] @ normals[0])
    return np.asarray((1 - roundness) * flat + roundness * np.linalg.norm(points, axis=1))


def icosahedron(radius_A: float, roundness: float) -> Solid:
    """Return an icosahedron with corners this far from the middle, more or less round."""
    return lambda points: faceted_radius(points, roundness) < radius_A


def union(*solids: Solid) -> Solid:
    """Return the union of solids."""

    def inside(points: Points) -> NDArray[np.bool_]:
        found = solids[0](points)
        for solid in solids[1:]:
            left = np.flatnonzero(~found)
            found[left] = solid(points[left])
        return found

    return inside


def common(*solids: Solid) -> Solid:
    """Return the intersection of solids."""
    return lambda points: np.logical_and.reduce([solid(points) for solid in solids])


def minus(solid: Solid, other: Solid) -> Solid:
    """Return the first without the second."""
    return lambda points: solid(points) & ~other(points)


def moved(solid: Solid, shift_A: Sequence[float], turn_deg: Sequence[float] = (0, 0, 0)) -> Solid:
    """Turn a solid about x, then y, then z, and shift it."""
    turn = Rotation.from_euler("xyz", turn_deg, degrees=True).as_matrix()
    return lambda points: solid((points - np.asarray(shift_A)) @ turn)


def cyclic(solid: Solid, copies: int) -> Solid:
    """Repeat about z what a solid has within ``360 / copies`` degrees around the x axis."""

    def inside(points: Points) -> NDArray[np.bool_]:
        x, y, z = points.T
        wedge = 2 * np.pi / copies
        angle, radius = np.arctan2(y, x), np.hypot(x, y)
        angle -= wedge * np.round(angle / wedge)
        return solid(np.stack([radius * np.cos(angle), radius * np.sin(angle), z], axis=1))

    return inside


def dihedral(solid: Solid) -> Solid:
    """Repeat what a solid has at z >= 0 below, turned by half a turn about x."""
    return lambda points: solid(points * np.where(points[:, 2:] < 0, [1, -1, -1], 1))


def uneven(solid: Solid, seed: int, by_A: float, over_A: float) -> Solid:
    """Dent and swell a solid by about ``by_A`` at places about ``over_A`` apart."""
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(3, WAVES))
    waves = (directions / np.linalg.norm(directions, axis=0) * np.pi / over_A).astype(np.float32)
    phases = rng.uniform(0, 2 * np.pi, WAVES).astype(np.float32)
    push = rng.normal(size=(WAVES, 3)) * by_A / WAVES**0.5
    return lambda points: solid(points + np.sin(points.astype(np.float32) @ waves + phases) @ push)


def domains(seed: int, count: int, half_A: tuple[float, float, float], radius_A: float) -> Solid:
    """Return ``count`` balls thrown into an ellipsoid of half axes ``half_A``, as domains of a protein.

    Each is the farthest from those before among a few, so that they spread evenly.
    """
    rng = np.random.default_rng(seed)
    room = np.asarray(half_A) - radius_A
    centres = np.zeros((1, 3))
    while len(centres) < count:
        tries = rng.normal(size=(30, 3))
        tries *= rng.uniform(size=(30, 1)) ** (1 / 3) / np.linalg.norm(tries, axis=1, keepdims=True)
        tries *= room
        apart = np.linalg.norm(tries[:, None] - centres, axis=2).min(axis=1)
        centres = np.vstack([centres, tries[apart.argmax()]])
    return uneven(balls(centres, radius_A), seed, 0.25 * radius_A, radius_A)


def _corners() -> Points:
    """Return the 12 corners of an icosahedron as unit vectors."""
    golden = (1 + 5**0.5) / 2
    first = np.array([[0, a, b * golden] for a in (-1, 1) for b in (-1, 1)])
    corners = np.concatenate([np.roll(first, shift, axis=1) for shift in range(3)])
    return np.asarray(corners / np.hypot(1, golden))


def _faces(corners: Points) -> NDArray[np.int64]:
    """Return ``(20, 3)`` numbers of corners that are all neighbours of each other."""
    near = corners @ corners.T > 0.4  # neighbours have a cosine of 0.447, others -0.447 or -1
    return np.array(
        [
            (i, j, k)
            for i in range(12)
            for j in range(i + 1, 12)
            for k in range(j + 1, 12)
            if near[i, j] and near[j, k] and near[i, k]
        ]
    )
