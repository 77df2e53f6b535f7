"""Boxes of a grid: a network's answers -> boxes, centres -> what the cells should answer, overlap.

Pixels are counted as everywhere here: 0.0 is the *centre* of the first pixel, so cell ``c`` of a row
spans ``16 c - 0.5`` to ``16 c + 15.5``, and a centre ``x`` lies in cell ``floor((x + 0.5) / 16)``.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from cryopick_ray.pickers.cryolo.networks import STRIDE
from cryopick_ray.units import Shape

MAX_LOG_SIZE = 1.5
"""Boxes are at most 4.5 times smaller or larger than the anchor: no answer overflows."""
EMPTY, HELD, UNKNOWN = 0.0, 1.0, -1.0
"""What a cell is, as told by :func:`encode`: without a centre, with one, or not to be taught."""


@dataclass(frozen=True)
class GridBoxes:
    """Boxes of one image.

    Attributes
    ----------
    x, y
        ``(n,)`` float32 centres in pixels.
    width, height
        ``(n,)`` float32 estimated sizes in pixels.
    score
        ``(n,)`` float32 confidences, 0 to 1.
    """

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    width: NDArray[np.float32]
    height: NDArray[np.float32]
    score: NDArray[np.float32]

    @classmethod
    def of(cls, rows: NDArray[np.float32]) -> Self:
        """Return the boxes of ``(5, n)`` rows: x, y, width, height, score."""
        return cls(*np.asarray(rows, np.float32))

    def __len__(self) -> int:
        return len(self.score)

    def __getitem__(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> "GridBoxes":
        return GridBoxes(
            self.x[index], self.y[index], self.width[index], self.height[index], self.score[index]
        )

    def best_first(self) -> "GridBoxes":
        """Return them by falling score; ties order by y, then x."""
        return self[np.lexsort((self.x, self.y, -self.score))]


def decode(answers: Tensor, anchor_px: float) -> Tensor:
    """Return what raw answers mean.

    Parameters
    ----------
    answers
        ``(n, 5, gh, gw)`` raw t_x, t_y, t_w, t_h, t_c.
    anchor_px
        The anchor's side.

    Returns
    -------
    ``(n, 5, gh, gw)``: x, y (cell + sigmoid), width, height (anchor x exp) in pixels, and the
    confidence sigmoid(t_c).
    """
    rows, columns = answers.shape[2:]
    corner_x = torch.arange(columns, device=answers.device)
    corner_y = torch.arange(rows, device=answers.device)[:, None]
    x, y, confidence = torch.sigmoid(answers[:, [0, 1, 4]]).unbind(1)
    size = anchor_px * torch.exp(answers[:, 2:4].clamp(-MAX_LOG_SIZE, MAX_LOG_SIZE))
    x, y = STRIDE * (corner_x + x) - 0.5, STRIDE * (corner_y + y) - 0.5
    return torch.stack([x, y, size[:, 0], size[:, 1], confidence], dim=1)


def encode(
    centres: NDArray[np.float32], side_px: float, grid: Shape, *, anchor_px: float
) -> NDArray[np.float32]:
    """Return what the cells of a grid should answer.

    Of two centres in one cell the later is taken: a cell can answer for one.

    Parameters
    ----------
    centres
        ``(n, 2)`` columns and rows; those outside the grid are left out.
    side_px
        Width and height of all boxes.
    grid
        Rows and columns of cells.
    anchor_px
        Size of the boxes of empty cells, which lie in their middles: what a warm-up pulls them to.

    Returns
    -------
    ``(5, gh, gw)`` float32: x, y, width, height in pixels, and :data:`HELD` or :data:`EMPTY`.
    """
    target = np.empty((5, *grid), np.float32)
    target[0] = STRIDE * np.arange(grid[1]) + (STRIDE - 1) / 2
    target[1] = (STRIDE * np.arange(grid[0]) + (STRIDE - 1) / 2)[:, None]
    target[2:4] = anchor_px
    target[4] = EMPTY
    column, row, inside = cells_of(centres, grid)
    target[0, row, column] = centres[inside, 0]
    target[1, row, column] = centres[inside, 1]
    target[2:4, row, column] = side_px
    target[4, row, column] = HELD
    return target


def cells_of(
    centres: NDArray[np.float32], grid: Shape
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]:
    """Return the columns and rows of the cells of ``(n, 2)`` centres, and which centres lie in the grid."""
    cells = np.floor((centres + np.float32(0.5)) / STRIDE).astype(np.intp)
    inside = np.all((cells >= 0) & (cells < (grid[1], grid[0])), axis=1)
    return cells[inside, 0], cells[inside, 1], inside


def iou(tensor: Tensor, other: Tensor) -> Tensor:
    """Return the intersection over union of boxes.

    Parameters
    ----------
    one, other
        ``(4, ...)`` x, y, width, height; what follows the first axis is broadcast.
    """
    shared = torch.ones((), device=tensor.device)
    for centre, size in ((0, 2), (1, 3)):
        end = torch.minimum(tensor[centre] + tensor[size] / 2, other[centre] + other[size] / 2)
        start = torch.maximum(tensor[centre] - tensor[size] / 2, other[centre] - other[size] / 2)
        shared = shared * (end - start).clamp_min(0)
    return shared / (tensor[2] * tensor[3] + other[2] * other[3] - shared)


def suppress(boxes: GridBoxes, max_iou: float) -> GridBoxes:
    """Return the boxes, best first, none of which overlaps a better kept one by more than ``max_iou``."""
    ordered = boxes.best_first()
    if not len(ordered):
        return ordered
    places = np.stack([ordered.x, ordered.y, ordered.width, ordered.height])
    # along either axis boxes share at least max_iou of the larger side, or they overlap by less
    reach = float(places[2:].max()) * (1 - max_iou)
    near = cKDTree(places[:2].T).query_pairs(reach, p=np.inf, output_type="ndarray")
    better, worse = near.min(axis=1), near.max(axis=1)
    tensor = torch.from_numpy(places)
    clash = (iou(tensor[:, better], tensor[:, worse]) > max_iou).numpy()
    by_better = np.flatnonzero(clash)[np.argsort(better[clash], kind="stable")]
    starts = np.searchsorted(better[by_better], np.arange(len(ordered) + 1))
    rivals, kept = worse[by_better], np.ones(len(ordered), bool)
    for index, (start, end) in enumerate(pairwise(starts.tolist())):
        if kept[index]:
            kept[rivals[start:end]] = False
    return ordered[kept]
