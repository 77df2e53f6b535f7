"""The manifest: which micrographs a store holds, in parts that ingest units publish."""

import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from cryopick_ray.errors import StoreError, brief
from cryopick_ray.store.layout import MANIFEST
from cryopick_ray.store.parquet import read_parquet
from cryopick_ray.store.place import Place, is_bucket
from cryopick_ray.units import Optics, Shape

Status = Literal["complete", "failed", "left out"]
"""Left out is an image that shows what another one shows: the reason names it."""
READERS = 16
"""Parts read at once: a bucket answers many requests as soon as one."""


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """What is known of one micrograph; sizes are zero and texts empty where reading failed.

    Attributes
    ----------
    source
        Path of the file as ingest saw it.
    checksum
        Crc32c of the source file.
    source_height_px, source_width_px, pixel_size_A
        The micrograph as stored in its file.
    height_px, width_px
        The array in the store.
    shard_bytes
        Size of the array's shard; the array counts only while the shard has this size.
    voltage_kV, spherical_aberration_mm, amplitude_contrast
        The microscope, where the input STAR said.
    source_bytes, source_mtime_ns
        Size and time of the source file when it was read; ``None`` of one that is elsewhere.
    optics_group, listed
        What the input list says of it: see
        :class:`~cryopick_ray.micrographs.star_list.ListedMicrograph`.
    notes
        What was guessed or doubted when it was read, one a line.
    no_data
        Where it holds no picture, as :class:`~cryopick_ray.micrographs.no_data.NoData` writes it; empty if
        it does everywhere.
    looks
        Facts of the image, as :class:`~cryopick_ray.micrographs.image_facts.ImageFacts` writes them; empty in
        stores of earlier versions.
    preparation
        Which version of :func:`~cryopick_ray.micrographs.preprocess.prepare` made the pixels.
    """

    micrograph_id: str
    dataset: str
    relion_name: str
    source: str
    checksum: str
    source_height_px: int
    source_width_px: int
    pixel_size_A: float
    height_px: int
    width_px: int
    shard_bytes: int
    voltage_kV: float | None
    spherical_aberration_mm: float | None
    amplitude_contrast: float | None
    status: Status
    reason: str
    source_bytes: int | None = None
    source_mtime_ns: int | None = None
    optics_group: str = ""
    listed: str = ""
    notes: str = ""
    no_data: str = ""
    looks: str = ""
    preparation: int = 1

    @property
    def optics(self) -> Optics | None:
        """The microscope, where the input STAR said."""
        if self.voltage_kV is None or self.spherical_aberration_mm is None or self.amplitude_contrast is None:
            return None
        return _optics(self.voltage_kV, self.spherical_aberration_mm, self.amplitude_contrast)

    @property
    def source_shape(self) -> Shape:
        """Height and width of the source micrograph."""
        return self.source_height_px, self.source_width_px

    @property
    def shape(self) -> Shape:
        """Height and width of the stored array."""
        return self.height_px, self.width_px


_optics = lru_cache(Optics)  # one object for all micrographs of a microscope
_REPEATED = (
    *("dataset", "source_height_px", "source_width_px", "pixel_size_A", "height_px", "width_px"),
    *("voltage_kV", "spherical_aberration_mm", "amplitude_contrast", "status", "reason", "source_bytes"),
    *("optics_group", "notes", "no_data", "preparation"),
)
_NAMES = ("micrograph_id", "relion_name", "source")
_ARROW = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    Status: pa.string(),
    float | None: pa.float64(),
    int | None: pa.int64(),
}
_MAY_LACK = float | None, int | None
SCHEMA = pa.schema(
    [
        pa.field(name, _ARROW[kind], nullable=kind in _MAY_LACK)
        for name, kind in ManifestRow.__annotations__.items()
    ]
)

EARLIER = (16, 18, 22, 23)
"""Columns that parts of earlier versions have, of these: the rest is as by default."""


def publish_part(place: Place, rows: Iterable[ManifestRow]) -> None:
    """Publish the rows of one ingest unit as a part named by its content.

    Writing the same rows again changes nothing, whoever writes them.
    """
    table = pa.Table.from_pylist([asdict(row) for row in rows], schema=SCHEMA)
    buffer = io.BytesIO()
    plain: dict[str, Any] = {
        "use_dictionary": False,
        "write_statistics": False,
    }  # a few rows: quicker to read
    pq.write_table(table, buffer, write_page_checksum=True, **plain)
    place.put_new(_key(buffer.getvalue()), buffer.getvalue())


def read_manifest(place: Place) -> dict[str, ManifestRow]:
    """Return the rows of all parts by micrograph id, in id order.

    A micrograph that failed or was left out first and was ingested later is complete; of two files of one
    name the later one counts.
    """
    keys = _parts(place)
    shared: dict[str, dict[Any, Any]] = {name: {} for name in _REPEATED}
    rows: dict[str, ManifestRow] = {}
    pool = ThreadPoolExecutor(READERS, "manifest")
    try:
        for table in pool.map(partial(_read_part, place), keys):
            for row in _rows(table, shared):
                known = rows.get(row.micrograph_id)
                if known is None or _weight(known) < _weight(row):
                    rows[row.micrograph_id] = row
    finally:
        pool.shutdown(cancel_futures=True)
    return {name: rows[name] for name in sorted(rows)}


def replace_rows(place: Place, gone: Iterable[ManifestRow], new: Sequence[ManifestRow] = ()) -> None:
    """Take rows out of a store's manifest, and put others in; killed on the way, it says both."""
    if new:
        publish_part(place, new)
    left = set(gone)
    for key in _parts(place) if left else ():
        there = list(_rows(_read_part(place, key), {}))
        kept = [row for row in there if row not in left]
        if len(kept) < len(there):
            if kept:
                publish_part(place, kept)
            place.delete(key)


def _weight(row: ManifestRow) -> tuple[int, int]:
    """Return what the row that counts has most of."""
    return ("failed", "left out", "complete").index(row.status), row.source_mtime_ns or 0


def _parts(place: Place) -> list[str]:
    return [key for key in place.find(MANIFEST) if key.endswith(".parquet")]


def _key(part: bytes) -> str:
    """Return where a part lies: its content is its name."""
    return f"{MANIFEST}/{hashlib.sha256(part).hexdigest()[:24]}.parquet"


def _read_part(place: Place, key: str) -> pa.Table:
    try:
        data = place.get(key) or b""
        if _key(data) != key:
            raise ValueError(f"its {len(data)} bytes are not those it is named by")
        table = read_parquet(data)
        if not any(table.schema.equals(pa.schema(list(SCHEMA)[:n])) for n in (len(SCHEMA), *EARLIER)):
            raise ValueError(f"columns {table.column_names}")
    except (pa.ArrowException, OSError, TypeError, ValueError) as error:
        raise StoreError(
            f"the manifest part {place.url}/{key} is damaged ({brief(error)}); delete it and ingest again"
        ) from error
    return table


def _rows(table: pa.Table, shared: dict[str, dict[Any, Any]]) -> Iterator[ManifestRow]:
    """Yield the rows of a part; what many have alike, or one has twice, is kept once."""
    names: dict[str, str] = {}
    columns = []
    for name in table.column_names:
        kept = shared.get(name, names if name in _NAMES else None)
        values = table[name].to_pylist()
        columns.append(values if kept is None else [kept.setdefault(value, value) for value in values])
    return map(ManifestRow, *columns)


def complete_ids(url: str) -> set[str]:
    """Return the ids of the micrographs that a store has; none where there is no store."""
    if not is_bucket(url) and not Path(url).is_dir():
        return set()
    return {name for name, row in read_manifest(Place(url)).items() if row.status == "complete"}
