"""Where examples are taken from: particles, places without one, unlabelled places."""

import numpy as np
from scipy.spatial import cKDTree

from cryopick_ray.training.data.labelled import Centres, LabelledMicrograph

NEGATIVE_DISTANCE = 0.6
"""Least distance of a negative to every particle, in particle diameters (DeepPicker)."""
ROUNDING_PX = 1e-3
TRIES = 64
"""Places tried at once for one that is far from all particles."""
RING = 0.25, 0.7
"""Reach of a negative beside a particle, in particle diameters from its centre. Nearer it is not shown at
all: it may be a centre as well as labels scatter. Farther, negatives far from all particles show it."""
HARD_SHARE = 0.5
"""Part of the negatives that are known false picks, where there are any."""


def positive(
    micrograph: LabelledMicrograph, rng: np.random.Generator, *, jitter_px: float = 0.0
) -> tuple[float, float] | None:
    """Return a particle's centre, off by up to ``jitter_px`` in any direction; ``None`` without particles."""
    if not len(micrograph.particles):
        return None
    x, y = micrograph.particles[rng.integers(len(micrograph.particles))]
    reach, angle = jitter_px * np.sqrt(rng.uniform()), rng.uniform(0, 2 * np.pi)
    return float(x + reach * np.cos(angle)), float(y + reach * np.sin(angle))


def negative(
    micrograph: LabelledMicrograph, rng: np.random.Generator, *, distance_px: float
) -> tuple[float, float]:
    """Return a place at least ``distance_px`` from every particle and unsure place.

    Half of them are known false picks, where there are any. On a micrograph so crowded that no such
    place is found in 64 tries, the one of them farthest from all is taken.
    """
    if len(micrograph.false) and rng.uniform() < HARD_SHARE:
        x, y = micrograph.false[rng.integers(len(micrograph.false))]
        return float(x), float(y)
    taken = np.concatenate([micrograph.particles, micrograph.unsure])
    places = anywhere(micrograph, rng, TRIES)
    if not len(taken):
        return float(places[0, 0]), float(places[0, 1])
    away, _ = cKDTree(taken).query(places)
    free = np.flatnonzero(away >= distance_px)
    best = int(free[0]) if len(free) else int(np.argmax(away))
    return float(places[best, 0]), float(places[best, 1])


def beside(
    micrograph: LabelledMicrograph, rng: np.random.Generator, *, diameter_px: float
) -> tuple[float, float] | None:
    """Return a place beside a particle's centre, no nearer to any than :data:`RING` begins.

    Distances from the centre are drawn evenly. ``None`` without particles, or where 64 tries found none
    on the micrograph that is far enough from all particles and unsure places.
    """
    if not len(micrograph.particles):
        return None
    least, most = (reach * diameter_px for reach in RING)
    around = micrograph.particles[rng.integers(len(micrograph.particles), size=TRIES)]
    reach, angle = rng.uniform(least, most, TRIES), rng.uniform(0, 2 * np.pi, TRIES)
    places = around + np.column_stack([reach * np.cos(angle), reach * np.sin(angle)])
    height, width = micrograph.image.shape
    within = ((places >= -0.5) & (places <= (width - 0.5, height - 0.5))).all(axis=1)
    away, _ = cKDTree(np.concatenate([micrograph.particles, micrograph.unsure])).query(places)
    free = np.flatnonzero(within & (away >= least - ROUNDING_PX))
    return (float(places[free[0], 0]), float(places[free[0], 1])) if len(free) else None


def anywhere(micrograph: LabelledMicrograph, rng: np.random.Generator, count: int) -> Centres:
    """Return ``(count, 2)`` places drawn evenly from the whole micrograph: the unlabelled."""
    height, width = micrograph.image.shape
    return rng.uniform((-0.5, -0.5), (width - 0.5, height - 0.5), (count, 2)).astype(np.float32)
