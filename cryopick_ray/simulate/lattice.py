"""A two-dimensional crystal of streptavidin under the particles, as affinity grids have it."""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cryopick_ray.settings.base import Settings
from cryopick_ray.simulate.drawn_ranges import NonNegativeRange, PositiveRange, Range, between, draw, draw_log
from cryopick_ray.simulate.extent import all_over, whole
from cryopick_ray.simulate.field import FieldOfView, Patch

ORDERS = {(1, 0): 1.0, (0, 1): 1.0, (1, 1): 0.6, (1, -1): 0.6, (2, 0): 0.35, (0, 2): 0.35, (2, 1): 0.2}
"""Amplitudes of the first reflections; later ones are beyond the resolution of picking."""


class LatticeSettings(Settings):
    """The crystal; ranges are drawn anew for each micrograph.

    Attributes
    ----------
    probability
        Chance that a micrograph has one; it covers all the picture.
    spacing_A
        Of each of the two rows: 58 A for streptavidin.
    angle_deg
        Between them.
    contrast_A
        Standard deviation of its thickness.
    disorder_A
        How far the rows bend, root mean square, over some five cells.
    """

    probability: Annotated[float, Field(ge=0, le=1)] = 0.0
    spacing_A: PositiveRange = (56.0, 60.0)
    angle_deg: Annotated[Range, between(30, 150)] = (88.0, 92.0)
    contrast_A: PositiveRange = (1.5, 8.0)
    disorder_A: NonNegativeRange = (2.0, 12.0)


def lattice(rng: np.random.Generator, view: FieldOfView, settings: LatticeSettings) -> Iterator[Patch]:
    """Yield the crystal, if there is one."""
    if rng.uniform() >= settings.probability:
        return
    turn, angle = rng.uniform(0, 2 * np.pi), np.deg2rad(draw(rng, settings.angle_deg))
    disorder_A = draw(rng, settings.disorder_A)
    rows = [_phase(rng, view, turn + a, draw(rng, settings.spacing_A), disorder_A) for a in (0, angle)]
    crystal = np.zeros(view.shape, dtype=np.float32)
    for (h, k), amplitude in ORDERS.items():
        shift = rng.uniform(-0.5, 0.5) if abs(h) + abs(k) > 1 else 0.0
        crystal += np.float32(amplitude) * np.cos(h * rows[0] + k * rows[1] + np.float32(shift))
    rms = np.sqrt(sum(amplitude**2 for amplitude in ORDERS.values()) / 2)
    crystal *= np.float32(draw_log(rng, settings.contrast_A) / rms)
    everywhere = slice(0, view.shape[0]), slice(0, view.shape[1])
    covered = np.ones(view.shape, dtype=bool)
    yield Patch(*everywhere, np.zeros(view.shape, np.float32), crystal, covered)


def _phase(
    rng: np.random.Generator, view: FieldOfView, direction: float, spacing_A: float, disorder_A: float
) -> NDArray[np.float32]:
    """Return the phase of parallel rows in radians, ``(h, w)`` float32."""
    y_A, x_A = whole(view)
    along = 2 * np.pi / spacing_A
    bend = all_over(rng, view, 5 * spacing_A) * np.float32(along * disorder_A)
    # whole turns are taken off while there are digits for it
    down = np.mod(y_A * (np.sin(direction) * along), 2 * np.pi).astype(np.float32)
    across = np.mod(x_A * (np.cos(direction) * along) + rng.uniform(0, 2 * np.pi), 2 * np.pi)
    bend += down[:, None] + across.astype(np.float32)
    return bend
