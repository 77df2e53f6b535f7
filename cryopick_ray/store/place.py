"""A folder or a bucket: whole objects in, whole objects out."""

import obstore
import pyarrow as pa
import pyarrow.parquet as pq
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, ObjectStore, from_url
from zarr.storage import ObjectStore as ZarrObjectStore

from cryopick_ray.errors import StoreError


class Place:
    """A root under which objects lie by key (``a/b/c``), on disk or in a bucket.

    Objects appear whole or not at all, whatever is killed: on disk a write is staged and renamed.

    Parameters
    ----------
    url
        A folder (made if missing) or a bucket URL such as ``s3://bucket/prefix``.
    create
        Make the folder if it is missing; else its absence is a :class:`StoreError`.
    """

    def __init__(self, url: str, *, create: bool = False) -> None:
        self.url = url
        try:
            self._store: ObjectStore = (
                from_url(url) if "://" in url else LocalStore(url, mkdir=create, automatic_cleanup=False)
            )
        except (BaseError, OSError, ValueError) as error:
            what = (
                "is not there"
                if not create and "://" not in url
                else f"cannot be opened: {_first_line(error)}"
            )
            raise StoreError(f"{url} {what}") from error

    def put(self, key: str, data: bytes) -> None:
        """Write ``data`` under ``key``, replacing what was there."""
        try:
            obstore.put(self._store, key, data)
        except (BaseError, OSError) as error:
            raise StoreError(f"{self.url}/{key} cannot be written: {_first_line(error)}") from error

    def put_new(self, key: str, data: bytes) -> bool:
        """Write ``data`` under ``key`` unless something is there: the first published wins."""
        try:
            obstore.put(self._store, key, data, mode="create")
        except AlreadyExistsError:
            return False
        except (BaseError, OSError) as error:
            raise StoreError(f"{self.url}/{key} cannot be written: {_first_line(error)}") from error
        return True

    def get(self, key: str) -> bytes | None:
        """Return what lies under ``key``, or ``None``."""
        try:
            return bytes(obstore.get(self._store, key).bytes())
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise StoreError(f"{self.url}/{key} cannot be read: {_first_line(error)}") from error

    def size(self, key: str) -> int | None:
        """Return the size of ``key`` in bytes, or ``None`` if it is not there."""
        try:
            return int(obstore.head(self._store, key)["size"])
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise StoreError(f"{self.url}/{key} cannot be read: {_first_line(error)}") from error

    def find(self, prefix: str = "") -> list[str]:
        """Return all keys under the folder ``prefix``, sorted."""
        try:
            batches = obstore.list(self._store, prefix or None)
            return sorted(entry["path"] for batch in batches for entry in batch)
        except FileNotFoundError:
            return []
        except (BaseError, OSError) as error:
            raise StoreError(f"{self.url}/{prefix} cannot be listed: {_first_line(error)}") from error

    def delete(self, key: str) -> None:
        """Remove ``key``."""
        try:
            obstore.delete(self._store, key)
        except (BaseError, OSError) as error:
            raise StoreError(f"{self.url}/{key} cannot be deleted: {_first_line(error)}") from error

    def zarr(self) -> "ZarrObjectStore[ObjectStore]":
        """Return the zarr store over the same objects."""
        return ZarrObjectStore(self._store)


def read_parquet(data: bytes | None) -> pa.Table:
    """Return the table in Parquet bytes, its page checksums verified.

    One thread: reading small tables through pyarrow's pool can abort the process at its end.
    """
    return pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True).read(use_threads=False)


def _first_line(error: Exception) -> str:
    """Return what happened without the library's debugging appendix."""
    return str(error).partition("\n")[0] or type(error).__name__
