"""Kinds of junk in a micrograph, and masks of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.units import Shape


class Junk(IntEnum):
    """Kind of area that a pick lies on; the codes of junk masks, also in files.

    ``NONE`` is clear vitreous ice with its particles; ``CARBON`` any support film, of gold too; ``ICE`` ice
    that is crystalline or too thick and textured to show particles; ``CONTAMINATION`` balls of ethane and
    ice, specks, scratches and cracks; ``AGGREGATE`` clumps of particles; ``LATTICE`` a crystal of the
    support, such as streptavidin's; ``MASKED`` what a mask of the user excludes.
    """

    NONE = 0
    CARBON = 1
    ICE = 2
    CONTAMINATION = 3
    AGGREGATE = 4
    LATTICE = 5
    MASKED = 6

    @property
    def kind(self) -> str:
        """Name in tables and reports; empty for none."""
        return self.name.lower() if self else ""


KINDS = tuple(junk.kind for junk in Junk)
"""Names by code."""


@dataclass(frozen=True, eq=False)
class JunkMask:
    """Kinds of junk in a micrograph, on a coarse grid.

    Attributes
    ----------
    codes
        ``(k, l)`` uint8 codes of :class:`Junk`: an image's height and width are cut into so many equal cells.
    image_shape
        Height and width of that image, which is the micrograph Fourier-cropped to the picker's scale.
    """

    codes: NDArray[np.uint8]
    image_shape: Shape

    def at(self, x: NDArray[np.floating], y: NDArray[np.floating]) -> NDArray[np.uint8]:
        """Return the codes under ``(n,)`` points of the image, 0.0 the first pixel's centre."""
        rows, columns = map(cells_under, (y, x), self.image_shape, self.codes.shape)
        return np.asarray(self.codes[rows, columns])

    def shares(self) -> dict[str, float]:
        """Return the share of the area of each kind of junk present."""
        counts = np.bincount(self.codes.ravel(), minlength=len(KINDS))
        parts = (counts[1:] / self.codes.size).round(6).tolist()
        return {kind: part for kind, part in zip(KINDS[1:], parts, strict=True) if part}

    def frame(self, source_shape: Shape) -> tuple[float, float, float, float]:
        """Return left, top, width and height of the grid in source pixels, 0.0 = *edge* of the first pixel.

        A Fourier crop keeps the centre of the first pixel, so its edges lie further out than the source's.
        """
        (height, width), (rows, columns) = source_shape, self.image_shape
        return 0.5 - 0.5 * width / columns, 0.5 - 0.5 * height / rows, width, height


def cells_under(places: NDArray[np.floating], side_px: int, cells: int) -> NDArray[np.intp]:
    """Return the cells that places lie in, of a side cut into equal cells; 0.0 is the first pixel's centre.

    A cell of b pixels covers those of a binned pixel: ``x = b (x_cell + 0.5) - 0.5``.
    """
    cell = np.floor((places.astype(np.float64) + 0.5) * (cells / side_px)).astype(np.intp)
    return np.minimum(np.maximum(cell, 0), cells - 1)


def kept_out(codes: NDArray[np.uint8], *, keep_junk: bool) -> NDArray[np.bool_]:
    """Tell which of ``(n,)`` codes keep a candidate from being picked; a lattice does not.

    Parameters
    ----------
    keep_junk
        Whether only masks of the user do.
    """
    if keep_junk:
        return np.asarray(codes == Junk.MASKED)
    return np.asarray((codes != Junk.NONE) & (codes != Junk.LATTICE))


def shares_text(shares: Mapping[str, float]) -> str:
    """Return shares of an area by kind of junk as JSON."""
    return json.dumps(dict(shares), separators=(",", ":"), sort_keys=True)


def read_shares(text: str) -> dict[str, float]:
    """Return what :func:`shares_text` wrote; of an empty text nothing.

    Raises
    ------
    ValueError
        If the text is something else.
    """
    try:
        shares = json.loads(text) if text else {}
    except RecursionError as error:
        raise ValueError("parts of an area by kind of junk are nested") from error
    if not isinstance(shares, dict) or not all(
        kind in KINDS[1:] and type(part) in (int, float) and 0 <= part <= 1 for kind, part in shares.items()
    ):
        raise ValueError(f"{text[:80]!r} says no parts of an area by kind of junk")
    return shares
