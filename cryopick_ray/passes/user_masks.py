"""Candidates that lie in masks of the user are on junk."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.junk import Junk, read_shares, shares_text
from cryopick_ray.micrographs.mask_file import OutsideMask, read_mask
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph

READERS = 4
"""Masks read at once; each may be as large as a micrograph."""


@dataclass(frozen=True)
class Masked:
    """Puts :attr:`Junk.MASKED` over the junk of candidates that masks of the user exclude.

    Attributes
    ----------
    shares
        Part of each micrograph's area, by id, of those whose mask could be read.
    packed
        Which of the micrograph's candidates, in the order they were given in, eight in a byte.
    """

    shares: dict[str, float] = field(default_factory=dict)
    packed: dict[str, NDArray[np.uint8]] = field(default_factory=dict)

    def __call__(self, picks: MicrographPicks) -> MicrographPicks:
        """Return the picks of a micrograph, in the order in which masks were read, marked."""
        if (bits := self.packed.get(picks.micrograph.micrograph_id)) is None:
            return picks
        inside = np.unpackbits(bits, count=len(picks)).view(bool)
        junk = np.zeros(len(picks), np.uint8) if picks.junk is None else picks.junk
        return replace(picks, junk=np.where(inside, np.uint8(Junk.MASKED), junk))

    def told(self, micrograph: PickedMicrograph) -> PickedMicrograph:
        """Return a micrograph whose parts of junk include what a mask excludes."""
        if (share := self.shares.get(micrograph.micrograph_id)) is None:
            return micrograph
        shares = {**read_shares(micrograph.junk_share), Junk.MASKED.kind: share}
        return replace(micrograph, junk_share=shares_text(shares))


def read_masks(
    masks: Mapping[str, Path],
    micrographs: Iterable[PickedMicrograph],
    candidates: Iterable[Iterable[MicrographPicks]],
) -> Masked:
    """Return what masks exclude of micrographs and of their candidates; a mask that cannot be read, nothing.

    Parameters
    ----------
    masks
        A file by micrograph id.
    candidates
        Some micrographs' at a time; of those that have none nothing.
    """
    found = Masked()
    shapes = {
        micrograph.micrograph_id: micrograph.shape
        for micrograph in micrographs
        if micrograph.micrograph_id in masks and micrograph.shape
    }

    def look(micrograph_id: str, picks: MicrographPicks | None) -> bool:
        try:
            mask: OutsideMask = read_mask(masks[micrograph_id], shapes[micrograph_id])
        except MicrographError:
            return True
        found.shares[micrograph_id] = round(mask.share, 6)
        if picks is not None:
            found.packed[micrograph_id] = np.packbits(mask.holds(picks.x_px, picks.y_px))
        return True

    if not shapes:
        return found
    left = dict.fromkeys(shapes)
    with ThreadPoolExecutor(READERS, "masks") as pool:
        for some in candidates:
            own = {one.micrograph.micrograph_id: one for one in some}
            own = {name: picks for name, picks in own.items() if name in left}
            all(pool.map(look, own, own.values()))
            left = {name: None for name in left if name not in own}
        all(pool.map(look, left, left.values()))
    return found
