"""Examples of the classifiers of windows: a particle or a place without one, and which of them."""

import numpy as np
import torch

from cryopick_ray.pickers.patches import z_scored
from cryopick_ray.training.labelled import LabelledMicrograph
from cryopick_ray.training.lesson import Example
from cryopick_ray.training.sampling import NEGATIVE_DISTANCE, negative, positive
from cryopick_ray.training.windows import Window


def window_example(
    micrograph: LabelledMicrograph,
    rng: np.random.Generator,
    *,
    size_px: int,
    particle_px: float,
    wanted: bool,
    jitter_px: float,
) -> Example:
    """Return a z-scored window in one of the eight orientations of a square.

    Parameters
    ----------
    wanted
        Whether a particle is to be in its middle, off by up to ``jitter_px``; of a micrograph without
        particles it is a place without one all the same.

    Returns
    -------
    Example
        ``(size_px, size_px)`` image and ``(1,)`` target: 1 for a particle, 0 for none.
    """
    place = positive(micrograph, rng, jitter_px=jitter_px) if wanted else None
    x, y = place or negative(micrograph, rng, distance_px=NEGATIVE_DISTANCE * particle_px * micrograph.scale)
    window = Window.oriented(x, y, size_px, rng).cut(micrograph.image)
    image = z_scored(torch.from_numpy(window)).numpy()
    return Example(image, np.array([place is not None], np.float32))
