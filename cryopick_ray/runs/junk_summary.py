"""What a run tells of junk: how much was kept out, which masks are missing, where they lie."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from cryopick_ray.errors import DamagedError, MicrographError, few
from cryopick_ray.formats.mask_names import find_masks
from cryopick_ray.micrographs.junk import KINDS, Junk, read_shares
from cryopick_ray.micrographs.mask_file import read_mask
from cryopick_ray.picks.schema import PickedMicrograph
from cryopick_ray.report.tints import WORDS, Tint, tint_of
from cryopick_ray.store.masks import read_stored_mask
from cryopick_ray.store.place import Place

MOSTLY = 0.9
"""Part of the area above which masks are perhaps of what is to be picked."""


def junk_told(junk: Mapping[str, int]) -> str:
    """Return in words how many candidates above the threshold each kind of junk keeps out."""
    kinds = [kind for kind in KINDS if junk.get(kind)]
    own = Junk.MASKED.kind
    told = ", ".join(f"{junk[kind]:,} {'in' if kind == own else 'on'} {WORDS[kind]}" for kind in kinds)
    remedy = "; `keep_junk` picks those on junk" if {*kinds} - {own} else ""
    return f"{sum(junk.values()):,} candidates above the threshold are not picked: {told}{remedy}"


def of_masks(folder: Path | None, micrographs: Sequence[PickedMicrograph]) -> list[str]:
    """Return what is to be said of masks of the user: missing ones, unreadable ones, the other way round."""
    complete = [micrograph for micrograph in micrographs if micrograph.status == "complete"]
    if folder is None or not complete:
        return []
    files = find_masks(folder, [one.micrograph_id for one in complete])
    lines = []
    if without := [one.micrograph_id for one in complete if one.micrograph_id not in files]:
        lines.append(
            f"{len(without)} of {len(complete)} micrographs have no mask in {folder}: {few(without)}; "
            "expected files named after them"
        )
    own = Junk.MASKED.kind
    shares = {one.micrograph_id: read_shares(one.junk_share).get(own) for one in complete}
    known = [share for share in shares.values() if share is not None]
    if known and (mean := float(np.mean(known))) > MOSTLY:
        lines.append(
            f"masks in {folder} exclude {mean:.0%} of all pixels: perhaps they are the other way round; what "
            "is not 0 is left out"
        )
    unread = (one for one in complete if one.micrograph_id in files and shares[one.micrograph_id] is None)
    return [*lines, *_unreadable(unread, files)]


def _unreadable(micrographs: Iterable[PickedMicrograph], files: Mapping[str, Path]) -> Iterator[str]:
    for micrograph in micrographs:
        try:
            read_mask(files[micrograph.micrograph_id], micrograph.shape or (1, 1))
        except MicrographError as error:
            yield f"{files[micrograph.micrograph_id]} masks nothing: {error}"


def tints_of(micrograph: PickedMicrograph, store: Place, outside: Path | None) -> list[Tint]:
    """Return how the masks of a micrograph look, the model's and the user's; none of those that are lost."""
    tints: list[Tint] = []
    if micrograph.shape is None:
        return tints
    if micrograph.mask:
        with suppress(DamagedError):
            tints.append(tint_of(read_stored_mask(store, micrograph.mask), micrograph.shape))
    if outside is not None:
        with suppress(MicrographError):
            tints.append(tint_of(read_mask(outside, micrograph.shape), micrograph.shape))
    return [tint for tint in tints if tint.kinds]
