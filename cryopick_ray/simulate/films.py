"""Support films with holes: the carbon or gold foil whose edge crosses the image."""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cryopick_ray.settings.base import Settings
from cryopick_ray.simulate.drawn_ranges import FractionRange, NonNegativeRange, PositiveRange, draw, draw_log
from cryopick_ray.simulate.field import FieldOfView, Patch, smooth_noise

RAGGED_A = 200.0  # length of the bays and capes along an edge


class FilmSettings(Settings):
    """A foil around a round hole; ranges are drawn anew for each micrograph.

    Attributes
    ----------
    probability
        Chance that its edge is in the image.
    hole_radius_A
        Radius of the hole.
    reach
        How far the foil comes in: 0 touches a corner or border, 1 covers the image, as a fraction
        of the image's extent in that direction.
    thickness_A
        How much thicker than the ice in the hole, in vitreous-ice equivalents: carbon counts 2.5
        fold and gold 8 fold.
    slope_A
        Width over which the foil rises from nothing at its edge.
    roughness_A
        How far the edge strays from the circle, root mean square.
    grain_size_A, grain_contrast
        Size of grains or crystallites, and the relative standard deviation of their thickness.
    """

    probability: Annotated[float, Field(ge=0, le=1)]
    hole_radius_A: PositiveRange
    reach: FractionRange
    thickness_A: NonNegativeRange
    slope_A: PositiveRange
    roughness_A: NonNegativeRange
    grain_size_A: PositiveRange
    grain_contrast: Annotated[float, Field(ge=0, le=2)]


CARBON = FilmSettings(
    probability=0.06,
    hole_radius_A=(6_000, 10_000),
    reach=(0.02, 0.3),
    thickness_A=(80, 350),
    slope_A=(15, 80),
    roughness_A=(5, 25),
    grain_size_A=(8, 20),
    grain_contrast=0.12,
)
"""Holey carbon of 100 to 200 A under less ice than the hole holds: see-through, grainy, bright-edged."""
GOLD = FilmSettings(
    probability=0.02,
    hole_radius_A=(4_000, 10_000),
    reach=(0.02, 0.3),
    thickness_A=(3_000, 6_000),
    slope_A=(20, 80),
    roughness_A=(10, 40),
    grain_size_A=(30, 120),
    grain_contrast=0.35,
)
"""Gold foil, 400 to 800 A thick: nearly black, its crystallites diffract."""


def film(rng: np.random.Generator, view: FieldOfView, settings: FilmSettings) -> Iterator[Patch]:
    """Yield the foil, if its edge is in the image."""
    if rng.uniform() >= settings.probability:
        return
    thickness_A = draw(rng, settings.thickness_A)
    slope_A = draw_log(rng, settings.slope_A)
    rows, columns = slice(0, view.shape[0]), slice(0, view.shape[1])
    y_A, x_A = view.positions_A(rows, 0), view.positions_A(columns, 1)
    box_A = (0.0, 0.0, max(view.size_A))
    depth = _depth_A(rng, view, settings, y_A, x_A)
    depth += draw(rng, settings.roughness_A) * smooth_noise(rng, y_A, x_A, box_A, RAGGED_A)
    depth /= np.float32(slope_A)
    foil = _rise(depth)
    foil *= np.float32(thickness_A)
    grain = smooth_noise(rng, y_A, x_A, box_A, draw_log(rng, settings.grain_size_A))
    grain *= settings.grain_contrast
    np.maximum(grain, -0.9, out=grain)
    grain *= foil
    yield Patch(rows, columns, foil, grain)


def _rise(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a smooth step from 0 at 0 to 1 at 1, in the same array."""
    np.clip(depth, 0, 1, out=depth)
    depth *= depth * (3 - 2 * depth)
    return depth


def _depth_A(
    rng: np.random.Generator,
    view: FieldOfView,
    settings: FilmSettings,
    y_A: NDArray[np.float64],
    x_A: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Return how deep in the foil each pixel lies, below zero in the hole."""
    height_A, width_A = view.size_A
    angle = rng.uniform(0, 2 * np.pi)
    radius_A = draw_log(rng, settings.hole_radius_A)
    half_extent_A = (abs(np.cos(angle)) * width_A + abs(np.sin(angle)) * height_A) / 2
    to_centre_A = half_extent_A * (1 - 2 * draw(rng, settings.reach)) - radius_A
    centre_x_A = width_A / 2 + np.cos(angle) * to_centre_A
    centre_y_A = height_A / 2 + np.sin(angle) * to_centre_A
    depth: NDArray[np.float32] = np.hypot(
        (x_A - centre_x_A).astype(np.float32)[None, :], (y_A - centre_y_A).astype(np.float32)[:, None]
    )
    depth -= np.float32(radius_A)
    return depth
