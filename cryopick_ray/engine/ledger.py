"""What is done already: the ids in valid shards, and nothing else."""

from collections.abc import Mapping

from cryopick_ray.errors import PicksError
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.store.manifest import ManifestRow


def check_same_micrographs(shards: PickShards, manifest: Mapping[str, ManifestRow]) -> None:
    """Refuse shards that were picked from other micrographs of the same names.

    Raises
    ------
    PicksError
        Naming the first micrograph whose source file is another one.
    """
    for key in shards.published():
        for line in shards.read(key)[1]:
            row = manifest.get(line.micrograph_id)
            if row is not None and row.status == "complete" and row.checksum != line.checksum:
                raise PicksError(
                    f"{shards.place.url} holds picks of another {line.micrograph_id} than the store's; "
                    "choose another folder of picks (--out)"
                )


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
