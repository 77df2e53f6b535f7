"""What is done already: the ids in valid shards, and nothing else."""

from collections.abc import Mapping, Sequence

from cryopick_ray.errors import PicksError
from cryopick_ray.picks.shards import Coverage, PickShards
from cryopick_ray.store.manifest import ManifestRow


def covered_ids(shards: PickShards, manifest: Mapping[str, ManifestRow]) -> tuple[set[str], list[str]]:
    """Return the ids in valid shards and what was wrong with the others; each shard is read once.

    A damaged shard is removed, so that its micrographs count as pending and can be published again.

    Raises
    ------
    PicksError
        If a shard was picked from another micrograph than the store's of the same name; it is named.
    """
    covered: set[str] = set()
    complaints: list[str] = []
    for key, lines in shards.coverages(verified=True):
        if isinstance(lines, PicksError):
            shards.delete(key)
            complaints.append(str(lines))
            continue
        _check_same(shards, lines, manifest)
        covered.update(line.micrograph_id for line in lines)
    return covered, complaints


def _check_same(shards: PickShards, lines: Sequence[Coverage], manifest: Mapping[str, ManifestRow]) -> None:
    for line in lines:
        row = manifest.get(line.micrograph_id)
        if row is not None and row.status == "complete" and row.checksum != line.checksum:
            raise PicksError(
                f"{shards.place.url} holds picks of another {line.micrograph_id} than the store's; "
                "choose another folder of picks (`out`)"
            )
