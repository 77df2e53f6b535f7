"""The candidates of consecutive micrographs, gathered from their shards in the table's order."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise, starmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import PicksError
from cryopick_ray.picks.columns import COLUMNS, Columns, among, joined, taken
from cryopick_ray.picks.partitions import Partition
from cryopick_ray.picks.reasons import none
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.picks.shards import PickShards


@dataclass(frozen=True)
class _Rows:
    """Candidates: at which place of a partition each one's micrograph is, and the columns."""

    place: NDArray[np.intp]
    columns: Columns
    more: Columns

    def take(self, chosen: Any) -> "_Rows":
        return _Rows(self.place[chosen], taken(self.columns, chosen), taken(self.more, chosen))


_OWN = ("x_px", "y_px", "score", "junk")


def gather(shards: PickShards, part: Partition, diameter_A: float, model: str) -> Iterator[MicrographPicks]:
    """Yield the micrographs of a partition with their candidates, nothing of which is kept out yet.

    Raises
    ------
    PicksError
        If a shard is damaged, or others than those that were planned for are there.
    """
    rows = _rows(shards, part)
    ends = np.searchsorted(rows.place, np.arange(len(part.micrographs) + 1)).tolist()
    for micrograph, own in zip(part.micrographs, starmap(slice, pairwise(ends)), strict=True):
        columns = taken(rows.columns, own)
        yield MicrographPicks(
            micrograph,
            columns["x_px"],
            columns["y_px"],
            columns["score"],
            none(own.stop - own.start),
            diameter_A,
            junk=columns["junk"],
            more=taken(rows.more, own),
            model=model,
        )


def _rows(shards: PickShards, part: Partition) -> _Rows:
    places = {micrograph.micrograph_id: place for place, micrograph in enumerate(part.micrographs)}
    found = [_own(shards, key, part, places) for key in dict.fromkeys(part.keys)]
    place = np.concatenate([rows.place for rows in found])
    if len(place) != part.rows:
        raise PicksError(f"shards in {shards.place.url} changed while the table was made; make it again")
    columns = {name: np.concatenate([rows.columns[name] for rows in found]) for name in _OWN}
    rows = _Rows(place, columns, joined([(len(rows.place), rows.more) for rows in found]))
    if _in_order(keys := (place, -columns["score"], columns["y_px"], columns["x_px"])):
        return rows
    return rows.take(np.lexsort(keys[::-1]))


def _in_order(keys: Iterable[NDArray[Any]]) -> bool:
    """Tell whether rows are sorted by these columns, as they are where one run picked all micrographs."""
    tied: NDArray[np.bool_] | bool = True
    for key in keys:
        step = np.diff(key)
        if np.any(tied & (step < 0)):
            return False
        tied = tied & (step == 0)
    return True


def _own(shards: PickShards, key: str, part: Partition, places: Mapping[str, int]) -> _Rows:
    """Return the candidates that a partition takes from one shard."""
    rows, lines = shards.read(key)
    wanted = [places.get(line.micrograph_id, -1) for line in lines]
    wanted = [place if place >= 0 and part.keys[place] == key else -1 for place in wanted]
    place = np.repeat(np.array(wanted, np.intp), [line.count for line in lines])
    columns = {name: rows[name].to_numpy() for name in _OWN}
    more = {name: COLUMNS[name].to_numpy(rows[name]) for name in among(rows.column_names)}
    return _Rows(place, columns, more).take(place >= 0)
