"""Score maps -> candidates where the maps are: only what lies around the peaks leaves the device."""

import math
from collections.abc import Iterable
from itertools import product

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cryopick_ray.pickers.peaks import CROSS, NEIGHBOURS, check_radius, refined, unordered_scores
from cryopick_ray.pickers.picker import Candidates

REACH = 2
"""How many cells of the suppression's grid a radius reaches."""
NEAR_CELLS = [step for step in product(range(-REACH, REACH + 1), repeat=2) if abs(step[0] * step[1]) < 4]
"""Steps to the cells that hold pixels within the radius of a pixel: 5 x 5 without the corners."""
BLOCK_PEAKS = 2**18
"""Peaks that are compared with their neighbourhood at a time, so that memory stays bounded."""


def find_peaks_on_device(scores: Tensor, *, radius_px: float, floor: float) -> list[Candidates]:
    """Return the peaks of each of several score maps, as :func:`find_peaks` returns those of one.

    The picks are the same to the bit: the rules of maxima, plateaus and ties are whole-number work,
    and the parabolas are computed by the same code from the five scores around each peak. Memory beside
    the maps is 20 to 30 bytes a pixel; 80 for noise with a radius of 2, 100 where a map is one plateau.

    Parameters
    ----------
    scores
        ``(n, h, w)`` float32 maps on any device.
    radius_px, floor
        As for :func:`find_peaks`.

    Raises
    ------
    MicrographError
        If a map holds NaN or +inf; the first such map is described.
    UsageError
        If the radius is negative or not finite.
    """
    check_radius(radius_px)
    count, height, width = scores.shape
    if not scores.numel():
        none = np.empty(0, np.intp)
        return [refined(none, none, np.empty((5, 0), np.float32))] * count
    if not scores.amax().item() < math.inf:  # amax() of anything with NaN is NaN
        bad = (~(scores < math.inf)).sum(dim=(1, 2))
        raise unordered_scores(int(bad[bad > 0][0]), height * width)
    padded = functional.pad(scores, (1, 1, 1, 1), value=-math.inf)
    place = _regional_maxima(padded, floor)
    flat = padded.view(-1)
    place = place[torch.argsort(flat[place] + 0.0, descending=True, stable=True)]  # + 0.0: no sorting of -0
    kept = place[_survivors(place, padded.shape, radius_px)]
    around = torch.stack([flat[kept + step] for step in _steps(CROSS, padded)]).cpu().numpy()
    index, y, x = np.unravel_index(kept.cpu().numpy(), padded.shape)
    return [refined(y[own] - 1, x[own] - 1, around[:, own]) for own in (index == n for n in range(count))]


def _steps(pixels: Iterable[tuple[int, ...]], padded: Tensor) -> list[int]:
    """Return steps along y and x as distances in the flattened maps."""
    return [dy * padded.shape[2] + dx for dy, dx in pixels]


def _regional_maxima(padded: Tensor, floor: float) -> Tensor:
    """Return the places, in the flattened maps with their margin, of the maxima above ``floor``.

    They come map by map, then by y, then by x; of a plateau its first pixel.
    """
    scores = padded[:, 1:-1, 1:-1]
    index, y, x = ((functional.max_pool2d(padded, 3, 1) == scores) & (scores > floor)).nonzero().T
    place: Tensor = (index * padded.shape[1] + y + 1) * padded.shape[2] + x + 1
    flat = padded.view(-1)
    value, level = flat[place], torch.zeros_like(place, dtype=torch.bool)
    for step in _steps(NEIGHBOURS, padded):
        level |= flat[place + step] == value
    plateaus = place[level]
    if len(plateaus):
        first = ~level
        first[level] = _first_of_plateaus(padded, plateaus)
        place = place[first]
    return place


def _first_of_plateaus(padded: Tensor, place: Tensor) -> Tensor:
    """Tell for each pixel that equals a neighbour and has no higher one whether it is first of a maximum.

    Joined such pixels share one value. They are no maximum if that value goes on through another
    pixel, one that has a higher neighbour. Every pixel points to one of its plateau that comes before
    it, and pointers are shortened until all of a plateau point to its first pixel (the FastSV method
    of connected components: Zhang, Azad & Hu 2020, doi:10.1137/1.9781611976137.5).
    """
    flat, steps, nowhere = padded.view(-1), _steps(NEIGHBOURS, padded), padded.numel()
    first_at = torch.full((nowhere + 1,), nowhere, device=padded.device)
    first_at[place] = place
    first = place
    while True:
        earliest = first
        for step in steps:
            earliest = torch.minimum(earliest, first_at[place + step])
        earliest = first_at[earliest]
        if torch.equal(earliest, first):
            break
        first_at.scatter_reduce_(0, first, earliest, "amin")  # who points to my first learns of it too
        first_at.scatter_reduce_(0, place, earliest, "amin")
        first = first_at[place]
    slopes = torch.zeros_like(place, dtype=torch.bool)
    for step in steps:
        slopes |= (flat[place + step] == flat[place]) & (first_at[place + step] == nowhere)
    is_slope = torch.zeros_like(flat, dtype=torch.bool)
    is_slope[first[slopes]] = True
    return (first == place) & ~is_slope[place]


def _survivors(place: Tensor, shape: torch.Size, radius_px: float) -> Tensor:
    """Return the indices, in order, of the peaks that a greedy suppression of the given order keeps.

    The maps are cut into cells, their diagonal about the radius. In each round every undecided peak
    that is the best of the 5 x 5 cells around it, corners aside, is kept, one a cell, and those within
    its radius go.
    """
    count, height, width = shape
    limit = math.floor(min(radius_px, math.hypot(height, width)) ** 2)  # of squared whole distances
    if limit < 4:
        return torch.arange(len(place), device=place.device)  # peaks are 2 px apart
    side = math.isqrt(limit // 2)  # pixels within the radius lie at most NEAR_CELLS apart
    y, x = place // width % height, place % width
    rows, columns = -(-height // side) + 2 * REACH, -(-width // side) + 2 * REACH
    cell = (place // (height * width) * rows + y // side + REACH) * columns + x // side + REACH
    around = torch.tensor([dy * columns + dx for dy, dx in NEAR_CELLS], device=place.device)[:, None]
    merit = torch.arange(len(place), 0, -1, dtype=torch.float64, device=place.device)
    holder = torch.full((2, count * rows * columns), -(height + width) * 2, device=place.device)
    kept = torch.zeros_like(place, dtype=torch.bool)
    undecided = torch.arange(len(place), device=place.device)
    while len(undecided):
        best = merit.new_zeros(count, rows, columns)
        best.view(-1).scatter_reduce_(0, cell[undecided], merit[undecided], "amax")
        near = torch.maximum(
            functional.max_pool2d(best, (5, 3), 1, (2, 1)), functional.max_pool2d(best, (3, 5), 1, (1, 2))
        )
        won = undecided[near.flatten()[cell[undecided]] == merit[undecided]]
        kept[won] = True
        holder[:, cell[won]] = torch.stack([y[won], x[won]])
        left = []
        for block in torch.split(undecided, BLOCK_PEAKS):
            holder_y, holder_x = holder[:, cell[block] + around]
            clear = (holder_y - y[block]) ** 2 + (holder_x - x[block]) ** 2 > limit
            left.append(block[clear.all(0)])
        undecided = torch.cat(left)
    return kept.nonzero()[:, 0]
