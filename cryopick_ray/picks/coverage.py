"""Which shard counts for each micrograph, where several cover it."""

from collections.abc import Mapping, Sequence

from cryopick_ray.errors import PicksError
from cryopick_ray.picks.shard import Coverage
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.store.manifest import ManifestRow


def is_stale(line: Coverage, row: ManifestRow | None) -> bool:
    """Tell whether picks are of an image that a store does not hold under that name, or leaves out."""
    return row is not None and (row.status != "complete" or row.checksum != line.checksum)


def coverage(
    shards: PickShards, manifest: Mapping[str, ManifestRow], keys: Sequence[str] | None = None
) -> dict[str, tuple[str, Coverage]]:
    """Return, per micrograph id, the shard that counts for it and its coverage there.

    Picks of an image that the store does not hold any more count for nothing.

    A worker that was cut off may publish what others have done meanwhile, in a unit of another cut.
    Whichever shards cover an id, one counts: one that completed it before one where it failed, then
    that of the smallest key. Candidates are not read.

    Parameters
    ----------
    keys
        Of the shards that count; ``None`` for all there are.

    Raises
    ------
    PicksError
        If a shard's coverage is damaged.
    """
    covered: dict[str, tuple[str, Coverage]] = {}
    for key, lines in shards.coverages(verified=False, keys=keys):
        if isinstance(lines, PicksError):
            raise lines
        for line in lines:
            if is_stale(line, manifest.get(line.micrograph_id)):
                continue
            earlier = covered.get(line.micrograph_id)
            if earlier is None or (earlier[1].status, line.status) == ("failed", "complete"):
                covered[line.micrograph_id] = key, line
    return covered
