"""Masks of junk as translucent pictures over a thumbnail."""

from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cryopick_ray.micrographs.junk import KINDS, Junk, JunkMask
from cryopick_ray.micrographs.mask_file import OutsideMask
from cryopick_ray.store.masks import COLOURS

OPACITY = 90
"""Of 255."""
MOST_CELLS = 384
"""Along a side of the picture of a mask."""
WORDS = {
    "carbon": "carbon or gold",
    "ice": "bad ice",
    "contamination": "contamination",
    "aggregate": "aggregates",
    "lattice": "a lattice",
    "masked": "masks given",
}
"""What a person reads of each kind of junk."""


@dataclass(frozen=True)
class Tint:
    """A picture of a mask, and where it lies.

    Attributes
    ----------
    png
        Transparent where there is no junk.
    frame
        Left, top, width and height in source pixels, 0.0 = *edge* of the first pixel.
    kinds
        The kinds of junk in it.
    """

    png: bytes
    frame: tuple[float, float, float, float]
    kinds: frozenset[str]


def tint_of(mask: JunkMask | OutsideMask, source_shape: tuple[int, int]) -> Tint:
    """Return the tint of a mask over a micrograph of that shape."""
    if isinstance(mask, JunkMask):
        return _tint(mask.codes, mask.frame(source_shape))
    steps = [-(-side // MOST_CELLS) for side in mask.excluded.shape]
    rows, columns = (
        np.arange(step // 2, side, step) for side, step in zip(mask.excluded.shape, steps, strict=True)
    )
    # A last step that is not whole makes the grid's edge lie a little beyond the mask's.
    (height, width), (h, w) = source_shape, mask.excluded.shape
    frame = (0.0, 0.0, width * len(columns) * steps[1] / w, height * len(rows) * steps[0] / h)
    codes = np.where(mask.excluded[np.ix_(rows, columns)], np.uint8(Junk.MASKED), np.uint8(0))
    return _tint(codes, frame)


def legend(tints: Iterable[Tint]) -> list[tuple[str, str]]:
    """Return colour and words of the kinds of junk that are drawn, in the order of their codes."""
    kinds = {kind for tint in tints for kind in tint.kinds}
    return [(f"#{COLOURS[code]}", WORDS[kind]) for code, kind in enumerate(KINDS) if kind in kinds]


def _tint(codes: NDArray[np.uint8], frame: tuple[float, float, float, float]) -> Tint:
    opaque = [0, *[OPACITY] * (len(KINDS) - 1)]
    palette = [(*bytes.fromhex(colour), alpha) for colour, alpha in zip(COLOURS, opaque, strict=True)]
    file = BytesIO()
    Image.fromarray(np.array(palette, np.uint8)[codes]).save(file, "PNG")
    return Tint(file.getvalue(), frame, frozenset(KINDS[code] for code in np.unique(codes).tolist() if code))
