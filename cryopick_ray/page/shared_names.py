"""Micrographs under one name each, whatever the sources call them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cryopick_ray.errors import UsageError
from cryopick_ray.page.pick_sources import PicksFile, ShownPicks
from cryopick_ray.picks.schema import PickedMicrograph

if TYPE_CHECKING:
    from cryopick_ray.micrographs.sources import MicrographSource


def of_files(files: "Sequence[MicrographSource]", first: PicksFile) -> list[PickedMicrograph]:
    """Return files as micrographs, with what is known of those that have coordinates."""
    ids = [file.micrograph_id for file in files]
    about = {page: first.picks[own].micrograph for page, own in alike(ids, first.picks).items()}
    return [
        replace(
            about.get(file.micrograph_id, _UNKNOWN),
            micrograph_id=file.micrograph_id,
            dataset=file.dataset,
            relion_name=file.relion_name,
            optics=file.optics,
            listed=file.listed,
            optics_group=file.optics_group,
        )
        for file in files
    ]


_UNKNOWN = PickedMicrograph("", "", "", None, None, None, "complete", "")


def beside(picks: ShownPicks, ids: Sequence[str], notes: list[str]) -> ShownPicks:
    """Return a source whose micrographs are called as on the page."""
    own = alike(ids, [about.micrograph_id for about in picks.source.micrographs])
    if not own:
        raise UsageError(
            f"{picks.about.name} has none of the micrographs, such as {ids[0]!r}; give sources of the same"
        )
    lacks = len(picks.source.micrographs) - len(own)
    if lacks > 0:
        notes.append(f"{picks.about.name} has {lacks} micrographs that are not shown")
    return picks.called(own)


def alike(ids: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    """Return which of other names each id means, where that is clear; equal ones are meant first."""
    from cryopick_ray.formats.known import NamesAlike

    there = set(names)
    alike = NamesAlike(there)
    found: dict[str, str] = {}
    for one in ids:
        meant = [one] if one in there else alike.find(one)
        if len(meant) == 1:
            found[one] = meant[0]
    return found
