"""One shard as a file: the candidates of a work unit, and the micrographs that they cover."""

import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import fields as fields_of
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cryopick_ray.micrographs.junk import KINDS, read_shares
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.picks.columns import COLUMNS, OF_SHARDS, concatenated, fields, in_column_order
from cryopick_ray.picks.schema import SHARD, SHARD_READ
from cryopick_ray.store.manifest import Status
from cryopick_ray.store.parquet import crc_hex

MOST_ROWS = 2**24
"""Rows of a shard at most: a quarter of a million candidates in each of 64 micrographs."""
_COVERAGE, _COVERAGE_CRC, _ROWS_CRC = (
    b"cryopick." + name for name in (b"coverage", b"coverage_crc", b"rows_crc")
)
_JUNK = SHARD.field("junk")
_EARLIER = SHARD_READ.remove(SHARD_READ.get_field_index(_JUNK.name))


def _may_be(schema: pa.Schema) -> bool:
    """Tell whether shards have such columns: all of theirs, or earlier ones', and optional ones."""
    more = fields(name for name in in_column_order(schema.names) if name in OF_SHARDS)
    return any(schema.equals(pa.schema([*own, *more])) for own in (SHARD_READ, _EARLIER))


@dataclass(frozen=True, slots=True)
class Coverage:
    """One micrograph of a shard: how it went and how many candidates it has, zero included.

    Attributes
    ----------
    checksum
        Of the source file, as the store's manifest has it.
    inverted
        Whether its negative was picked; shards of earlier versions do not say it.
    mask, junk_share
        As in :class:`~cryopick_ray.picks.schema.PickedMicrograph`; earlier shards do not say it.
    """

    micrograph_id: str
    checksum: str
    status: Status
    reason: str
    count: int
    inverted: bool = False
    mask: str = ""
    junk_share: str = ""


_COLUMNS = tuple(field.name for field in fields_of(Coverage))


@dataclass(frozen=True)
class Picked:
    """What a worker found in one micrograph; candidates in pixels of the source micrograph."""

    micrograph_id: str
    checksum: str
    candidates: Candidates | None
    reason: str = ""
    inverted: bool = False
    mask: str = ""
    junk_share: str = ""

    @property
    def coverage(self) -> Coverage:
        """The micrograph's line in its shard."""
        status: Status = "failed" if self.candidates is None else "complete"
        count = len(self.candidates or ())
        facts = self.reason, count, self.inverted, self.mask, self.junk_share
        return Coverage(self.micrograph_id, self.checksum, status, *facts)


def encode_shard(picked: Iterable[Picked]) -> bytes:
    """Return a shard as Parquet bytes: equal picks give equal bytes."""
    picked = list(picked)
    with_candidates = [(p.micrograph_id, p.candidates) for p in picked if p.candidates is not None]
    names = pa.array([name for name, _ in with_candidates], pa.string())
    numbers = {
        "x_px": _joined([c.x for _, c in with_candidates]),
        "y_px": _joined([c.y for _, c in with_candidates]),
        "score": _joined([c.score for _, c in with_candidates]),
        _JUNK.name: _joined([_junk(c) for _, c in with_candidates], np.uint8),
    }
    more = {
        name: COLUMNS[name].to_arrow(values)
        for name, values in concatenated([(len(c), c.more) for _, c in with_candidates]).items()
    }
    lines = [p.coverage for p in picked]
    columns = {name: [getattr(line, name) for line in lines] for name in _COLUMNS}
    coverage = json.dumps(columns).encode()
    vouched = {
        _COVERAGE: coverage,
        _COVERAGE_CRC: crc_hex(coverage),
        _ROWS_CRC: crc_hex(
            *numbers.values(), *(COLUMNS[name].to_numpy(values) for name, values in more.items())
        ),
    }
    rows = pa.table(
        {"micrograph_id": names.take(_repeated([len(c) for _, c in with_candidates])), **numbers, **more},
        schema=pa.schema([*SHARD, *fields(more)], vouched),
    )
    buffer = io.BytesIO()
    pq.write_table(
        rows,
        buffer,
        compression="zstd",
        **encodings(rows.schema),
        write_page_checksum=True,
    )
    return buffer.getvalue()


def decode_coverage(data: bytes) -> list[Coverage]:
    """Return a shard's coverage; its candidates are neither read nor checked.

    Raises
    ------
    ValueError, TypeError, KeyError, pyarrow.ArrowException
        If it is missing, damaged or contradicts itself.
    """
    return _coverage(pq.read_metadata(pa.BufferReader(data)))


def decode_shard(data: bytes) -> tuple[pa.Table, list[Coverage]]:
    """Return what :func:`encode_shard` wrote, ids dictionary-encoded; rows and coverage must agree.

    Raises
    ------
    ValueError, TypeError, KeyError, pyarrow.ArrowException
        If anything is missing, damaged or contradicts itself.
    """
    file = pq.ParquetFile(
        pa.BufferReader(data), page_checksum_verification=True, read_dictionary=["micrograph_id"]
    )
    coverage = _coverage(file.metadata)
    if not _may_be(file.schema_arrow.remove_metadata()):
        raise ValueError(f"columns {file.schema_arrow.names} instead of {SHARD.names}")
    # One thread: reading small tables through pyarrow's pool can abort the process at its end.
    table = file.read(use_threads=False).replace_schema_metadata(None)
    names = table["micrograph_id"].combine_chunks()
    place = {name: index for index, name in enumerate(names.dictionary.to_pylist())}
    expected = np.repeat(
        [place.get(line.micrograph_id, -1) for line in coverage], [line.count for line in coverage]
    )
    if not np.array_equal(names.indices.to_numpy(zero_copy_only=False), expected):
        raise ValueError("its rows are not those that its coverage lists")
    numbers = (_values(table, name) for name in table.column_names[1:])
    if crc_hex(*numbers) != file.metadata.metadata[_ROWS_CRC]:
        raise ValueError("its rows are not those that were written")
    if _JUNK.name not in table.column_names:
        table = table.add_column(4, _JUNK, pa.array(np.zeros(len(table), np.uint8)))
    if len(table) and np.max(table[_JUNK.name].to_numpy()) >= len(KINDS):
        raise ValueError(f"a candidate lies on junk of a kind above {len(KINDS) - 1}")
    return table, coverage


def encodings(schema: pa.Schema) -> dict[str, list[str]]:
    """Return how Parquet is to keep columns: reals by their bytes, smaller and quicker than a dictionary."""
    is_split = {field.name: pa.types.is_floating(field.type) for field in schema}
    is_split["diameter_A"] = False
    return {
        "use_dictionary": [name for name in schema.names if not is_split[name]],
        "use_byte_stream_split": [name for name in schema.names if is_split[name]],
    }


def _values(table: pa.Table, name: str) -> NDArray[Any]:
    column = table[name]
    return COLUMNS[name].to_numpy(column) if name in COLUMNS else column.to_numpy()


def _coverage(metadata: pq.FileMetaData) -> list[Coverage]:
    vouched = metadata.metadata or {}
    if crc_hex(vouched[_COVERAGE]) != vouched[_COVERAGE_CRC]:
        raise ValueError("its coverage is not the one that was written")
    columns = json.loads(vouched[_COVERAGE])
    count = len(columns["count"])
    columns = {"inverted": [False] * count, "mask": [""] * count, "junk_share": [""] * count} | columns
    if not _is_sound(columns):
        raise ValueError("its coverage lists what no micrograph can be, or one micrograph twice")
    if metadata.num_rows != sum(columns["count"]) or metadata.num_rows > MOST_ROWS:
        raise ValueError(f"it has {metadata.num_rows} rows, not those that its coverage lists")
    return [Coverage(*line) for line in zip(*(columns[name] for name in _COLUMNS), strict=True)]


def _is_sound(columns: dict[str, list[Any]]) -> bool:
    names, counts = columns["micrograph_id"], columns["count"]
    kinds = {name: set(map(type, columns[name])) for name in _COLUMNS}
    return (
        kinds.pop("count") <= {int}
        and kinds.pop("inverted") <= {bool}
        and all(kind <= {str} for kind in kinds.values())
        and set(columns["status"]) <= set(get_args(Status))
        and min(counts, default=0) >= 0
        and all(read_shares(text) is not None for text in set(columns["junk_share"]))
        and len(set(names)) == len(names)
    )


def _junk(candidates: Candidates) -> NDArray[np.uint8]:
    return np.zeros(len(candidates), np.uint8) if candidates.junk is None else candidates.junk


def _joined(parts: list[NDArray[Any]], dtype: type[np.generic] = np.float32) -> NDArray[Any]:
    return np.concatenate(parts).astype(dtype) if parts else np.empty(0, dtype)


def _repeated(counts: list[int]) -> NDArray[np.intp]:
    return np.repeat(np.arange(len(counts)), counts)
