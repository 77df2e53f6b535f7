"""Coarse junk masks from a network's logits of the kinds of junk."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from cryopick_ray.micrographs.junk import Junk

CELL = 0.4
"""Side of a mask's cells in diameters, about."""
SURE = 0.5
"""Probability of junk from which a cell is junk."""


def junk_mask(answers: Tensor, particle_cells: float) -> NDArray[np.uint8]:
    """Return the kind of junk in each of ``(k, l)`` equal cells of the image, most likely in the mean there.

    Parameters
    ----------
    answers
        ``(kinds, h, w)`` logits of the kinds, ``NONE`` first.
    particle_cells
        A particle's diameter on their grid.
    """
    side = CELL * particle_cells
    height, width = (max(1, round(length / side)) for length in answers.shape[1:])
    chance = functional.adaptive_avg_pool2d(torch.softmax(answers.float(), 0)[None], (height, width))[0]
    kind = chance[1:].argmax(0) + 1
    kind[chance[Junk.NONE] > 1 - SURE] = Junk.NONE
    return kind.to(torch.uint8).cpu().numpy()
