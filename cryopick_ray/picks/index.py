"""The index of a table: one Parquet row a micrograph, how it all came about, and checksums of the parts."""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cryopick_ray.errors import PicksError, brief
from cryopick_ray.micrographs.junk import read_shares
from cryopick_ray.picks.schema import PickedMicrograph
from cryopick_ray.store.parquet import crc32c, read_parquet
from cryopick_ray.store.place import Place
from cryopick_ray.units import Optics

INDEX = "_micrographs.parquet"
"""Parquet readers pass over names with a leading underscore, so ``table/`` reads as picks alone."""

BY_DICTIONARY = pa.dictionary(pa.int32(), pa.string())
INDEX_ROWS = 50_000
"""Micrographs that are turned from rows to columns and back at once."""
AGAIN = "make the table again, by `resume` if it is a run's"
_PARTS, _MADE, _CRC = b"cryopick.parts", b"cryopick.made", b"cryopick.index_crc"
"""Where the index keeps the checksums of the parts, how they were made, and a checksum of it all."""
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
        pa.field("candidates", pa.int64()),
        pa.field("picks", pa.int64()),
        pa.field("mean_score", pa.float64()),
        pa.field("just_below", pa.int64()),
        pa.field("on_junk", pa.int64()),
        pa.field("verdict", pa.string(), nullable=False),
        pa.field("reasons", pa.string(), nullable=False),
        pa.field("excluded", pa.bool_(), nullable=False),
    ]
)
_KEEP_JUNK = pa.field("keep_junk", pa.bool_(), nullable=False)
"""What tables have that do not say why candidates are not picked."""
_PLAIN = [field.name for field in fields(PickedMicrograph) if field.name in _INDEX.names]
"""What an index has of a micrograph as it is."""
_READ = _INDEX.insert(_INDEX.get_field_index("candidates"), _KEEP_JUNK)
"""In the order of earlier versions, which their checksums are of."""
_JUDGED = ("candidates", "picks", "mean_score", "just_below", "on_junk", "verdict", "reasons")
_LATER = ("optics_group", "listed", "inverted", "mask", "junk_share", _KEEP_JUNK.name, *_JUDGED, "excluded")
"""Columns that indexes of earlier versions lack."""


@dataclass(frozen=True)
class TableHistory:
    """Version, sources, passes and thresholds that made a table.

    Attributes
    ----------
    version
        Of this package.
    of
        What it was made of: the digest of picks, or the tables and files that it joins.
    passes
        What was done to its candidates, in order: each with its name and settings.
    thresholds
        Where each data set was cut, and how that was found.
    """

    version: str = ""
    of: tuple[str, ...] = ()
    passes: tuple[Mapping[str, Any], ...] = ()
    thresholds: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Index:
    """An index as it is read; ``keep_junk`` is of earlier tables, ``parts`` holds checksums by key."""

    micrographs: list[PickedMicrograph]
    diameter_A: float
    keep_junk: bool
    parts: Mapping[str, int]
    made: TableHistory


def dataset_folder(name: str) -> str:
    """Return the folder of a data set inside the table; quoting keeps unlike names apart."""
    return re.sub(r"[^A-Za-z0-9._-]|^[._]", lambda match: "%" + match[0].encode().hex(), name)


def write_index(
    table: Path, micrographs: Iterable[PickedMicrograph], diameter_A: float, made: TableHistory | None = None
) -> None:
    """Write the micrographs of a table's folder, sorted by data set and id, and vouch for its parts."""

    def row(micrograph: PickedMicrograph) -> dict[str, Any]:
        values = {name: getattr(micrograph, name) for name in _PLAIN}
        values["height_px"], values["width_px"] = micrograph.shape or (None, None)
        values |= {name: getattr(micrograph.optics, name) for name in _OPTICS if micrograph.optics}
        return {**values, "diameter_A": diameter_A}

    ordered = sorted(micrographs, key=lambda m: (m.dataset, m.micrograph_id))
    files = sorted(table.glob("*/*.parquet"))
    parts = {path.relative_to(table).as_posix(): crc32c(path.read_bytes()) for path in files}
    vouched = {_PARTS: json.dumps(parts).encode(), _MADE: json.dumps(asdict(made or TableHistory())).encode()}
    crc = _crc_of(vouched)
    with pq.ParquetWriter(table / INDEX, _INDEX, write_page_checksum=True) as writer:
        for start in range(0, len(ordered), INDEX_ROWS):
            block = ordered[start : start + INDEX_ROWS]
            rows = pa.Table.from_pylist([row(micrograph) for micrograph in block], schema=_INDEX)
            writer.write_table(rows)
            crc = crc32c(_content(rows.to_pylist()), crc)
        writer.add_key_value_metadata({**vouched, _CRC: b"%d" % crc})


def read_index(place: Place, data: bytes) -> Index:
    """Return what :func:`write_index` wrote, or an earlier version of it.

    Raises
    ------
    PicksError
        If it is damaged.
    """
    rows = read_rows(place, INDEX, data, _READ, may_lack=_LATER)
    vouched = pq.read_metadata(pa.BufferReader(data)).metadata or {}
    is_vouched = bool({_PARTS, _CRC} & vouched.keys())
    crc = _crc_of(vouched)
    micrographs: list[PickedMicrograph] = []
    first: dict[str, Any] = {}
    try:
        for start in range(0, len(rows), INDEX_ROWS):
            block = rows.slice(start, INDEX_ROWS).to_pylist()
            crc = crc32c(_content(block), crc) if is_vouched else crc
            first = first or dict(block[0])
            micrographs += map(_micrograph, block)
    except ValueError as error:
        raise PicksError(f"{place.url}/{INDEX} is damaged: {brief(error)}; {AGAIN}") from error
    parts, made = _vouched(place, vouched, crc) if is_vouched else ({}, TableHistory())
    diameter_A, keep_junk = float(first.get("diameter_A", 0.0)), bool(first.get(_KEEP_JUNK.name, False))
    return Index(micrographs, diameter_A, keep_junk, parts, made)


def read_rows(
    place: Place,
    key: str,
    data: bytes | None,
    schema: pa.Schema,
    may_lack: Collection[str] = (),
    texts: Collection[str] = (),
) -> pa.Table:
    """Return the columns of ``schema`` in a Parquet file of the table.

    Parameters
    ----------
    texts
        Columns of texts to read by dictionary, each text once.

    Raises
    ------
    PicksError
        If it is damaged.
    """
    try:
        rows = read_parquet(data, texts)
        present = [kind for kind in schema if kind.name in rows.column_names or kind.name not in may_lack]
        schema = pa.schema(
            [kind.with_type(BY_DICTIONARY) if kind.name in texts else kind for kind in present]
        )
        rows = rows.select(schema.names).cast(schema)
        rows.validate(full=True)  # texts that are none
        if any(column.null_count for column, kind in zip(rows, schema, strict=True) if not kind.nullable):
            raise ValueError("values are missing")
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
        raise PicksError(f"{place.url}/{key} is damaged: {brief(error)}; {AGAIN}") from error
    return rows


def _micrograph(row: dict[str, Any]) -> PickedMicrograph:
    del row["diameter_A"]
    row.pop(_KEEP_JUNK.name, None)
    height, width = row.pop("height_px"), row.pop("width_px")
    shape = None if height is None else (height, width)
    optics = {name: row.pop(name) for name in _OPTICS}
    seen = None if None in optics.values() else Optics(**optics)
    read_shares(row.get("junk_share", ""))  # others rely on it
    return PickedMicrograph(shape=shape, optics=seen, **row)


def _crc_of(vouched: Mapping[bytes, bytes]) -> int:
    return crc32c(vouched.get(_MADE, b""), crc32c(vouched.get(_PARTS, b"")))


def _content(rows: list[dict[str, Any]]) -> bytes:
    """Return the content of an index's rows, however its file is laid out."""
    return json.dumps(rows).encode()


def _vouched(place: Place, found: Mapping[bytes, bytes], crc: int) -> tuple[Mapping[str, int], TableHistory]:
    """Return the checksums of the table's parts and how it was made, once the index's own is found right.

    Tables of earlier versions have none; no single flaw makes one look like that and changes its rows.
    """
    if found.get(_CRC) != b"%d" % crc:
        raise PicksError(f"{place.url}/{INDEX} is damaged: its checksum is wrong; {AGAIN}")
    return json.loads(found[_PARTS]), _made(json.loads(found.get(_MADE, b"{}")))


def _made(plain: Mapping[str, Any]) -> TableHistory:
    return TableHistory(
        plain.get("version", ""),
        tuple(plain.get("of", ())),
        tuple(plain.get("passes", ())),
        plain.get("thresholds", {}),
    )
