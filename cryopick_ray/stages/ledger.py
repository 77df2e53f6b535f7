"""What is done already: the ids in valid shards, and nothing else."""

from collections.abc import Mapping

from cryopick_ray.errors import PicksError
from cryopick_ray.picks.coverage import is_stale
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.store.manifest import ManifestRow


def covered_ids(shards: PickShards, manifest: Mapping[str, ManifestRow]) -> tuple[dict[str, str], list[str]]:
    """Return the ids in valid shards, each with the checksum of its file, and what is wrong with the others.

    Each shard is read once. A damaged one is removed, so that its micrographs count as pending and can be
    published again. Picks of another image than the store's of the same name count for nothing.
    """
    covered: dict[str, str] = {}
    stale: set[str] = set()
    complaints: list[str] = []
    for key, lines in shards.coverages(verified=True):
        if isinstance(lines, PicksError):
            shards.delete(key)
            complaints.append(str(lines))
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
