"""Shards: the candidates of one work unit, published whole, and the ids they cover."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

import pyarrow as pa

from cryopick_ray.errors import DamagedError, PicksError, brief
from cryopick_ray.picks.digest import sealed, unsealed
from cryopick_ray.picks.shard import Coverage, Picked, decode_coverage, decode_shard, encode_shard
from cryopick_ray.store.place import Place

T = TypeVar("T")

READERS = 16
"""Shards read at once: a bucket answers many requests as soon as one."""
_DAMAGE = (DamagedError, pa.ArrowException, OSError, ValueError, TypeError, KeyError, RecursionError)
_SETTINGS = "settings.json"


class Named(Protocol):
    """A micrograph by its id and the checksum of its source file."""

    @property
    def micrograph_id(self) -> str:
        """The micrograph's id."""
        ...

    @property
    def checksum(self) -> str:
        """Of the source file."""
        ...


class PickShards:
    """The shards of one digest: ``PICKS/<digest>/<of ids and checksums>.parquet`` beside ``settings.json``.

    Parameters
    ----------
    url
        The picks folder or bucket prefix.
    digest
        Name of the settings, from :func:`~cryopick_ray.picks.digest.settings_digest`.
    """

    def __init__(self, url: str, digest: str, *, create: bool = False) -> None:
        self.place = Place(url, create=create)
        self.digest = digest

    def describe(self, settings: dict[str, Any]) -> bool:
        """Write down what the digest stands for; tell whether something else was written there."""
        key, data = f"{self.digest}/{_SETTINGS}", sealed(settings)
        if self.place.put_new(key, data) or self.place.get(key) == data:
            return False
        self.place.put(key, data)
        return True

    def settings(self) -> dict[str, Any]:
        """Return what the digest stands for.

        Raises
        ------
        PicksError
            If it is not written down, damaged or changed.
        """
        where = f"{self.place.url}/{self.digest}"
        data = self.place.get(f"{self.digest}/{_SETTINGS}")
        if data is None:
            raise PicksError(f"{where} holds no {_SETTINGS}: it is not a folder of picks")
        try:
            return unsealed(data, self.digest)
        except (ValueError, RecursionError) as error:
            raise PicksError(
                f"{where}/{_SETTINGS} is damaged ({error}); pick again, or go on with the run by "
                "`resume`: it is then written again"
            ) from error

    def publish(self, picked: Sequence[Picked]) -> bool:
        """Publish one unit's picks; ``False`` if the same unit was published before."""
        return self.place.put_new(self._key(picked), encode_shard(picked))

    def unit(self, items: Iterable[Named]) -> list[Coverage] | None:
        """Return how it went in the unit of exactly these micrographs, ``None`` if it is not published."""
        found = self._read(self._key(items), decode_shard)
        return None if found is None else found[1]

    def published(self) -> list[str]:
        """Return the keys of all shards, sorted."""
        return [key for key in self.place.find(self.digest) if key.endswith(".parquet")]

    def read(self, key: str) -> tuple[pa.Table, list[Coverage]]:
        """Return a shard's candidates and coverage, or raise :class:`PicksError`."""
        return self._present(key, decode_shard)

    def coverages(
        self, *, verified: bool, keys: Sequence[str] | None = None
    ) -> Iterator[tuple[str, list[Coverage] | PicksError]]:
        """Yield each shard's key and coverage, or what is wrong with it, sorted by key.

        Parameters
        ----------
        verified
            Read its candidates too, and find them whole; else only what vouches for the coverage.
        keys
            Of the shards; ``None`` for all there are.
        """

        def attempt(key: str) -> list[Coverage] | PicksError:
            try:
                return self.read(key)[1] if verified else self._present(key, decode_coverage)
            except PicksError as error:
                return error

        keys = self.published() if keys is None else keys
        pool = ThreadPoolExecutor(READERS, "shards")
        try:
            yield from zip(keys, pool.map(attempt, keys), strict=True)
        finally:
            pool.shutdown(cancel_futures=True)

    def delete(self, key: str) -> None:
        """Remove a damaged shard, so that its micrographs are picked again."""
        self.place.delete(key)

    def _key(self, items: Iterable[Named]) -> str:
        lines = (f"{item.micrograph_id}\t{item.checksum}" for item in items)
        name = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:24]
        return f"{self.digest}/{name}.parquet"

    def _present(self, key: str, decode: Callable[[bytes], T]) -> T:
        found = self._read(key, decode)
        if found is None:
            raise PicksError(f"{self.place.url}/{key} vanished")
        return found

    def _read(self, key: str, decode: Callable[[bytes], T]) -> T | None:
        try:
            data = self.place.get(key)
            return None if data is None else decode(data)
        except _DAMAGE as error:
            raise PicksError(
                f"{self.place.url}/{key} is damaged ({brief(error)}); `resume` picks its micrographs again"
            ) from error


def digests(url: str) -> list[str]:
    """Return the digests that lie in a picks folder."""
    place = Place(url)
    return [name for name in place.names() if place.size(f"{name}/{_SETTINGS}") is not None]
