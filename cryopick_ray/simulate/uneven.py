"""Vitreous ice of uneven thickness: gradients, streaks, bands and steps, all far wider than particles."""

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
    draw,
    draw_count,
    draw_log,
)
from cryopick_ray.simulate.extent import all_over, whole
from cryopick_ray.simulate.field import FieldOfView, Patch


class UnevenSettings(Settings):
    """Ranges are drawn anew for each micrograph, those of bands for each band.

    Attributes
    ----------
    probability
        Chance that a micrograph's ice is uneven.
    gradient_A
        Change of thickness from one side of the picture to the other.
    streaks_A, streak_width_A
        Standard deviation and width of long soft streaks in one direction.
    bands
        How many bands, ledges and cracks cross the picture.
    band_A, band_width_A, band_edge_A
        Thickness of a band, thicker or thinner; its width, and that of its edges.
    """

    probability: Annotated[float, Field(ge=0, le=1)] = 0.0
    gradient_A: NonNegativeRange = (0.0, 400.0)
    streaks_A: PositiveRange = (5.0, 80.0)
    streak_width_A: PositiveRange = (200.0, 1_000.0)
    bands: CountRange = (0, 3)
    band_A: PositiveRange = (10.0, 150.0)
    band_width_A: PositiveRange = (300.0, 3_000.0)
    band_edge_A: PositiveRange = (30.0, 600.0)


def uneven(rng: np.random.Generator, view: FieldOfView, settings: UnevenSettings) -> Iterator[Patch]:
    """Yield the differences in thickness, if there are any."""
    if rng.uniform() >= settings.probability:
        return
    side_A = max(view.size_A)
    ice = _across_A(view, rng.uniform(0, 2 * np.pi))
    ice *= np.float32(draw(rng, settings.gradient_A) / side_A)
    streaks = _streaks(rng, view, draw_log(rng, settings.streak_width_A))
    ice += np.float32(draw_log(rng, settings.streaks_A)) * streaks
    for _ in range(draw_count(rng, settings.bands)):
        half_A = draw_log(rng, settings.band_width_A) / 2
        edge_A = draw_log(rng, settings.band_edge_A)
        across_A = _across_A(view, rng.uniform(0, 2 * np.pi))
        across_A += np.float32(side_A * rng.uniform(-0.5, 0.5))
        across_A += np.float32(0.02 * side_A) * all_over(rng, view, side_A / 4)
        band = np.clip((np.float32(half_A) - np.abs(across_A)) / np.float32(edge_A), 0, 1)
        ice += band * np.float32(draw_log(rng, settings.band_A) * rng.choice([-1, 1]))
    yield Patch(slice(0, view.shape[0]), slice(0, view.shape[1]), np.zeros(view.shape, np.float32), ice)


def _streaks(rng: np.random.Generator, view: FieldOfView, width_A: float) -> NDArray[np.float32]:
    """Return parallel stripes of about unit variance that bend, and fade along their length."""
    side_A = max(view.size_A)
    across_A = _across_A(view, rng.uniform(0, 2 * np.pi))
    across_A += np.float32(0.4 * width_A) * all_over(rng, view, side_A / 4)
    nodes_A = np.arange(-side_A, side_A + width_A, width_A)
    heights = rng.standard_normal(len(nodes_A))
    stripes = np.interp(across_A, nodes_A, heights).astype(np.float32)
    stripes *= all_over(rng, view, max(4 * width_A, side_A / 8))
    return stripes


def _across_A(view: FieldOfView, angle: float) -> NDArray[np.float32]:
    """Return the distance from the picture's middle in one direction."""
    y_A, x_A = whole(view)
    height_A, width_A = view.size_A
    down_A = ((y_A - height_A / 2) * np.sin(angle)).astype(np.float32)
    right_A = ((x_A - width_A / 2) * np.cos(angle)).astype(np.float32)
    return np.asarray(np.add.outer(down_A, right_A), np.float32)
