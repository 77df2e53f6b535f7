"""Lumps: ice crystals and frozen ethane, from particle size to a third of the image."""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cryopick_ray.settings.base import Settings
from cryopick_ray.simulate.drawn_ranges import (
    CountRange,
    NonNegativeRange,
    PositiveRange,
    Range,
    between,
    draw,
    draw_count,
    draw_log,
)
from cryopick_ray.simulate.field import FieldOfView, Patch, smooth_noise

JITTER = 0.15  # how far a face turns from its even place, as a fraction of the angle between faces
NORM = 16  # of the distances to the faces: the maximum, with rounded corners
MEAN_COSINE = 0.0982  # mean of max(0, cos)^NORM over the circle


class LumpSettings(Settings):
    """Lumps of one kind; counts are drawn for each micrograph, the rest for each lump.

    Attributes
    ----------
    probability
        Chance that a micrograph has any.
    number
        How many, where there are any.
    diameter_A
        Width of the largest lobe, drawn evenly in its logarithm.
    lobes
        How many lobes grew together into one lump.
    thickness
        Thickness in the middle as a fraction of the diameter.
    steepness
        Profile ``(1 - r^steepness)^(1/2)``: 2 is a ball, 20 a plate with upright walls.
    facets
        How many flat faces the outline has; many make it round.
    irregularity
        How far the outline strays from that, relative, root mean square.
    streaks
        Bend contours: relative change of thickness along parallel stripes; 0 for none.
    """

    probability: Annotated[float, Field(ge=0, le=1)]
    number: CountRange
    diameter_A: PositiveRange
    lobes: Annotated[CountRange, between(1, 100)] = (1, 1)
    thickness: NonNegativeRange
    steepness: Annotated[Range, between(1, 100)]
    facets: Annotated[CountRange, between(4, 24)]
    irregularity: Annotated[float, Field(ge=0, le=0.2)]
    streaks: Annotated[Range, between(0, 0.9)] = (0.0, 0.0)


def lumps(rng: np.random.Generator, view: FieldOfView, settings: LumpSettings) -> Iterator[Patch]:
    """Yield the lobes of all lumps in the image."""
    if rng.uniform() >= settings.probability:
        return
    for _ in range(draw_count(rng, settings.number)):
        yield from _lobes(rng, view, settings)


def fused(rng: np.random.Generator, view: FieldOfView, settings: LumpSettings) -> Iterator[Patch]:
    """Yield whole lumps whose lobes ran into each other: where two meet, the thicker one counts."""
    if rng.uniform() >= settings.probability:
        return
    for _ in range(draw_count(rng, settings.number)):
        lobes = list(_lobes(rng, view, settings))
        top, left = (min(part.start for part in parts) for parts in _windows(lobes))
        bottom, right = (max(part.stop for part in parts) for parts in _windows(lobes))
        thickness = np.zeros((bottom - top, right - left), dtype=np.float32)
        for lobe in lobes:
            rows, columns = lobe.rows, lobe.columns
            there = thickness[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
            np.maximum(there, lobe.thickness_A, out=there)
        yield Patch(slice(top, bottom), slice(left, right), thickness)


def _windows(lobes: list[Patch]) -> tuple[list[slice], list[slice]]:
    return [lobe.rows for lobe in lobes], [lobe.columns for lobe in lobes]


def _lobes(rng: np.random.Generator, view: FieldOfView, settings: LumpSettings) -> Iterator[Patch]:
    """Yield the lobes of one lump, each off the one before."""
    x_A, y_A = view.random_point_A(rng)
    diameter_A = draw_log(rng, settings.diameter_A)
    for scale in (1.0, *rng.uniform(0.3, 0.8, size=draw_count(rng, settings.lobes) - 1)):
        yield _lobe(rng, view, settings, (x_A, y_A), diameter_A * scale)
        angle = rng.uniform(0, 2 * np.pi)
        x_A += 0.45 * diameter_A * scale * float(np.cos(angle))
        y_A += 0.45 * diameter_A * scale * float(np.sin(angle))


def _lobe(
    rng: np.random.Generator,
    view: FieldOfView,
    settings: LumpSettings,
    centre_A: tuple[float, float],
    diameter_A: float,
) -> Patch:
    """Return one convex piece."""
    x_A, y_A = centre_A
    facets = draw_count(rng, settings.facets)
    corner = (1 + 1 / facets) / float(np.cos((0.5 + JITTER) * 2 * np.pi / facets))
    reach_A = diameter_A / 2 * _rounding(facets) * corner / (1 - 2 * settings.irregularity)
    rows, columns = view.window(x_A, y_A, reach_A)
    dy = view.positions_A(rows, 0) - y_A
    dx = view.positions_A(columns, 1) - x_A
    depth = _gauge(rng, dy, dx, diameter_A / 2, facets)
    wobble = smooth_noise(rng, dy, dx, (-reach_A, -reach_A, 2 * reach_A), diameter_A / 5)
    depth *= 1 + settings.irregularity * np.clip(wobble, -2, 2, out=wobble)
    depth **= np.float32(draw_log(rng, settings.steepness))
    np.subtract(1, depth, out=depth)
    np.sqrt(np.maximum(depth, 0, out=depth), out=depth)
    depth *= np.float32(diameter_A * draw(rng, settings.thickness))
    if (contrast := draw(rng, settings.streaks)) > 0:
        depth *= 1 + np.float32(contrast) * _streaks(rng, dy, dx, diameter_A)
    return Patch(rows, columns, depth)


def _gauge(
    rng: np.random.Generator, dy: NDArray[np.float64], dx: NDArray[np.float64], radius_A: float, facets: int
) -> NDArray[np.float32]:
    """Return 0 in the middle and 1 on the outline of a polygon with rounded corners."""
    turn = rng.uniform(0, 2 * np.pi)
    angles = turn + 2 * np.pi * (np.arange(facets) + rng.uniform(-JITTER, JITTER, size=facets)) / facets
    distances_A = radius_A * (1 + rng.uniform(-1, 1, size=facets) / facets)
    total = np.zeros((len(dy), len(dx)), dtype=np.float32)
    for angle, distance_A in zip(angles, distances_A, strict=True):
        face = (dy * np.sin(angle) / distance_A).astype(np.float32)[:, None] + (
            dx * np.cos(angle) / distance_A
        ).astype(np.float32)
        np.maximum(face, 0, out=face)
        for _ in range(4):  # to the power of NORM
            face *= face
        total += face
    total **= np.float32(1 / NORM)
    total /= np.float32(_rounding(facets))
    return total


def _rounding(facets: int) -> float:
    """Return by how much the norm of many faces exceeds their maximum: they add up to a circle."""
    return float(max(1.0, MEAN_COSINE * facets) ** (1 / NORM))


def _streaks(
    rng: np.random.Generator, dy: NDArray[np.float64], dx: NDArray[np.float64], diameter_A: float
) -> NDArray[np.float32]:
    """Return parallel stripes from -1 to 1, stronger in places."""
    angle = rng.uniform(0, 2 * np.pi)
    stripes = rng.uniform(-1, 1, size=40)
    nodes_A = np.linspace(-1.5, 1.5, len(stripes)) * diameter_A
    across_A = dy[:, None] * np.sin(angle) + dx * np.cos(angle)
    return np.asarray(np.interp(across_A, nodes_A, stripes), dtype=np.float32)
