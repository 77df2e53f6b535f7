"""Detection of bright discs with sharp edges in a small picture: holes of a support film."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RADII = 5.0, 30.0
"""Of the discs looked for, in pixels of the small picture."""
STEP = 1.15
"""Between two radii that are tried."""
STRONG = 3.0
"""Gradients of so many medians are edges; noise has one in five hundred."""
PLAIN = 0.5
"""Part of the picture's standard deviation that a disc's step is at least: grain of a black foil is less."""
FEWEST_VOTES = 2.5
"""Edge pixels that point at a centre, for each pixel of the radius: two in five of the outline, two wide."""
SEEN = 0.4
"""Part of an outline that lies in the picture at least."""
CLOSED = 0.8
"""Part of what is seen of an outline that is an edge at least."""
ANGLES = np.linspace(0, 2 * np.pi, 72, endpoint=False)
AROUND = np.stack([np.cos(ANGLES), np.sin(ANGLES)])
BESIDE_PX = 2.0
"""Inside and outside an outline, where its step is measured."""
MOST_TRIED = 8
"""Centres of one radius."""
Floats = NDArray[np.float32]


@dataclass(frozen=True, order=True)
class Disc:
    """A disc: which part of its outline is an edge, its radius and centre in pixels."""

    closed: float
    radius_px: float
    x_px: float
    y_px: float


def find_discs(picture: Floats) -> list[Disc]:
    """Return the bright discs of an ``(h, w)`` picture of about 100 pixels a side, the surest first.

    Every strong gradient votes for the centre that it points at, radius by radius (a Hough transform);
    of the centres with most votes those are discs around which the picture falls by a clear step.
    """
    small = _smoothed(picture)
    gy, gx = np.zeros_like(small), np.zeros_like(small)
    gy[1:-1], gx[:, 1:-1] = (small[2:] - small[:-2]) / 2, (small[:, 2:] - small[:, :-2]) / 2
    slope = np.hypot(gx, gy)[2:-2, 2:-2]
    least = STRONG * float(np.median(slope))
    y, x = np.nonzero(slope > least)
    if least == 0 or len(y) < np.pi * RADII[0]:
        return []
    edges = np.stack([x, y, *(g[2:-2, 2:-2][y, x] / slope[y, x] for g in (gx, gy))])
    edges[:2] += 2
    discs: list[Disc] = []
    step = max(2 * least, PLAIN * float(small.std()))
    for disc in sorted(_candidates(small, edges, step), reverse=True):
        apart = [np.hypot(disc.x_px - other.x_px, disc.y_px - other.y_px) for other in discs]
        if all(gap > max(disc.radius_px, other.radius_px) for gap, other in zip(apart, discs, strict=True)):
            discs.append(disc)
    return discs


def _candidates(small: Floats, edges: NDArray[np.floating], step: float) -> Iterator[Disc]:
    """Yield the discs of each radius."""
    height, width = small.shape
    pad = int(RADII[1])
    shape = height + 2 * pad, width + 2 * pad
    radius = RADII[0]
    while radius <= RADII[1]:
        x, y = np.rint(edges[:2] + radius * edges[2:]).astype(np.intp) + pad
        inside = (x >= 0) & (y >= 0) & (x < shape[1]) & (y < shape[0])
        single = np.bincount(y[inside] * shape[1] + x[inside], minlength=shape[0] * shape[1])
        if 9 * single.max() >= FEWEST_VOTES * radius:
            votes = 9 * _smoothed(single.reshape(shape).astype(np.float32))
            for _ in range(MOST_TRIED):
                row, column = divmod(int(votes.argmax()), shape[1])
                if votes[row, column] < FEWEST_VOTES * radius:
                    break
                reach = int(radius)
                votes[max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1] = 0
                closed = _closed(small, column - pad, row - pad, radius, step)
                if closed >= CLOSED:
                    yield Disc(closed, radius, column - pad, row - pad)
        radius *= STEP


def _closed(small: Floats, x: int, y: int, radius: float, step: float) -> float:
    """Return which part of an outline, of what is seen of it, falls by ``step`` at least."""
    centre = np.array([[x], [y]])
    outer = np.rint(centre + (radius + BESIDE_PX) * AROUND).astype(np.intp)
    seen = (outer >= 0).all(axis=0) & (outer[0] < small.shape[1]) & (outer[1] < small.shape[0])
    if seen.mean() < SEEN:
        return 0.0
    inner = np.rint(centre + (radius - BESIDE_PX) * AROUND).astype(np.intp)[:, seen]
    inner = np.clip(inner, 0, [[small.shape[1] - 1], [small.shape[0] - 1]])
    fall = small[inner[1], inner[0]] - small[outer[1, seen], outer[0, seen]]
    return float((fall > step).mean())


def _smoothed(image: Floats) -> Floats:
    """Return the means over 3 x 3 pixels; the outermost lines stay."""
    smooth = image.copy()
    rows = image[:-2] + image[1:-1] + image[2:]
    smooth[1:-1, 1:-1] = (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / 9
    return smooth
