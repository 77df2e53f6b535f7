"""Examples of the classifiers of windows: a particle or a place without one, and which of them."""

import numpy as np
import torch

from cryopick_ray.errors import UsageError
from cryopick_ray.pickers.patches import z_scored
from cryopick_ray.training.data.labelled import LabelledMicrograph
from cryopick_ray.training.data.sampling import NEGATIVE_DISTANCE, beside, negative, positive
from cryopick_ray.training.data.windows import Window
from cryopick_ray.training.recipes.recipe import Example


def window_example(
    micrograph: LabelledMicrograph,
    rng: np.random.Generator,
    *,
    size_px: int,
    particle_px: float,
    wanted: bool,
    jitter_px: float,
    ring_share: float = 0.0,
) -> Example:
    """Return a z-scored window in one of the eight orientations of a square.

    Parameters
    ----------
    wanted
        Whether a particle is to be in its middle, off by up to ``jitter_px``; of a micrograph without
        particles it is a place without one all the same.
    ring_share
        Part of the places without one that lie :func:`beside` a particle, where there is room.

    Returns
    -------
    Example
        ``(size_px, size_px)`` image and ``(1,)`` target: 1 for a particle, 0 for none.
    """
    diameter_px = particle_px * micrograph.scale
    place = positive(micrograph, rng, jitter_px=jitter_px) if wanted else None
    near = not wanted and ring_share > 0 and rng.uniform() < ring_share
    elsewhere = beside(micrograph, rng, diameter_px=diameter_px) if near else None
    x, y = place or elsewhere or negative(micrograph, rng, distance_px=NEGATIVE_DISTANCE * diameter_px)
    window = Window.oriented(x, y, size_px, rng).cut(micrograph.image)
    image = z_scored(torch.from_numpy(window)).numpy()
    return Example(image, np.array([place is not None], np.float32))


def check_ring(ring_share: float) -> None:
    """Raise :class:`UsageError` unless it is a part of the negatives."""
    if not 0 <= ring_share <= 1:
        raise UsageError(f"ring_share is {ring_share}; expected a share from 0 to 1")
