"""Micrograph ids of the page, matched with those of its sources."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cryopick_ray.errors import UsageError
from cryopick_ray.page.pick_sources import PicksFile, ShownPicks
from cryopick_ray.picks.schema import PickedMicrograph

if TYPE_CHECKING:
    from cryopick_ray.micrographs.sources import MicrographSource


def of_files(files: "Sequence[MicrographSource]", first: PicksFile) -> list[PickedMicrograph]:
    """Return image files as micrographs, with shapes and pixel sizes from their coordinates."""
    ids = [file.micrograph_id for file in files]
    by_page_id = {
        page: first.picks[own_id].micrograph for page, own_id in matching_ids(ids, first.picks).items()
    }
    return [
        replace(
            by_page_id.get(file.micrograph_id, _UNKNOWN),
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


def with_page_ids(picks: ShownPicks, ids: Sequence[str], notes: list[str]) -> ShownPicks:
    """Return a source with the page's micrograph ids."""
    id_map = matching_ids(ids, [micrograph.micrograph_id for micrograph in picks.source.micrographs])
    if not id_map:
        raise UsageError(
            f"{picks.about.name} has none of the micrographs, such as {ids[0]!r}; give sources of the same"
        )
    lacks = len(picks.source.micrographs) - len(id_map)
    if lacks > 0:
        notes.append(f"{picks.about.name} has {lacks} micrographs that are not shown")
    return picks.called(id_map)


def matching_ids(ids: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    """Return the matching name of each id, where it is unambiguous; equal names take precedence."""
    from cryopick_ray.formats.known_micrographs import MicrographNames

    own_names = set(names)
    names_alike = MicrographNames(own_names)
    matches: dict[str, str] = {}
    for page_id in ids:
        candidates = [page_id] if page_id in own_names else names_alike.find(page_id)
        if len(candidates) == 1:
            matches[page_id] = candidates[0]
    return matches
