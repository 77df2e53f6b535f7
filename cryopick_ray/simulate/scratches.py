"""Scratches and cracks: thin, slightly bent lines across the image."""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import Field

from cryopick_ray.settings.base import Settings
from cryopick_ray.simulate.drawn_ranges import CountRange, PositiveRange, Range, draw, draw_count, draw_log
from cryopick_ray.simulate.field import FieldOfView, Patch, smooth_noise

STRAIGHTNESS = (2.0, 20.0)  # radius of the bend over the image's size


class ScratchSettings(Settings):
    """Lines; the count is drawn for each micrograph, the rest for each line.

    Attributes
    ----------
    probability
        Chance that a micrograph has any.
    number
        How many, where there are any.
    width_A
        Full width of a line.
    thickness_A
        Thickness added along it; below zero for a crack, where ice is missing.
    """

    probability: Annotated[float, Field(ge=0, le=1)]
    number: CountRange
    width_A: PositiveRange
    thickness_A: Range


SCRATCHES = ScratchSettings(probability=0.03, number=(1, 3), width_A=(30, 200), thickness_A=(-250, 250))
"""Thin lines, dark folds and bright cracks."""


def scratches(rng: np.random.Generator, view: FieldOfView, settings: ScratchSettings) -> Iterator[Patch]:
    """Yield the lines, each an arc of a large circle that wanders a little."""
    if rng.uniform() >= settings.probability:
        return
    rows, columns = slice(0, view.shape[0]), slice(0, view.shape[1])
    y_A, x_A = view.positions_A(rows, 0), view.positions_A(columns, 1)
    side_A = max(view.size_A)
    for _ in range(draw_count(rng, settings.number)):
        through_x_A, through_y_A = view.random_point_A(rng)
        angle = rng.uniform(0, 2 * np.pi)
        radius_A = side_A * draw_log(rng, STRAIGHTNESS)
        width_A = draw_log(rng, settings.width_A)
        offset = np.hypot(
            (x_A - through_x_A - radius_A * np.cos(angle)).astype(np.float32)[None, :],
            (y_A - through_y_A - radius_A * np.sin(angle)).astype(np.float32)[:, None],
        )
        offset -= np.float32(radius_A)
        offset += np.float32(0.3 * width_A) * smooth_noise(rng, y_A, x_A, (0.0, 0.0, side_A), 10 * width_A)
        offset *= np.float32(2 / width_A)
        np.subtract(1, offset * offset, out=offset)
        np.maximum(offset, 0, out=offset)
        offset *= offset * np.float32(draw(rng, settings.thickness_A))
        yield Patch(rows, columns, offset)
