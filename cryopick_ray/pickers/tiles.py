"""Networks run on large images in tiles: the output of the whole in the memory of a tile."""

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from torch import Tensor

TILE_PX = {"cpu": 1024, "cuda": 4096}
"""Side of a tile: larger ones cost a CPU more in fresh memory than smaller ones in rims."""


def tile_px_on(device: torch.device) -> int:
    """Return the side of the tiles that suit a device."""
    return TILE_PX["cpu" if device.type == "cpu" else "cuda"]


def answer_in_tiles(
    ask: Callable[[Tensor], Tensor], images: Tensor, *, multiple_px: int, rim_px: int, tile_px: int
) -> Tensor:
    """Return a network's output for ``(n, h, w)`` images, equal to that of each image as a whole.

    A CPU runs one image at a time, so that the output does not depend on ``n``.

    Parameters
    ----------
    ask
        The network, ``(n, 1, h, w)`` to ``(n, c, h / s, w / s)`` where ``s`` divides ``multiple_px``;
        it pads its input with zeros.
    images
        Both sides are multiples of ``multiple_px``.
    multiple_px
        The network's coarsest stride.
    rim_px
        Reach of the receptive field beyond an output, a multiple of ``multiple_px``. Tiles have a rim of this
        width, except at the image's edges, where the zeros are those of the whole image.
    tile_px
        Largest side of a tile without its rim.

    Returns
    -------
    ``(n, c, h / s, w / s)``
    """
    rows, columns = (_parts(side, multiple_px, tile_px) for side in images.shape[1:])
    at_once = 1 if images.device.type == "cpu" else len(images)
    answers = []
    for batch in torch.split(images[:, None], at_once):
        bands = [
            _joined([_answer(ask, batch, down, across, rim_px) for across in columns], dim=3) for down in rows
        ]
        answers.append(_joined(bands, dim=2))
    return _joined(answers, dim=0)


def extended(
    images: Tensor, axis: int, sides: tuple[int, int], mode: Literal["reflect", "symmetric"]
) -> Tensor:
    """Return images padded along an axis with mirrored pixels, as by :func:`numpy.pad`."""
    before, after = sides
    if not before and not after:
        return images
    order = np.pad(np.arange(images.shape[axis]), sides, mode)
    ends = (order[:before], order[len(order) - after :])
    first, last = (images.index_select(axis, torch.from_numpy(end).to(images.device)) for end in ends)
    return torch.cat([first, images, last], dim=axis)


def extended_to_multiple(images: Tensor, multiple_px: int) -> Tensor:
    """Return ``(n, h, w)`` images mirrored beyond their bottom and right edge up to a multiple."""
    for axis in (1, 2):
        images = extended(images, axis, (0, -images.shape[axis] % multiple_px), "symmetric")
    return images


def _joined(parts: list[Tensor], dim: int) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim)


def _parts(side: int, multiple_px: int, tile_px: int) -> list[tuple[int, int]]:
    """Return start and end of nearly equal parts of a side, all of them multiples."""
    units = side // multiple_px
    count = -(-units // max(1, tile_px // multiple_px))
    ends = [units * part // count * multiple_px for part in range(count + 1)]
    return list(pairwise(ends))


def _answer(
    ask: Callable[[Tensor], Tensor],
    images: Tensor,
    down: tuple[int, int],
    across: tuple[int, int],
    rim_px: int,
) -> Tensor:
    """Return the output of one tile, run with its rim."""
    (top, bottom), (left, right) = down, across
    above, before = min(rim_px, top), min(rim_px, left)
    seen = images[:, :, top - above : bottom + rim_px, left - before : right + rim_px]
    answer = ask(seen)
    stride = seen.shape[2] // answer.shape[2]
    without_rim = answer[:, :, above // stride :, before // stride :]
    return without_rim[:, :, : (bottom - top) // stride, : (right - left) // stride]
