"""Blobs far out of focus: on the other side of the ice or of the grid, soft, with rings around."""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import Field

from cryopick_ray.settings.base import Settings
from cryopick_ray.simulate.drawn_ranges import (
    CountRange,
    FractionRange,
    PositiveRange,
    draw,
    draw_count,
    draw_log,
)
from cryopick_ray.simulate.field import FieldOfView, Patch

RINGS = 3.0  # how far the rings reach, in widths of the first


class HaloSettings(Settings):
    """The count is drawn for each micrograph, the rest for each blob.

    Attributes
    ----------
    probability
        Chance that a micrograph has any.
    number
        How many, where there are any.
    diameter_A
        Width of a blob.
    ring_A
        Width of the first ring: about ``sqrt(wavelength x distance from focus)``, 45 A at 10 um and
        100 A at 50 um for 300 kV.
    thickness_A
        Thickness in the middle.
    ring_contrast
        Thickness that the rings seem to add and take away, relative to that.
    """

    probability: Annotated[float, Field(ge=0, le=1)] = 0.0
    number: CountRange = (1, 15)
    diameter_A: PositiveRange = (60.0, 400.0)
    ring_A: PositiveRange = (40.0, 150.0)
    thickness_A: PositiveRange = (40.0, 300.0)
    ring_contrast: FractionRange = (0.1, 0.5)


def halos(rng: np.random.Generator, view: FieldOfView, settings: HaloSettings) -> Iterator[Patch]:
    """Yield the blobs: each an edge as soft as its rings are wide, and rings that narrow and fade."""
    if rng.uniform() >= settings.probability:
        return
    for _ in range(draw_count(rng, settings.number)):
        x_A, y_A = view.random_point_A(rng)
        radius_A, ring_A = draw_log(rng, settings.diameter_A) / 2, draw_log(rng, settings.ring_A)
        thickness_A, contrast = draw_log(rng, settings.thickness_A), draw(rng, settings.ring_contrast)
        rows, columns = view.window(x_A, y_A, radius_A + RINGS * ring_A)
        dy, dx = view.positions_A(rows, 0) - y_A, view.positions_A(columns, 1) - x_A
        outside = np.hypot(dy[:, None], dx).astype(np.float32)
        outside = (outside - np.float32(radius_A)) / np.float32(ring_A)
        core = np.clip(0.5 - outside, 0, 1)
        fade = np.exp(-np.square(outside / np.float32(RINGS / 2.5)))
        rings = -np.sin(np.pi * np.sign(outside) * np.abs(outside) ** np.float32(1.3)) * fade
        shape = core * core * (3 - 2 * core) + np.float32(contrast) * rings
        yield Patch(rows, columns, shape * np.float32(thickness_A))
