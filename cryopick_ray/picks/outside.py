"""Candidates that lie in masks of the user: a pass over the picks of a run, each mask read once."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.junk import Junk, read_shares, shares_text
from cryopick_ray.micrographs.mask_file import OutsideMask, read_mask
from cryopick_ray.picks.schema import PickedMicrograph

READERS = 4
"""Masks read at once; each may be as large as a micrograph."""
Places = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Columns and rows of candidates, in pixels of the source micrograph."""


@dataclass(frozen=True)
class Masked:
    """What masks of the user exclude.

    Attributes
    ----------
    shares
        Part of each micrograph's area, by id, of those whose mask could be read.
    packed
        Which of the micrograph's candidates, in the order they were given in, eight in a byte.
    """

    shares: dict[str, float] = field(default_factory=dict)
    packed: dict[str, NDArray[np.uint8]] = field(default_factory=dict)

    def told(self, micrograph: PickedMicrograph) -> PickedMicrograph:
        """Return a micrograph whose parts of junk include what a mask excludes."""
        if (share := self.shares.get(micrograph.micrograph_id)) is None:
            return micrograph
        shares = {**read_shares(micrograph.junk_share), Junk.MASKED.kind: share}
        return replace(micrograph, junk_share=shares_text(shares))

    def mark(self, micrograph_id: str, codes: NDArray[np.uint8]) -> None:
        """Put :attr:`Junk.MASKED` over the codes of a micrograph's candidates that are excluded."""
        if (bits := self.packed.get(micrograph_id)) is not None:
            codes[np.unpackbits(bits, count=len(codes)).view(bool)] = Junk.MASKED


def read_masks(
    masks: Mapping[str, Path],
    micrographs: Iterable[PickedMicrograph],
    candidates: Iterable[Mapping[str, Places]],
) -> Masked:
    """Return what masks exclude of micrographs and of their candidates; a mask that cannot be read, nothing.

    Parameters
    ----------
    masks
        A file by micrograph id.
    candidates
        Some micrographs' at a time, by id, in the table's order; of those that have none nothing.
    """
    found = Masked()
    shapes = {one.micrograph_id: one.shape for one in micrographs if one.micrograph_id in masks and one.shape}

    def look(micrograph_id: str, places: Places | None) -> bool:
        try:
            mask: OutsideMask = read_mask(masks[micrograph_id], shapes[micrograph_id])
        except MicrographError:
            return True
        found.shares[micrograph_id] = round(mask.share, 6)
        if places is not None:
            found.packed[micrograph_id] = np.packbits(mask.holds(*places))
        return True

    if not shapes:
        return found
    left = dict.fromkeys(shapes)
    with ThreadPoolExecutor(READERS, "masks") as pool:
        for some in candidates:
            own = {name: places for name, places in some.items() if name in left}
            all(pool.map(look, own, own.values()))
            left = {name: None for name in left if name not in own}
        all(pool.map(look, left, left.values()))
    return found
