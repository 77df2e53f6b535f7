"""Peaks painted on the centres of particles, for networks that answer for many places of a crop at once."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from cryopick_ray.training.data.labelled import Centres

SIGMA = 0.09
"""Of the painted peaks, in diameters: about twice what labels made by hand scatter."""
FOCUS, FORGIVENESS = 2, 4
"""Exponents of the focal loss: on easy pixels, and on pixels near a centre."""


def paint(centres: Centres, answers_px: NDArray[np.float64], sigma_px: float) -> NDArray[np.float32]:
    """Return an ``(n, n)`` map with a Gaussian of height 1 on every centre.

    Where they overlap the highest counts. The answer nearest to a centre is exactly 1, if the centre is
    no farther than half a step from the outermost: there the loss expects a particle.

    Parameters
    ----------
    centres
        ``(k, 2)`` x and y in pixels of the crop.
    answers_px
        ``(n,)`` evenly spaced places of the network's answers along either axis, in pixels of the crop.
    """
    first, step = answers_px[0], answers_px[1] - answers_px[0]
    reach = 4 * sigma_px
    ends = first - step / 2, answers_px[-1] + step / 2
    near = centres[((centres > ends[0] - reach) & (centres < ends[1] + reach)).all(axis=1)]
    peaks = np.zeros((len(answers_px), len(answers_px)), np.float32)
    for x, y in near:
        along_x = np.exp(-((answers_px - x) ** 2) / (2 * sigma_px**2))
        along_y = np.exp(-((answers_px - y) ** 2) / (2 * sigma_px**2))
        np.maximum(peaks, np.outer(along_y, along_x), out=peaks)
    columns, rows = np.floor((near - first) / step + 0.5).astype(np.intp).T
    inside = (columns >= 0) & (columns < len(peaks)) & (rows >= 0) & (rows < len(peaks))
    peaks[rows[inside], columns[inside]] = 1
    return peaks


def paint_discs(centres: Centres, answers_px: NDArray[np.float64], radius_px: float) -> NDArray[np.bool_]:
    """Mark the answers of an ``(n, n)`` map within a radius of any centre; see :func:`paint`."""
    marks = np.zeros((len(answers_px), len(answers_px)), np.bool_)
    low, high = answers_px[0] - radius_px, answers_px[-1] + radius_px
    for x, y in centres[((centres >= low) & (centres <= high)).all(axis=1)]:
        marks |= ((answers_px - y) ** 2)[:, None] + (answers_px - x) ** 2 <= radius_px**2
    return marks


def focal_loss(logits: Tensor, peaks: Tensor, weights: Tensor) -> Tensor:
    """Return the penalty-reduced focal loss of Zhou et al. (2019, arXiv:1904.07850, eq. 1).

    ``-(1 - p)^2 log p`` where ``peaks`` is 1, ``-(1 - y)^4 p^2 log(1 - p)`` elsewhere, summed over the
    judged pixels and divided by the number of centres in the batch.

    Parameters
    ----------
    logits, peaks, weights
        ``(n, h, w)``.
    """
    p = torch.sigmoid(logits)
    is_centre = (peaks == 1).float() * weights
    hit = is_centre * (1 - p) ** FOCUS * functional.softplus(-logits)
    miss = weights * (1 - peaks) ** FORGIVENESS * p**FOCUS * functional.softplus(logits)
    return (hit + miss).sum() / is_centre.sum().clamp(min=1)
