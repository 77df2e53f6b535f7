"""Reading a finished table: one Parquet row a candidate, and an index with one row a micrograph."""

import json
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cryopick_ray.errors import PicksError, StoreError, brief
from cryopick_ray.micrographs.junk import KINDS, Junk, read_shares
from cryopick_ray.picks.schema import PICKS, MicrographPicks, PickedMicrograph
from cryopick_ray.picks.verdict import NO_MICROGRAPH
from cryopick_ray.store.parquet import crc32c, read_parquet
from cryopick_ray.store.place import Place, is_bucket
from cryopick_ray.units import Optics

INDEX = "_micrographs.parquet"
"""Parquet readers pass over names with a leading underscore, so ``table/`` reads as picks alone."""

INDEX_ROWS = 50_000
"""Micrographs that are turned from rows to columns and back at once."""
_PARTS, _CRC = b"cryopick.parts", b"cryopick.index_crc"
"""Where the index keeps the checksums of the parts, and that of these and its own rows."""
_AGAIN = "make the table again, by `resume` if it is a run's"
_OPTICS = ("voltage_kV", "spherical_aberration_mm", "amplitude_contrast")
_INDEX = pa.schema(
    [
        pa.field("dataset", pa.string(), nullable=False),
        pa.field("micrograph_id", pa.string(), nullable=False),
        pa.field("relion_name", pa.string(), nullable=False),
        pa.field("height_px", pa.int64()),
        pa.field("width_px", pa.int64()),
        pa.field("pixel_size_A", pa.float64()),
        *(pa.field(name, pa.float64()) for name in _OPTICS),
        pa.field("status", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("diameter_A", pa.float64(), nullable=False),
        pa.field("optics_group", pa.string(), nullable=False),
        pa.field("listed", pa.string(), nullable=False),
        pa.field("inverted", pa.bool_(), nullable=False),
        pa.field("mask", pa.string(), nullable=False),
        pa.field("junk_share", pa.string(), nullable=False),
        pa.field("keep_junk", pa.bool_(), nullable=False),
        pa.field("candidates", pa.int64()),
        pa.field("picks", pa.int64()),
        pa.field("mean_score", pa.float64()),
        pa.field("just_below", pa.int64()),
        pa.field("on_junk", pa.int64()),
        pa.field("verdict", pa.string(), nullable=False),
        pa.field("reasons", pa.string(), nullable=False),
    ]
)
_JUDGED = ("candidates", "picks", "mean_score", "just_below", "on_junk", "verdict", "reasons")
_LATER = ("optics_group", "listed", "inverted", "mask", "junk_share", "keep_junk", *_JUDGED)
"""Columns that indexes of earlier versions lack."""


def dataset_folder(name: str) -> str:
    """Return the folder of a data set inside the table; quoting keeps unlike names apart."""
    return re.sub(r"[^A-Za-z0-9._-]|^[._]", lambda match: "%" + match[0].encode().hex(), name)


def write_index(
    table: Path, micrographs: Iterable[PickedMicrograph], diameter_A: float, *, keep_junk: bool = False
) -> None:
    """Write the micrographs of a table's folder, sorted by data set and id, and vouch for its parts."""

    def row(micrograph: PickedMicrograph) -> dict[str, Any]:
        values = asdict(micrograph)
        values["height_px"], values["width_px"] = values.pop("shape") or (None, None)
        values.update(values.pop("optics") or {})
        return {**values, "diameter_A": diameter_A, "keep_junk": keep_junk}

    ordered = sorted(micrographs, key=lambda m: (m.dataset, m.micrograph_id))
    files = sorted(table.glob("*/*.parquet"))
    parts = {path.relative_to(table).as_posix(): crc32c(path.read_bytes()) for path in files}
    vouched = json.dumps(parts).encode()
    crc = crc32c(vouched)
    with pq.ParquetWriter(table / INDEX, _INDEX, write_page_checksum=True) as writer:
        for start in range(0, len(ordered), INDEX_ROWS):
            some = ordered[start : start + INDEX_ROWS]
            rows = pa.Table.from_pylist([row(one) for one in some], schema=_INDEX)
            writer.write_table(rows)
            crc = crc32c(_content(rows), crc)
        writer.add_key_value_metadata({_PARTS: vouched, _CRC: b"%d" % crc})


class PickTable:
    """The table in a folder or a bucket; iterating yields micrographs in its order, in bounded memory."""

    def __init__(self, where: str | Path) -> None:
        place = _place(where)
        data = None if place is None else place.get(INDEX)
        if place is None or data is None:
            raise PicksError(f"{where} is not a table of picks; `cryopick table` makes one of picks")
        self.place = place
        rows = _rows(place, INDEX, data, _INDEX, may_lack=_LATER)
        self._parts = _vouched(place, data, rows)
        first = rows.slice(0, 1).to_pylist()[0] if len(rows) else {}
        self.diameter_A = float(first.get("diameter_A", 0.0))
        self.keep_junk = bool(first.get("keep_junk", False))
        some = rows.to_batches(INDEX_ROWS)
        try:
            self.micrographs = [_micrograph(row) for batch in some for row in batch.to_pylist()]
        except ValueError as error:
            raise PicksError(f"{place.url}/{INDEX} is damaged: {brief(error)}; {_AGAIN}") from error

    def __iter__(self) -> Iterator[MicrographPicks]:
        """Yield every micrograph, those without candidates and failed ones included."""
        found = self._candidates()
        ahead = next(found, None)
        for micrograph in self.micrographs:
            if ahead is not None and ahead[0] == micrograph.micrograph_id:
                rows, ahead = ahead[1], next(found, None)
            else:
                rows = PICKS.empty_table()
            columns = {name: rows[name].to_numpy() for name in ("x_px", "y_px", "score", "picked")}
            yield MicrographPicks(
                micrograph,
                **columns,
                diameter_A=self.diameter_A,
                junk=_codes(rows["junk"]),
                keep_junk=self.keep_junk,
            )
        if ahead is not None:
            raise PicksError(f"{self.place.url} has picks of {ahead[0]}, which its index does not list there")

    def parts(self) -> Iterator[pa.Table]:
        """Yield the rows of all candidates, a file at a time."""
        for dataset in dict.fromkeys(m.dataset for m in self.micrographs):
            folder = dataset_folder(dataset)
            for key in self._keys(folder):
                table = _rows(self.place, key, self._whole(key), PICKS, may_lack=("junk",))
                if not len(table):
                    raise PicksError(f"{self.place.url}/{key} is damaged: it has no rows; {_AGAIN}")
                if "junk" not in table.column_names:
                    nothing = pa.repeat(pa.scalar(KINDS[0]), len(table))
                    table = table.append_column(PICKS.field("junk"), nothing)
                yield table

    def _candidates(self) -> Iterator[tuple[str, pa.Table]]:
        """Yield ids and rows of the micrographs that have candidates."""
        for table in self.parts():
            names = table["micrograph_id"].combine_chunks().dictionary_encode()
            codes = names.indices.to_numpy()
            starts = np.flatnonzero(np.diff(codes, prepend=-1))
            ends = np.append(starts[1:], len(codes))
            for start, end in zip(starts, ends, strict=True):
                yield names.dictionary[int(codes[start])].as_py(), table.slice(start, end - start)

    def _keys(self, folder: str) -> list[str]:
        """Return the keys of a data set's parts, which are those that the index vouches for."""
        found = [
            key
            for key in self.place.find(folder)
            if re.fullmatch(r"part-\d+\.parquet", key.removeprefix(f"{folder}/"))
        ]
        listed = [key for key in self._parts or found if key.startswith(f"{folder}/")]
        if wrong := sorted(set(found) ^ set(listed)):
            verb = "is missing" if wrong[0] in listed else "is not part of this table"
            raise PicksError(f"{self.place.url}/{wrong[0]} {verb}; {_AGAIN}")
        return found

    def _whole(self, key: str) -> bytes | None:
        """Return a part that is as it was written."""
        data = self.place.get(key)
        if self._parts and crc32c(data or b"") != self._parts[key]:
            raise PicksError(f"{self.place.url}/{key} is damaged: its checksum is wrong; {_AGAIN}")
        return data


def open_table(where: str | Path) -> PickTable:
    """Open a table, or the table of a run, in a folder or a bucket."""
    inside = f"{where}/table"
    place = _place(inside)
    return PickTable(where if place is None or place.size(INDEX) is None else inside)


def recut(picks: Iterable[MicrographPicks], threshold: float) -> Iterator[MicrographPicks]:
    """Yield the same candidates, picked where ``score >= threshold`` and nothing keeps them out.

    Junk does, and nothing is picked of what is no micrograph.
    """
    for one in picks:
        is_one = one.micrograph.verdict != NO_MICROGRAPH
        yield replace(one, picked=(one.score >= np.float32(threshold)) & ~one.is_kept_out & is_one)


def _codes(kinds: pa.ChunkedArray) -> NDArray[np.uint8]:
    """Return what :data:`KINDS` calls candidates' junk as its codes; kinds of later versions as masked."""
    codes = pc.fill_null(pc.index_in(kinds, pa.array(KINDS)), int(Junk.MASKED))
    return np.asarray(codes.to_numpy(), np.uint8)


def _micrograph(row: dict[str, Any]) -> PickedMicrograph:
    del row["diameter_A"]
    row.pop("keep_junk", None)
    height, width = row.pop("height_px"), row.pop("width_px")
    shape = None if height is None else (height, width)
    optics = {name: row.pop(name) for name in _OPTICS}
    seen = None if None in optics.values() else Optics(**optics)
    read_shares(row.get("junk_share", ""))  # others rely on it
    return PickedMicrograph(shape=shape, optics=seen, **row)


def _place(where: str | Path) -> Place | None:
    """Return a folder or bucket, or ``None`` if there is no such folder."""
    try:
        return Place(str(where))
    except StoreError:
        if is_bucket(str(where)):
            raise
        return None


def _content(rows: pa.Table) -> bytes:
    """Return the content of an index's rows, however its file is laid out."""
    return json.dumps(rows.to_pylist()).encode()


def _vouched(place: Place, data: bytes, rows: pa.Table) -> dict[str, int]:
    """Return the checksums of the table's parts, once those of the index's own ``rows`` are found right.

    Tables of earlier versions have none; no single flaw makes one look like that and changes its rows.
    """
    found = pq.read_metadata(pa.BufferReader(data)).metadata or {}
    if not {_PARTS, _CRC} & found.keys():
        return {}
    crc = crc32c(found.get(_PARTS, b""))
    for start in range(0, len(rows), INDEX_ROWS):
        crc = crc32c(_content(rows.slice(start, INDEX_ROWS)), crc)
    if found.get(_CRC) != b"%d" % crc:
        raise PicksError(f"{place.url}/{INDEX} is damaged: its checksum is wrong; {_AGAIN}")
    parts: dict[str, int] = json.loads(found[_PARTS])
    return parts


def _rows(
    place: Place, key: str, data: bytes | None, schema: pa.Schema, may_lack: Collection[str] = ()
) -> pa.Table:
    """Return the columns of ``schema`` in a Parquet file of the table."""
    try:
        rows = read_parquet(data)
        there = [one for one in schema if one.name in rows.column_names or one.name not in may_lack]
        schema = pa.schema(there)
        rows = rows.select(schema.names).cast(schema)
        rows.validate(full=True)  # texts that are none
        if any(column.null_count for column, kind in zip(rows, schema, strict=True) if not kind.nullable):
            raise ValueError("values are missing")
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
        raise PicksError(f"{place.url}/{key} is damaged: {brief(error)}; {_AGAIN}") from error
    return rows
