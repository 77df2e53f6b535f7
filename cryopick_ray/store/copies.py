"""Copies of folders between a local disk and a bucket."""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from cryopick_ray.errors import StoreError
from cryopick_ray.store.place import Place, is_bucket
from cryopick_ray.store.publish import below, write_whole

AT_ONCE = 16
"""Files on their way at the same time: small ones wait for answers most of the time."""


def publish_folder(local: Path, url: str, *, index: str | None = None) -> None:
    """Upload all files of a folder to a bucket.

    Parameters
    ----------
    index
        The file that makes the others valid. It is removed first and written last, and files of an earlier
        folder are removed between, so that old and new are never mixed.
    """
    place = Place(url)
    files = {path.relative_to(local).as_posix(): path for path in local.rglob("*") if path.is_file()}
    last = files.pop(index) if index else None
    if index:
        place.delete(index)

    def put(key: str) -> None:
        place.put_file(key, files[key])

    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(put, sorted(files)))
        if index:
            list(threads.map(place.delete, set(place.find()) - set(files)))
    if index and last:
        place.put_file(index, last)


def fetch_folder(url: str, local: Path) -> None:
    """Download all files of a bucket's folder."""
    place = Place(url)

    def fetch(key: str) -> None:
        if not (local / key).resolve().is_relative_to(local.resolve()):
            raise StoreError(f"{url} holds {key!r}, which would lie outside of its folder")
        write_whole(below(local, key), place.get(key) or b"")

    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(fetch, place.find()))


@contextmanager
def local_copy(where: str, *, index: str | None = None) -> Iterator[Path]:
    """Yield a local folder to write to: ``where`` itself, or for a bucket a temporary one.

    Files of the temporary one are published when the block ends without an error, see
    :func:`publish_folder`.
    """
    if not is_bucket(where):
        yield Path(where)
        return
    Place(where)
    with tempfile.TemporaryDirectory(prefix="cryopick-") as private:
        local = Path(private) / "made"
        yield local
        publish_folder(local, where, index=index)
