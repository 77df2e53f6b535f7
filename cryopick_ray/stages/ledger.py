"""Which micrographs are picked already: those in valid shards."""

from collections.abc import Callable, Collection, Mapping

from cryopick_ray.errors import PicksError, few
from cryopick_ray.picks.coverage import is_stale
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.store.manifest import ManifestRow


def covered_ids(
    shards: PickShards, manifest: Mapping[str, ManifestRow], masks: Callable[[], Collection[str]] = frozenset
) -> tuple[dict[str, str], list[str]]:
    """Return the ids in valid shards with their files' checksums, and complaints about the other shards.

    Each shard is read once. A damaged one is removed, so that its micrographs count as pending and can be
    published again; so is one that names a mask of junk which is gone. Picks of another image than the
    store's of the same name count for nothing.

    Parameters
    ----------
    masks
        Returns the keys of the masks that are stored; asked if any is named.
    """
    stored: Collection[str] | None = None
    covered: dict[str, str] = {}
    stale: set[str] = set()
    complaints: list[str] = []
    for key, lines in shards.coverages(verified=True):
        if isinstance(lines, PicksError):
            shards.delete(key)
            complaints.append(str(lines))
            continue
        named = {line.mask for line in lines if line.mask}
        if named and stored is None:
            stored = masks()
        if lost := named.difference(stored or ()):
            shards.delete(key)
            complaints.append(f"{len(lost)} masks of junk are gone ({few(sorted(lost))}); picked again")
            continue
        for line in lines:
            row = manifest.get(line.micrograph_id)
            if not is_stale(line, row):
                covered[line.micrograph_id] = line.checksum
            elif row is not None and row.status == "complete":
                stale.add(line.micrograph_id)
    if again := sorted(stale - covered.keys()):
        more = f" and {len(again) - 1} more" if len(again) > 1 else ""
        complaints.append(f"{again[0]}{more}: picked from another image than the store's, and picked again")
    return covered, complaints
