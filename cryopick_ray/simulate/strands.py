"""Nucleic acid and filaments that nobody picks: thin wormlike lines."""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cryopick_ray.settings.base import Settings
from cryopick_ray.simulate.drawn_ranges import CountRange, PositiveRange, draw, draw_count, draw_log
from cryopick_ray.simulate.field import FieldOfView, Patch


class StrandSettings(Settings):
    """The count is drawn for each micrograph, the rest for each strand.

    Attributes
    ----------
    probability
        Chance that a micrograph has any.
    number
        How many, where there are any.
    width_A
        Full width: 20 A for DNA, 70 to 100 A for actin or an amyloid.
    length_A
        Along the line.
    persistence_A
        Length over which it forgets its direction: 500 A for DNA, more for filaments.
    thickness_A
        Thickness in its middle.
    """

    probability: Annotated[float, Field(ge=0, le=1)] = 0.0
    number: CountRange = (1, 20)
    width_A: PositiveRange = (20.0, 100.0)
    length_A: PositiveRange = (500.0, 5_000.0)
    persistence_A: PositiveRange = (300.0, 5_000.0)
    thickness_A: PositiveRange = (20.0, 100.0)


def strands(rng: np.random.Generator, view: FieldOfView, settings: StrandSettings) -> Iterator[Patch]:
    """Yield the strands, each as thick as a round rod along its line."""
    if rng.uniform() >= settings.probability:
        return
    for _ in range(draw_count(rng, settings.number)):
        start_A = np.array(view.random_point_A(rng))
        width_A = draw_log(rng, settings.width_A)
        line_A = start_A + _worm(
            rng, draw_log(rng, settings.length_A), draw_log(rng, settings.persistence_A), width_A / 4
        )
        yield _rod(view, line_A, width_A / 2, draw(rng, settings.thickness_A))


def _worm(
    rng: np.random.Generator, length_A: float, persistence_A: float, step_A: float
) -> NDArray[np.float64]:
    """Return ``(n, 2)`` x, y along a wormlike chain in two dimensions, from (0, 0)."""
    count = max(1, round(length_A / step_A))
    turns = rng.standard_normal(count) * np.sqrt(2 * step_A / persistence_A)
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(turns)
    return np.cumsum(step_A * np.column_stack([np.cos(heading), np.sin(heading)]), axis=0)


def _rod(view: FieldOfView, line_A: NDArray[np.float64], radius_A: float, thickness_A: float) -> Patch:
    """Return the union of balls along a line."""
    middle_A, reach_A = (line_A.max(axis=0) + line_A.min(axis=0)) / 2, np.ptp(line_A, axis=0).max() / 2
    rows, columns = view.window(float(middle_A[0]), float(middle_A[1]), float(reach_A + radius_A))
    square = np.zeros((rows.stop - rows.start, columns.stop - columns.start), dtype=np.float32)
    for x_A, y_A in line_A:
        near_rows, near_columns = view.window(x_A, y_A, radius_A)
        dy, dx = view.positions_A(near_rows, 0) - y_A, view.positions_A(near_columns, 1) - x_A
        ball = (1 - np.square(dy / radius_A)[:, None] - np.square(dx / radius_A)).astype(np.float32)
        there = square[
            near_rows.start - rows.start : near_rows.stop - rows.start,
            near_columns.start - columns.start : near_columns.stop - columns.start,
        ]
        np.maximum(there, ball, out=there)
    return Patch(rows, columns, np.sqrt(square) * np.float32(thickness_A))
