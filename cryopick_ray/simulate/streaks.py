"""Streaked borders: where frames did not overlap, correction of drift repeats the outermost line."""

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.simulate.drawn_ranges import draw_count
from cryopick_ray.units import Shape

Widths = tuple[int, int, int, int]
"""Lines that are streaks at the top, bottom, left and right."""


def draw_widths(rng: np.random.Generator, shape: Shape, between: tuple[int, int]) -> Widths:
    """Draw each border's own number of lines, at most a quarter of the ``(h, w)`` image."""
    most = min(shape) // 4
    top, bottom, left, right = (min(draw_count(rng, between), most) for _ in range(4))
    return top, bottom, left, right


def streak(pixels: NDArray[np.float32], widths: Widths) -> NDArray[np.float32]:
    """Return the ``(h, w)`` image with copies of the outermost line inside on each border."""
    inside = pixels[_inside(pixels.shape, widths)]
    return np.pad(inside, (widths[:2], widths[2:]), mode="edge")


def mark(mask: NDArray[np.bool_], widths: Widths) -> NDArray[np.bool_]:
    """Return the ``(h, w)`` mask, true on the streaks too."""
    marked = np.ones_like(mask)
    inside = _inside(mask.shape, widths)
    marked[inside] = mask[inside]
    return marked


def _inside(shape: tuple[int, ...], widths: Widths) -> tuple[slice, slice]:
    top, bottom, left, right = widths
    return slice(top, shape[0] - bottom), slice(left, shape[1] - right)
