"""Pictures made beside the picking, by threads of their own: the network waits for none of them."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import brief
from cryopick_ray.store.manifest import ManifestRow
from cryopick_ray.store.pictures import PictureShelf, make_pictures
from cryopick_ray.store.place import Place

THREADS = 4
"""Beside a GPU, which is done with a micrograph sooner than a thread with its pictures."""


class Pictured:
    """Makes the pictures of a unit's micrographs that are missing; that one fails stops nothing.

    Parameters
    ----------
    url
        The run's folder or bucket.
    threads
        How many are made at once.
    """

    def __init__(self, url: str, threads: int) -> None:
        self._shelf = PictureShelf(Place(url))
        self._pool = ThreadPoolExecutor(threads, "pictures")
        self._begun: deque[list[Future[None]]] = deque()
        self._failed: list[str] = []

    def begin(self, some: Sequence[tuple[ManifestRow, NDArray[np.float16]]]) -> None:
        """Begin the pictures of some micrographs; waits for those begun before the last call."""
        while len(self._begun) > 1:
            self._wait()
        self._begun.append([self._pool.submit(self._make, row, pixels) for row, pixels in some])

    def finish(self) -> tuple[str, ...]:
        """Wait for all that was begun; return what a person should know of those that failed."""
        while self._begun:
            self._wait()
        failed, self._failed = self._failed, []
        return (f"{len(failed)} pictures were not made: {failed[0]}",) if failed else ()

    def _make(self, row: ManifestRow, pixels: NDArray[np.float16]) -> None:
        if not self._shelf.has(row.micrograph_id, row.checksum):
            self._shelf.put(row.micrograph_id, row.checksum, make_pictures(pixels))

    def _wait(self) -> None:
        for one in self._begun.popleft():
            if error := one.exception():
                self._failed.append(brief(error))
