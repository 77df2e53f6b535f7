"""A micrograph with what is known of it: what training draws its examples from."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.filaments.trace import Trace

Centres = NDArray[np.float32]
"""``(n, 2)`` columns (x) and rows (y) of centres, in pixels of the image they come with."""


def nowhere() -> Centres:
    """Return no centres at all."""
    return np.empty((0, 2), np.float32)


@dataclass(frozen=True, eq=False)
class LabelledMicrograph:
    """One micrograph at the working pixel size, with labels.

    Attributes
    ----------
    micrograph_id, dataset
        Which it is, and of which data set (molecule).
    image
        ``(h, w)`` float32, grey values as the network's picker normalises them.
    particles
        Centres of labelled particles.
    false
        Places known to hold none although a picker took them for one: hard negatives.
    unsure
        Places that may hold one or not: neither shown as a particle nor as empty.
    scale
        How many times larger than the recipe's ``particle_px`` the particles are.
    junk
        ``(h, w)`` uint8, what lies where (:class:`~cryopick_ray.micrographs.junk.Junk`); ``None`` if nobody
        said.
    filaments
        Axes of labelled filaments; particles are their segments then.
    """

    micrograph_id: str
    dataset: str
    image: NDArray[np.float32]
    particles: Centres
    false: Centres = field(default_factory=nowhere)
    unsure: Centres = field(default_factory=nowhere)
    scale: float = 1.0
    junk: NDArray[np.uint8] | None = None
    filaments: tuple[Trace, ...] = ()
