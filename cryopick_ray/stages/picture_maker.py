"""Pictures of micrographs, made in threads beside the picking, which does not wait for them."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import brief
from cryopick_ray.store.manifest import ManifestRow
from cryopick_ray.store.pictures import PictureStore, make_pictures
from cryopick_ray.store.place import Place

THREADS = 4
"""Beside a GPU, which is done with a micrograph sooner than a thread with its pictures."""


class PictureMaker:
    """Makes the missing pictures of a unit's micrographs; a failure stops nothing.

    Parameters
    ----------
    url
        The run's folder or bucket.
    threads
        How many are made at once.
    """

    def __init__(self, url: str, threads: int) -> None:
        self._store = PictureStore(Place(url))
        self._pool = ThreadPoolExecutor(threads, "pictures")
        self._begun: deque[list[Future[None]]] = deque()
        self._failed: list[str] = []

    def begin(self, micrographs: Sequence[tuple[ManifestRow, NDArray[np.float16]]]) -> None:
        """Begin the pictures of some micrographs; waits for those begun before the last call."""
        while len(self._begun) > 1:
            self._wait()
        self._begun.append([self._pool.submit(self._make, row, pixels) for row, pixels in micrographs])

    def finish(self) -> tuple[str, ...]:
        """Wait for all that was begun; return what a person should know of those that failed."""
        while self._begun:
            self._wait()
        failed, self._failed = self._failed, []
        return (f"{len(failed)} pictures were not made: {failed[0]}",) if failed else ()

    def _make(self, row: ManifestRow, pixels: NDArray[np.float16]) -> None:
        if not self._store.has(row.micrograph_id, row.checksum):
            self._store.put(row.micrograph_id, row.checksum, make_pictures(pixels))

    def _wait(self) -> None:
        for future in self._begun.popleft():
            if error := future.exception():
                self._failed.append(brief(error))
