"""Shards: the candidates of one work unit, published whole, and the ids they cover."""

import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cryopick_ray.errors import PicksError
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.picks.schema import SHARD
from cryopick_ray.store.manifest import Status
from cryopick_ray.store.place import Place, read_parquet

_COVERAGE = b"cryopick.coverage"
_SETTINGS = "settings.json"


@dataclass(frozen=True)
class Coverage:
    """One micrograph of a shard: how it went and how many candidates it has, zero included.

    Attributes
    ----------
    checksum
        Of the source file, as the store's manifest has it.
    """

    micrograph_id: str
    checksum: str
    status: Status
    reason: str
    count: int


@dataclass(frozen=True)
class Picked:
    """What a worker found in one micrograph; candidates in pixels of the source micrograph."""

    micrograph_id: str
    checksum: str
    candidates: Candidates | None
    reason: str = ""

    @property
    def coverage(self) -> Coverage:
        """The micrograph's line in its shard."""
        status: Status = "failed" if self.candidates is None else "complete"
        return Coverage(self.micrograph_id, self.checksum, status, self.reason, len(self.candidates or ()))


def settings_digest(settings: dict[str, Any]) -> str:
    """Return the name of all picks made with ``settings`` (plain JSON)."""
    canonical = json.dumps(settings, sort_keys=True, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


class PickShards:
    """The shards of one digest: ``PICKS/<digest>/<ids' digest>.parquet`` beside ``settings.json``.

    Parameters
    ----------
    url
        The picks folder or bucket prefix.
    digest
        Name of the settings, from :func:`settings_digest`.
    """

    def __init__(self, url: str, digest: str, *, create: bool = False) -> None:
        self.place = Place(url, create=create)
        self.digest = digest

    def describe(self, settings: dict[str, Any]) -> None:
        """Write down what the digest stands for."""
        self.place.put_new(
            f"{self.digest}/{_SETTINGS}", json.dumps(settings, indent=1, sort_keys=True).encode()
        )

    def settings(self) -> dict[str, Any]:
        """Return what the digest stands for."""
        data = self.place.get(f"{self.digest}/{_SETTINGS}")
        if data is None:
            raise PicksError(
                f"{self.place.url}/{self.digest} holds no {_SETTINGS}: it is not a folder of picks"
            )
        settings: dict[str, Any] = json.loads(data)
        return settings

    def publish(self, picked: Sequence[Picked]) -> bool:
        """Publish one unit's picks; ``False`` if the same unit was published before."""
        name = hashlib.sha256("\n".join(p.micrograph_id for p in picked).encode()).hexdigest()[:24]
        return self.place.put_new(f"{self.digest}/{name}.parquet", encode_shard(picked))

    def published(self) -> list[str]:
        """Return the keys of all shards."""
        return [key for key in self.place.find(self.digest) if key.endswith(".parquet")]

    def read(self, key: str) -> tuple[pa.Table, list[Coverage]]:
        """Return a shard's candidates and coverage, or raise :class:`PicksError`."""
        data = self.place.get(key)
        if data is None:
            raise PicksError(f"{self.place.url}/{key} vanished")
        try:
            return decode_shard(data)
        except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
            raise PicksError(f"{self.place.url}/{key} is damaged: {error}") from error

    def delete(self, key: str) -> None:
        """Remove a damaged shard, so that its micrographs are picked again."""
        self.place.delete(key)


def digests(url: str) -> list[str]:
    """Return the digests that lie in a picks folder."""
    return sorted({key.partition("/")[0] for key in Place(url).find() if key.endswith(f"/{_SETTINGS}")})


def encode_shard(picked: Iterable[Picked]) -> bytes:
    """Return a shard as Parquet bytes: equal picks give equal bytes."""
    picked = list(picked)
    found = [(p.micrograph_id, p.candidates) for p in picked if p.candidates is not None]
    ids = [name for name, candidates in found for _ in range(len(candidates))]
    columns = {
        "micrograph_id": pa.array(ids, pa.string()),
        "x_px": _column([c.x for _, c in found]),
        "y_px": _column([c.y for _, c in found]),
        "score": _column([c.score for _, c in found]),
    }
    coverage = json.dumps([asdict(p.coverage) for p in picked])
    table = pa.table(columns, schema=SHARD.with_metadata({_COVERAGE: coverage}))
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", write_page_checksum=True)
    return buffer.getvalue()


def decode_shard(data: bytes) -> tuple[pa.Table, list[Coverage]]:
    """Return what :func:`encode_shard` wrote; rows and coverage must agree.

    Raises
    ------
    ValueError, KeyError, pyarrow.ArrowException
        If anything is missing, damaged or contradicts itself.
    """
    table = read_parquet(data)
    coverage = [Coverage(**line) for line in json.loads((table.schema.metadata or {})[_COVERAGE])]
    if not table.schema.equals(SHARD):
        raise ValueError(f"columns {table.schema.names} instead of {SHARD.names}")
    expected = np.repeat([c.micrograph_id for c in coverage], [c.count for c in coverage])
    if table.column("micrograph_id").to_pylist() != list(expected):
        raise ValueError("its rows are not those that its coverage lists")
    return table.replace_schema_metadata(None), coverage


def _column(parts: list[np.ndarray[Any, np.dtype[np.float32]]]) -> pa.Array:
    return pa.array(np.concatenate(parts) if parts else [], pa.float32())
