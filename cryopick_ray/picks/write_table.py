"""Writing of a table from picks of micrographs."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cryopick_ray import __version__
from cryopick_ray.errors import PicksError, UsageError
from cryopick_ray.micrographs.junk import KINDS
from cryopick_ray.picks import partitions
from cryopick_ray.picks.columns import COLUMNS, concatenated, fields
from cryopick_ray.picks.index import INDEX, TableHistory, dataset_folder, write_index
from cryopick_ray.picks.reasons import to_words
from cryopick_ray.picks.schema import PICKS, MicrographPicks, PickedMicrograph
from cryopick_ray.picks.shard import encodings
from cryopick_ray.store.publish import whole_folder


def write_table(picks: Iterable[MicrographPicks], out: Path, made: TableHistory | None = None) -> None:
    """Write picks of micrographs as the table at ``out``, in bounded memory.

    Parameters
    ----------
    picks
        Every micrograph once, by data set and then id, failed ones and those without candidates included;
        candidates of each in any order.
    made
        History to record in the table.

    Raises
    ------
    UsageError
        If ``out`` is there and is no table.
    PicksError
        If micrographs are not in order, or their diameters differ.
    """
    check_replaceable(out)
    seen: list[PickedMicrograph] = []
    diameters: set[float] = set()
    with whole_folder(out) as aside:
        numbers: dict[str, int] = {}
        for part in _parts(_in_order(picks, seen.append, diameters.add)):
            dataset = part[0].micrograph.dataset
            number = numbers[dataset] = numbers.get(dataset, -1) + 1
            write_part(part, aside, number)
        if len(diameters) > 1:
            raise PicksError(f"diameters of {min(diameters):g} and {max(diameters):g} A in one table")
        write_index(
            aside, seen, next(iter(diameters), 0.0), replace(made or TableHistory(), version=__version__)
        )


def check_replaceable(out: Path) -> None:
    """Refuse to write a table where something else is.

    Raises
    ------
    UsageError
        If there is more in a folder than a table, whole or not.
    """
    files = [path.relative_to(out) for path in out.rglob("*") if not path.is_dir()] if out.is_dir() else []
    is_table = all(str(path) == INDEX or path.match("*/part-*.parquet") for path in files)
    if out.exists() and not (out.is_dir() and is_table):
        raise UsageError(f"{out} is there and is no table; choose another `out`")


def write_part(micrographs: Sequence[MicrographPicks], table: Path, number: int) -> None:
    """Write consecutive micrographs of one data set as a part of a table: equal picks, equal bytes."""
    folder = table / dataset_folder(micrographs[0].micrograph.dataset)
    folder.mkdir(parents=True, exist_ok=True)
    rows = rows_of(micrographs)
    pq.write_table(
        rows.replace_schema_metadata({b"cryopick.version": __version__.encode()}),
        folder / f"part-{number:05d}.parquet",
        compression="zstd",
        write_page_checksum=True,
        **encodings(rows.schema),
    )


def rows_of(micrographs: Sequence[MicrographPicks]) -> pa.Table:
    """Return the rows of a table for micrographs' candidates."""
    counts = [len(candidates) for candidates in micrographs]

    def repeated(values: Iterable[str]) -> pa.Array:
        return pa.array(list(values), pa.string()).take(
            pa.array(np.repeat(np.arange(len(micrographs)), counts))
        )

    junk = np.concatenate(
        [
            np.zeros(len(candidates), np.uint8) if candidates.junk is None else candidates.junk
            for candidates in micrographs
        ]
    )
    unpicked = np.concatenate([candidates.unpicked for candidates in micrographs])
    columns = {
        "dataset": repeated(candidates.micrograph.dataset for candidates in micrographs),
        "micrograph_id": repeated(candidates.micrograph.micrograph_id for candidates in micrographs),
        **{
            name: np.concatenate([getattr(candidates, name) for candidates in micrographs])
            for name in ("x_px", "y_px", "score")
        },
        "diameter_A": np.repeat(
            np.array([candidates.diameter_A for candidates in micrographs], np.float32), counts
        ),
        "model": repeated(candidates.model for candidates in micrographs),
        "picked": unpicked == 0,
        "unpicked": to_words(unpicked),
        "junk": pa.array(KINDS).take(pa.array(junk)),
    }
    more = concatenated([(len(candidates), candidates.more) for candidates in micrographs])
    optional = {name: COLUMNS[name].to_arrow(values) for name, values in more.items()}
    return pa.table({**columns, **optional}, schema=pa.schema([*PICKS, *fields(more)]))


def _in_order(
    picks: Iterable[MicrographPicks],
    see: Callable[[PickedMicrograph], None],
    measure: Callable[[float], None],
) -> Iterator[MicrographPicks]:
    """Yield micrographs with sorted candidates, calling ``see`` and ``measure``; refuse unsorted input."""
    before = ("", "")
    for candidates in picks:
        micrograph = candidates.micrograph
        if (key := (micrograph.dataset, micrograph.micrograph_id)) <= before:
            raise PicksError(
                f"micrograph {key[1]!r} comes after {before[1]!r}; expected them sorted, once each"
            )
        before = key
        see(micrograph)
        measure(candidates.diameter_A)
        yield candidates.best_first()


def _parts(picks: Iterable[MicrographPicks]) -> Iterator[list[MicrographPicks]]:
    """Yield micrographs with candidates in runs of one data set, as :func:`plan_partitions` cuts them."""
    micrographs: list[MicrographPicks] = []
    rows = 0
    for candidates in chain(picks, [None]):
        if candidates is not None and not len(candidates):
            continue
        ends = candidates is None or (
            micrographs
            and (
                candidates.micrograph.dataset != micrographs[0].micrograph.dataset
                or rows + len(candidates) > partitions.PARTITION_ROWS
            )
        )
        if ends:
            if micrographs:
                yield micrographs
            micrographs, rows = [], 0
        if candidates is not None:
            micrographs.append(candidates)
            rows += len(candidates)
