"""Turns to look for where a direction is known before: segments lie along their filament, either way."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.formats.relion.helical import NO_PRIOR, PSI, TUBE
from cryopick_ray.particles.particle_star import Particles

BESIDE = 1.5
"""Coarse cells on either side of a direction that are tried, from middle to edge: 18 degrees of 12 a cell."""


def has_prior(particles: Particles) -> bool:
    """Tell whether particles are segments of filaments, with directions."""
    return TUBE in particles.rows and PSI in particles.rows


def psi_prior_deg(particles: Particles) -> NDArray[np.float64]:
    """Return the ``(n,)`` directions of segments, NaN where there is none.

    Raises
    ------
    PicksError
        The file has none.
    """
    psi = particles.numbers(PSI)
    return np.where(psi == NO_PRIOR, np.nan, psi)


def by_turns(
    prior_deg: NDArray[np.float64], grid_deg: Sequence[float]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp] | None]]:
    """Yield groups of images and which turns of an even grid are tried of them; ``None``: all.

    The turns are the one nearest to the prior, those beside it, and the same half a turn on.

    Parameters
    ----------
    prior_deg
        ``(n,)`` directions, NaN where none is known.
    """
    grid, step = np.asarray(grid_deg), 360 / len(grid_deg)
    known = np.isfinite(prior_deg)
    nearest = np.full(len(prior_deg), -1)
    halves = max(1, round(180 / step))
    nearest[known] = np.rint(prior_deg[known] / step).astype(np.int64) % halves
    for number in np.unique(nearest).tolist():
        rows = np.flatnonzero(nearest == number)
        off = np.abs((grid - number * step + 90) % 180 - 90)
        yield rows, None if number < 0 else np.flatnonzero(off < BESIDE * step)
