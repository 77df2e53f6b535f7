"""Junk in a run's results: excluded candidates, missing or suspicious masks, tints for pictures."""

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
"""Masked share of the area above which masks are perhaps inverted."""


def junk_text(junk: Mapping[str, int]) -> str:
    """Return as text how many candidates above the threshold each kind of junk excludes."""
    kinds = [kind for kind in KINDS if junk.get(kind)]
    own = Junk.MASKED.kind
    counts = ", ".join(f"{junk[kind]:,} {'in' if kind == own else 'on'} {WORDS[kind]}" for kind in kinds)
    remedy = "; `keep_junk` picks those on junk" if {*kinds} - {own} else ""
    return f"{sum(junk.values()):,} candidates above the threshold are not picked: {counts}{remedy}"


def mask_warnings(folder: Path | None, micrographs: Sequence[PickedMicrograph]) -> list[str]:
    """Return warnings about the user's masks: missing, unreadable or inverted ones."""
    complete = [micrograph for micrograph in micrographs if micrograph.status == "complete"]
    if folder is None or not complete:
        return []
    files = find_masks(folder, [micrograph.micrograph_id for micrograph in complete])
    lines = []
    if without := [
        micrograph.micrograph_id for micrograph in complete if micrograph.micrograph_id not in files
    ]:
        lines.append(
            f"{len(without)} of {len(complete)} micrographs have no mask in {folder}: {few(without)}; "
            "expected files named after them"
        )
    own = Junk.MASKED.kind
    shares = {
        micrograph.micrograph_id: read_shares(micrograph.junk_share).get(own) for micrograph in complete
    }
    known = [share for share in shares.values() if share is not None]
    if known and (mean := float(np.mean(known))) > MOSTLY:
        lines.append(
            f"masks in {folder} exclude {mean:.0%} of all pixels: perhaps they are the other way round; what "
            "is not 0 is left out"
        )
    unread = (
        micrograph
        for micrograph in complete
        if micrograph.micrograph_id in files and shares[micrograph.micrograph_id] is None
    )
    return [*lines, *_unreadable(unread, files)]


def _unreadable(micrographs: Iterable[PickedMicrograph], files: Mapping[str, Path]) -> Iterator[str]:
    for micrograph in micrographs:
        try:
            read_mask(files[micrograph.micrograph_id], micrograph.shape or (1, 1))
        except MicrographError as error:
            yield f"{files[micrograph.micrograph_id]} masks nothing: {error}"


def tints_of(micrograph: PickedMicrograph, store: Place, outside: Path | None) -> list[Tint]:
    """Return the tints of a micrograph's masks, the model's and the user's; lost masks are skipped."""
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
