"""Areas of a micrograph without data: borders, margins and dead parts of the detector."""

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import StoreError, brief
from cryopick_ray.micrographs.resample import BLOCK_PIXELS
from cryopick_ray.units import Shape

SCANNED_ROWS = 32
"""Every so many rows one is looked at: what is less high and touches no edge is not found."""
LONG_RUN, EDGE_RUN = 32, 8
"""Equal pixels in a row that no picture has by chance; fewer where the row begins or ends with them."""
SHORT_RUN = 16
"""Equal pixels in a row that belong to an area once its value is known."""
THIN = 4
"""Lines of fewer pixels are defects of a detector, not areas."""
BORDER_PART = 0.25
"""Part of an edge along which an area of fewer than 32 pixels lies at least."""
SMALLEST_PX = 64
"""Sides of fewer pixels show too little to tell areas from pictures."""
MAX_VALUES = 8
MAX_RUNS = 4
"""Runs for each row above which the value is one of the picture's."""
STEEPEST = 64
"""Pixels by which a slanting margin recedes from one row to the next, at most."""
Rectangle = tuple[int, int, int, int]


@dataclass(frozen=True)
class NoData:
    """The areas of a micrograph without data.

    Attributes
    ----------
    rectangles
        ``x0, y0, x1, y1`` of each, in pixels of the source micrograph, ends excluded. They may overlap.
    """

    rectangles: tuple[Rectangle, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.rectangles)

    def to_text(self) -> str:
        """Return them as a list of JSON; empty if there are none."""
        return json.dumps(self.rectangles, separators=(",", ":")) if self.rectangles else ""

    @classmethod
    def from_text(cls, text: str) -> "NoData":
        """Return what :meth:`to_text` wrote.

        Raises
        ------
        StoreError
            If the text is something else.
        """
        if not text:
            return cls()
        try:
            return cls(tuple((int(x0), int(y0), int(x1), int(y1)) for x0, y0, x1, y1 in json.loads(text)))
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise StoreError(
                f"the manifest says of areas without data: {brief(text)}; expected rectangles; ingest again"
            ) from error

    def scaled(self, scale: float) -> "NoData":
        """Return the areas in pixels of an image ``scale`` times as large, rounded outwards."""
        return NoData(
            tuple(
                (math.floor(x0 * scale), math.floor(y0 * scale), math.ceil(x1 * scale), math.ceil(y1 * scale))
                for x0, y0, x1, y1 in self.rectangles
            )
        )

    def mask(self, shape: Shape, *, first_row: int = 0, grown_px: int = 0) -> NDArray[np.bool_]:
        """Return ``shape`` booleans, true without data, of the rows from ``first_row`` on.

        Parameters
        ----------
        grown_px
            By how much each area is taken to be larger, on all sides.
        """
        mask = np.zeros(shape, bool)
        for x0, y0, x1, y1 in self.rectangles:
            top, bottom = y0 - grown_px - first_row, y1 + grown_px - first_row
            if bottom > 0 and top < shape[0]:
                mask[max(0, top) : bottom, max(0, x0 - grown_px) : x1 + grown_px] = True
        return mask

    def share(self, shape: Shape) -> float:
        """Return their share of a micrograph of that shape."""
        return float(self.mask(shape).mean()) if self.rectangles else 0.0

    def holds(self, x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Tell for each of ``(n,)`` points, 0.0 the first pixel's centre, whether it lies in one."""
        inside = np.zeros(len(x), bool)
        for x0, y0, x1, y1 in self.rectangles:
            inside |= (x >= x0 - 0.5) & (x < x1 - 0.5) & (y >= y0 - 0.5) & (y < y1 - 0.5)
        return inside


NO_AREAS = NoData()


def find_no_data(image: NDArray[Any]) -> NoData:
    """Return the areas of an ``(h, w)`` image that are of one value, NaN, or an edge's line repeated.

    Areas of one value are found by rows across the image, one in 32, that hold long runs of it, and
    then looked at row by row. They are at least 32 pixels high and wide, or 4 along a quarter of an edge;
    what is smaller is chance or a defect. A value that the rest of the image has in every second pixel
    is one of the picture's: so are the zeros of sparse counts. Lines repeated up to an edge are found
    where they are equal throughout. A slanting margin is rectangles to within a 1024th of the longer side.
    """
    if min(image.shape) < SMALLEST_PX:
        return NoData()
    found = NoData(tuple(area for value in _suspects(image) for area in _areas(image, value)))
    for x0, y0, x1, y1 in _repeated_lines(image):
        if not found.mask((y1 - y0, x1), first_row=y0)[:, x0:].all():
            found = NoData((*found.rectangles, (x0, y0, x1, y1)))
    return found


def slack_px(shape: Shape) -> int:
    """Return by how many pixels slanting margins may differ from their rectangles."""
    return _band_px(shape) // 2 + 1


def _band_px(shape: Shape) -> int:
    return max(2, max(shape) // 512)


def _suspects(image: NDArray[Any]) -> list[float]:
    """Return the values that rows across the image hold long runs of, the commonest first."""
    lines = _scanned(image)
    equal = lines[:, 1:] == lines[:, :-1]
    if (strange := lines != lines).any():  # NaN
        equal |= strange[:, 1:] & strange[:, :-1]
    starts = equal
    for step in (1, 2, 4, 8, 16):  # now: this pixel and the next 31 pairs
        starts = starts[:, step:] & starts[:, :-step]
    seen = [
        lines[:, : starts.shape[1]][starts],
        lines[equal[:, : EDGE_RUN - 1].all(axis=1), 0],
        lines[equal[:, 1 - EDGE_RUN :].all(axis=1), -1],
    ]
    values, counts = np.unique(np.concatenate(seen), return_counts=True)
    commonest = values[np.argsort(-counts, kind="stable")][:MAX_VALUES].tolist()
    return [value for value in commonest if not _is_of_picture(lines, value)]


def _scanned(image: NDArray[Any]) -> NDArray[Any]:
    return image[sorted({*range(0, len(image), SCANNED_ROWS), len(image) - 1})]


def _is_of_picture(lines: NDArray[Any], value: float) -> bool:
    """Tell whether every second pixel outside the long runs of a value has it, too."""
    _, x0, x1, count = _runs(lines, value)
    long = (x1 - x0 >= LONG_RUN) | (x0 == 0) | (x1 == lines.shape[1])
    inside = int((x1 - x0)[long].sum())
    return 2 * (count - inside) > lines.size - inside


def _areas(image: NDArray[Any], value: float) -> list[Rectangle]:
    """Return the areas of one value, or of NaN."""
    height, width = image.shape
    y, x0, x1, _ = _runs(image, value)
    if len(y) > MAX_RUNS * height:
        return []
    rectangles = _stacked(y, x0, x1, _band_px((height, width)))
    return [
        rectangle for group in _joined(rectangles) if _is_area(group, (height, width)) for rectangle in group
    ]


def _runs(
    image: NDArray[Any], value: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], int]:
    """Return row, begin and end of the runs of a value, and how many pixels have it."""
    height, width = image.shape
    rows = max(1, BLOCK_PIXELS // width)
    found, count = [], 0
    for start in range(0, height, rows):
        block = image[start : start + rows]
        has_value = np.zeros((len(block), width + 2), bool)
        has_value[:, 1:-1] = block == value if value == value else np.isnan(block)
        count += int(np.count_nonzero(has_value))
        turns = np.flatnonzero(has_value[:, 1:] != has_value[:, :-1]).reshape(-1, 2)
        y, begin = np.divmod(turns[:, 0], width + 1)
        end = turns[:, 1] - y * (width + 1)
        kept = (end - begin >= SHORT_RUN) | (begin == 0) | (end == width)
        found.append(np.stack([y[kept] + start, begin[kept], end[kept]]))
    y, begin, end = np.concatenate(found, axis=1)
    return y, begin, end, count


def _stacked(
    y: NDArray[np.intp], x0: NDArray[np.intp], x1: NDArray[np.intp], band_px: int
) -> list[Rectangle]:
    """Return runs that lie below each other as rectangles; where they slant, in steps of ``band_px``."""
    done: list[list[tuple[int, int, int]]] = []
    above: list[list[tuple[int, int, int]]] = []
    here: list[list[tuple[int, int, int]]] = []
    for run in zip(y.tolist(), x0.tolist(), x1.tolist(), strict=True):
        if here and here[0][-1][0] != run[0]:
            above, here = (here if here[0][-1][0] == run[0] - 1 else []), []
        stack = next((earlier for earlier in above if _continues(earlier, run, band_px)), None)
        if stack is None:
            stack = []
            done.append(stack)
        else:
            above.remove(stack)
        stack.append(run)
        here.append(stack)
    return [_outline(stack) for stack in done]


def _continues(stack: list[tuple[int, int, int]], run: tuple[int, int, int], band_px: int) -> bool:
    def moved(other: tuple[int, int, int]) -> int:
        return max(abs(run[1] - other[1]), abs(run[2] - other[2]))

    return moved(stack[0]) <= band_px or (len(stack) < band_px and moved(stack[-1]) <= STEEPEST)


def _outline(stack: list[tuple[int, int, int]]) -> Rectangle:
    """Return the rectangle of runs; the median does not see pixels beside that are equal by chance."""
    y, x0, x1 = zip(*stack, strict=True)
    middle = len(stack) // 2
    return sorted(x0)[middle], y[0], sorted(x1)[middle], y[-1] + 1


def _joined(rectangles: list[Rectangle]) -> list[list[Rectangle]]:
    """Return rectangles in groups of those that touch."""
    left = np.array(rectangles, np.intp).reshape(-1, 4)
    groups = []
    while len(left):
        group, left = left[:1], left[1:]
        fresh = group
        while len(fresh):
            x0, y0, x1, y1 = fresh.T[..., None]
            beside = (left[:, 0] <= x1) & (left[:, 2] >= x0) & (left[:, 1] <= y1) & (left[:, 3] >= y0)
            touches = beside.any(axis=0)
            fresh, left = left[touches], left[~touches]
            group = np.concatenate([group, fresh])
        groups.append([(a, b, c, d) for a, b, c, d in group.tolist()])
    return groups


def _is_area(group: list[Rectangle], shape: Shape) -> bool:
    x0, y0 = min(rectangle[0] for rectangle in group), min(rectangle[1] for rectangle in group)
    x1, y1 = max(rectangle[2] for rectangle in group), max(rectangle[3] for rectangle in group)
    width, height = x1 - x0, y1 - y0
    if min(width, height) >= LONG_RUN:
        return True
    at_edge = x0 == 0 or y0 == 0 or x1 == shape[1] or y1 == shape[0]
    thin, long = (height, width / shape[1]) if height < width else (width, height / shape[0])
    return at_edge and thin >= THIN and long >= BORDER_PART


def _repeated_lines(image: NDArray[Any]) -> list[Rectangle]:
    """Return the areas between an edge and the line that is repeated up to it."""
    height, width = image.shape
    top, bottom = _repeats(image), _repeats(image[::-1])
    left, right = _repeats(image.T), _repeats(image.T[::-1])
    sides = [
        (top, (0, 0, width, top)),
        (bottom, (0, height - bottom, width, height)),
        (left, (0, 0, left, height)),
        (right, (width - right, 0, width, height)),
    ]
    return [rectangle for count, rectangle in sides if count >= THIN]


def _repeats(image: NDArray[Any]) -> int:
    """Return how many rows from the first on are equal to the next one."""
    sampled = image[:, ::SCANNED_ROWS]  # columns lie far apart in memory: most often a few pixels tell
    changed = (row for row in range(len(image) - 1) if not (_alike(sampled, row) and _alike(image, row)))
    return next(changed, 0)


def _alike(image: NDArray[Any], row: int) -> bool:
    return np.array_equal(image[row], image[row + 1])
