"""Picks of micrographs -> the files of a table."""

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
from cryopick_ray.picks.columns import COLUMNS, fields, joined
from cryopick_ray.picks.index import INDEX, Made, dataset_folder, write_index
from cryopick_ray.picks.reasons import to_words
from cryopick_ray.picks.schema import PICKS, MicrographPicks, PickedMicrograph
from cryopick_ray.picks.shard import encodings
from cryopick_ray.store.publish import whole_folder


def write_table(picks: Iterable[MicrographPicks], out: Path, made: Made | None = None) -> None:
    """Write the picks of micrographs from wherever as the table at ``out``, in bounded memory.

    Parameters
    ----------
    picks
        Every micrograph once, by data set and then id, failed ones and those without candidates included;
        candidates of each in any order.
    made
        What the table is said to be made of, by this version.

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
        for some in _parts(_in_order(picks, seen.append, diameters.add)):
            dataset = some[0].micrograph.dataset
            number = numbers[dataset] = numbers.get(dataset, -1) + 1
            write_part(some, aside, number)
        if len(diameters) > 1:
            raise PicksError(f"diameters of {min(diameters):g} and {max(diameters):g} A in one table")
        write_index(aside, seen, next(iter(diameters), 0.0), replace(made or Made(), version=__version__))


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


def write_part(some: Sequence[MicrographPicks], table: Path, number: int) -> None:
    """Write consecutive micrographs of one data set as a part of a table: equal picks, equal bytes."""
    folder = table / dataset_folder(some[0].micrograph.dataset)
    folder.mkdir(parents=True, exist_ok=True)
    rows = rows_of(some)
    pq.write_table(
        rows.replace_schema_metadata({b"cryopick.version": __version__.encode()}),
        folder / f"part-{number:05d}.parquet",
        compression="zstd",
        write_page_checksum=True,
        **encodings(rows.schema),
    )


def rows_of(some: Sequence[MicrographPicks]) -> pa.Table:
    """Return the rows of a table for micrographs' candidates."""
    counts = [len(one) for one in some]

    def repeated(values: Iterable[str]) -> pa.Array:
        return pa.array(list(values), pa.string()).take(pa.array(np.repeat(np.arange(len(some)), counts)))

    junk = np.concatenate([np.zeros(len(one), np.uint8) if one.junk is None else one.junk for one in some])
    unpicked = np.concatenate([one.unpicked for one in some])
    columns = {
        "dataset": repeated(one.micrograph.dataset for one in some),
        "micrograph_id": repeated(one.micrograph.micrograph_id for one in some),
        **{name: np.concatenate([getattr(one, name) for one in some]) for name in ("x_px", "y_px", "score")},
        "diameter_A": np.repeat(np.array([one.diameter_A for one in some], np.float32), counts),
        "model": repeated(one.model for one in some),
        "picked": unpicked == 0,
        "unpicked": to_words(unpicked),
        "junk": pa.array(KINDS).take(pa.array(junk)),
    }
    more = joined([(len(one), one.more) for one in some])
    optional = {name: COLUMNS[name].to_arrow(values) for name, values in more.items()}
    return pa.table({**columns, **optional}, schema=pa.schema([*PICKS, *fields(more)]))


def _in_order(
    picks: Iterable[MicrographPicks],
    see: Callable[[PickedMicrograph], None],
    measure: Callable[[float], None],
) -> Iterator[MicrographPicks]:
    """Yield micrographs, candidates sorted, having told what each is; refuse those that are out of order."""
    before = ("", "")
    for one in picks:
        about = one.micrograph
        if (key := (about.dataset, about.micrograph_id)) <= before:
            raise PicksError(
                f"micrograph {key[1]!r} comes after {before[1]!r}; expected them sorted, once each"
            )
        before = key
        see(about)
        measure(one.diameter_A)
        yield one.best_first()


def _parts(picks: Iterable[MicrographPicks]) -> Iterator[list[MicrographPicks]]:
    """Yield those that have candidates in runs of one data set, as :func:`plan_partitions` cuts them."""
    some: list[MicrographPicks] = []
    rows = 0
    for one in chain(picks, [None]):
        if one is not None and not len(one):
            continue
        ends = one is None or (
            some
            and (
                one.micrograph.dataset != some[0].micrograph.dataset
                or rows + len(one) > partitions.PARTITION_ROWS
            )
        )
        if ends:
            if some:
                yield some
            some, rows = [], 0
        if one is not None:
            some.append(one)
            rows += len(one)
