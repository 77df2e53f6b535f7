"""What is done already: the ids in valid shards, and nothing else."""

from cryopick_ray.errors import PicksError
from cryopick_ray.picks.shards import PickShards


def covered_ids(shards: PickShards) -> tuple[set[str], list[str]]:
    """Return the ids in valid shards and what was wrong with the others.

    A damaged shard is removed, so that its micrographs count as pending and can be published again.
    """
    covered: set[str] = set()
    complaints: list[str] = []
    for key in shards.published():
        try:
            lines = shards.read(key)[1]
        except PicksError as error:
            shards.delete(key)
            complaints.append(f"{error}; its micrographs are picked again")
            continue
        covered.update(line.micrograph_id for line in lines)
    return covered, complaints
