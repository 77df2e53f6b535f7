"""A labelled micrograph at the working pixel size: training draws examples from it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.filaments.trace import Trace

Centres = NDArray[np.float32]
"""``(n, 2)`` columns (x) and rows (y) of centres, in pixels of the image they come with."""


def no_centres() -> Centres:
    """Return an empty array of centres."""
    return np.empty((0, 2), np.float32)


@dataclass(frozen=True, eq=False)
class LabelledMicrograph:
    """One micrograph at the working pixel size, with labels.

    Attributes
    ----------
    micrograph_id, dataset
        Its id, and its data set (molecule).
    image
        ``(h, w)`` float32, grey values as the network's picker normalises them.
    particles
        Centres of labelled particles.
    false
        Centres of known false picks: hard negatives.
    unsure
        Places that may hold a particle or not: neither positive nor negative.
    scale
        Size of the particles relative to the recipe's ``particle_px``.
    junk
        ``(h, w)`` uint8 mask of codes (:class:`~cryopick_ray.micrographs.junk.Junk`); ``None`` if unknown.
    filaments
        Axes of labelled filaments; particles are their segments then.
    """

    micrograph_id: str
    dataset: str
    image: NDArray[np.float32]
    particles: Centres
    false: Centres = field(default_factory=no_centres)
    unsure: Centres = field(default_factory=no_centres)
    scale: float = 1.0
    junk: NDArray[np.uint8] | None = None
    filaments: tuple[Trace, ...] = ()
