"""The candidates of consecutive micrographs, gathered from their shards in the table's order."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cryopick_ray.errors import PicksError
from cryopick_ray.picks.outside import Masked, Places
from cryopick_ray.picks.schema import SHARD
from cryopick_ray.picks.shards import PickShards

Floats = NDArray[np.float32]
Columns = tuple[NDArray[np.intp], Floats, Floats, Floats, NDArray[np.uint8]]
"""At which place of a partition each candidate's micrograph is; its column, row, score and code of junk."""


@dataclass(frozen=True)
class Partition:
    """Consecutive micrographs of one data set.

    Attributes
    ----------
    micrograph_ids
        Sorted.
    keys
        The shard that holds each one's candidates.
    rows
        Candidates of all of them.
    """

    dataset: str
    micrograph_ids: tuple[str, ...]
    keys: tuple[str, ...]
    rows: int


def gather(shards: PickShards, part: Partition, masked: Masked) -> pa.Table:
    """Return the candidates of a partition's micrographs, sorted by id, falling score, y, x.

    Their junk is what the model saw, and over it what masks of the user exclude.
    """
    place, x, y, score, junk = _columns(shards, part)
    for name, own in _runs(part, place) if masked.packed else ():
        masked.mark(name, junk[own])
    names = pa.array(part.micrograph_ids, pa.string()).take(place)
    columns = {"micrograph_id": names, "x_px": x, "y_px": y, "score": score, "junk": junk}
    return pa.table(columns, schema=SHARD)


def places(shards: PickShards, part: Partition) -> dict[str, Places]:
    """Return where each micrograph of a partition has its candidates, in the order of :func:`gather`."""
    place, x, y, *_ = _columns(shards, part)
    return {name: (x[own], y[own]) for name, own in _runs(part, place)}


def _columns(shards: PickShards, part: Partition) -> Columns:
    places = {name: place for place, name in enumerate(part.micrograph_ids)}
    found = [_own(shards, key, part, places) for key in dict.fromkeys(part.keys)]
    place, x, y, score, junk = (np.concatenate(column) for column in zip(*found, strict=True))
    if len(place) != part.rows:
        raise PicksError(f"shards in {shards.place.url} changed while the table was made; make it again")
    if not _in_order(keys := (place, -score, y, x)):
        order = np.lexsort(keys[::-1])
        place, x, y, score, junk = (column[order] for column in (place, x, y, score, junk))
    return place, x, y, score, junk


def _runs(part: Partition, place: NDArray[np.intp]) -> Iterator[tuple[str, slice]]:
    """Yield each micrograph that has candidates, and its rows."""
    starts = np.flatnonzero(np.diff(place, prepend=-1)).tolist()
    for start, end in zip(starts, [*starts[1:], len(place)], strict=True):
        yield part.micrograph_ids[int(place[start])], slice(start, end)


def _in_order(keys: Iterable[NDArray[Any]]) -> bool:
    """Tell whether rows are sorted by these columns, as they are where one run picked all micrographs."""
    tied: NDArray[np.bool_] | bool = True
    for key in keys:
        step = np.diff(key)
        if np.any(tied & (step < 0)):
            return False
        tied = tied & (step == 0)
    return True


def _own(shards: PickShards, key: str, part: Partition, places: Mapping[str, int]) -> Columns:
    """Return the candidates that a partition takes from one shard."""
    rows, lines = shards.read(key)
    wanted = [places.get(line.micrograph_id, -1) for line in lines]
    wanted = [place if place >= 0 and part.keys[place] == key else -1 for place in wanted]
    place = np.repeat(wanted, [line.count for line in lines])
    keep = place >= 0
    x, y, score, junk = (rows[name].to_numpy()[keep] for name in ("x_px", "y_px", "score", "junk"))
    return place[keep], x, y, score, junk
