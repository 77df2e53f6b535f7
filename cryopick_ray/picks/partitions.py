"""Partitions of the table: runs of consecutive micrographs, by their ids and counts alone."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from cryopick_ray.picks.schema import PickedMicrograph
from cryopick_ray.picks.shard import Coverage

PARTITION_ROWS = 500_000
"""Rows of a partition at most, where one micrograph has no more."""


@dataclass(frozen=True)
class Partition:
    """Consecutive micrographs of one data set that have candidates, or are to get some.

    Attributes
    ----------
    number
        Place among those of the data set.
    micrographs
        Sorted by id.
    keys
        The shard that holds each one's candidates.
    rows
        Candidates of all of them.
    """

    dataset: str
    number: int
    micrographs: tuple[PickedMicrograph, ...]
    keys: tuple[str, ...]
    rows: int


def plan_partitions(
    micrographs: Iterable[PickedMicrograph],
    covered: Mapping[str, tuple[str, Coverage]],
    also: Collection[str] = (),
) -> list[Partition]:
    """Cut micrographs with candidates, and ``also`` some others, into runs of ``PARTITION_ROWS`` or so."""
    partitions: list[Partition] = []
    members: list[PickedMicrograph] = []
    number = rows = 0
    dataset = ""

    def close() -> None:
        if members:
            keys = tuple(covered[micrograph.micrograph_id][0] for micrograph in members)
            partitions.append(Partition(dataset, number, tuple(members), keys, rows))

    for micrograph in sorted(micrographs, key=lambda m: (m.dataset, m.micrograph_id)):
        count = covered[micrograph.micrograph_id][1].count if micrograph.micrograph_id in covered else 0
        is_wanted = micrograph.status == "complete" and micrograph.micrograph_id in also
        if count == 0 and not is_wanted:
            continue
        if micrograph.dataset != dataset or rows + count > PARTITION_ROWS:
            close()
            number = number + 1 if members and micrograph.dataset == dataset else 0
            members, rows, dataset = [], 0, micrograph.dataset
        members.append(micrograph)
        rows += count
    close()
    return partitions
