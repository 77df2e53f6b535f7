"""Live folders, to which a microscope writes: a file is taken once it has stopped changing."""

import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from cryopick_ray.errors import UsageError
from cryopick_ray.micrographs.batches import folders_of
from cryopick_ray.micrographs.exposure import Stamp, stamp
from cryopick_ray.micrographs.sources import MicrographSource

SETTLE_SECONDS = 3.0
"""A file whose size and time have not changed for so long is complete."""
LeaveOut = Callable[[list[tuple[MicrographSource, str]]], None]
SCAN_SECONDS, SCAN_SHARE = 1.0, 0.1
"""Time between scans, and the share of time that scans may take: few file systems report changes."""


class LiveFolders:
    """Micrographs that arrive during a run, as :class:`~cryopick_ray.micrographs.batches.Batches`.

    A file that is rewritten comes again. Files of an earlier run come, too: the store knows what it holds. Of
    an exposure the best image present is taken once one has stopped changing; a later better one is left
    out.

    Parameters
    ----------
    list_now
        Lists the micrographs present, given the ids of those taken, and passes files to leave out to its
        second argument; :class:`UsageError` if there are none.
    most
        Limit of micrographs to take; ``None`` for all.
    say
        Called with errors of listing.
    clock
        A clock, in seconds.
    """

    def __init__(
        self,
        list_now: Callable[[Collection[str], LeaveOut], list[MicrographSource]],
        *,
        most: int | None = None,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._list, self._most, self._say, self._clock = list_now, most, say, clock
        self._sources: dict[str, MicrographSource] = {}
        self._present: set[str] = set()
        self._seen: dict[str, tuple[Stamp, float]] = {}
        self._taken: dict[str, Stamp] = {}
        self._next_scan = self._changed = clock()
        self._again: list[MicrographSource] = []
        self._out: dict[str, tuple[MicrographSource, str]] = {}
        self._out_returned: set[str] = set()
        self._is_stopped = False
        self._told: set[str] = set()
        self.total: int | None = None
        self.folders: tuple[Path, ...] = ()
        self.has_movies = False

    @property
    def is_exhausted(self) -> bool:
        """Whether no more will be taken."""
        is_full = self._most is not None and len(self._taken) >= self._most
        return (self._is_stopped or is_full) and not self._again

    @property
    def idle_seconds(self) -> float:
        """Seconds since the last change in the folders."""
        return self._clock() - self._changed

    def stop(self) -> None:
        """Take no more files; those taken are finished."""
        self._is_stopped = True

    def scan(self) -> None:
        """List the folders, unless that was done just before."""
        began = self._clock()
        if began < self._next_scan:
            return
        try:
            listed = self._list(self._taken.keys(), self._leave_out)
        except UsageError as error:
            listed = []
            self._tell(str(error))
        self._sources |= {source.micrograph_id: source for source in listed}
        self._present = {source.micrograph_id for source in listed}
        for source in listed:
            now = stamp(source)
            earlier = self._seen.get(source.micrograph_id)
            if now is not None and (earlier is None or earlier[0] != now):
                self._seen[source.micrograph_id] = now, began
                self._changed = began
        self.has_movies = any(source.kind == "movie" for source in listed)
        self.folders = folders_of(listed)
        self._next_scan = began + max(SCAN_SECONDS, (self._clock() - began) / SCAN_SHARE)

    def settled(self) -> list[MicrographSource]:
        """Return micrographs that have stopped changing and are not taken yet, in order of arrival."""
        now = self._clock()
        return [
            self._sources[name]
            for name, (file_stamp, since) in self._seen.items()
            if name in self._present  # a better image of the exposure may have come
            and now - since >= SETTLE_SECONDS
            and file_stamp[0] > 0
            and self._taken.get(name) != file_stamp
        ]

    def sources(self, micrograph_ids: Iterable[str]) -> list[MicrographSource]:
        """Return the micrographs of these ids that have been listed."""
        return [self._sources[name] for name in micrograph_ids if name in self._sources]

    def take(self) -> list[MicrographSource]:
        """Return newly settled micrographs, and those queued again."""
        again, self._again = self._again, []
        if self._is_stopped:
            return again
        self.scan()
        room = None if self._most is None else max(0, self._most - len(self._taken))
        taken = self.settled()
        changed = [source for source in taken if source.micrograph_id in self._taken]
        taken = changed + [source for source in taken if source.micrograph_id not in self._taken][:room]
        self._taken |= {source.micrograph_id: self._seen[source.micrograph_id][0] for source in taken}
        return again + taken

    def lost(self) -> list[tuple[MicrographSource, str]]:
        """Return none: a file that has vanished fails when it is read."""
        return []

    def left_out(self) -> list[tuple[MicrographSource, str]]:
        """Return files left out by the last scan, each once."""
        new = [self._out[name] for name in self._out.keys() - self._out_returned]
        self._out_returned |= self._out.keys()
        return sorted(new, key=lambda arrival: arrival[0].micrograph_id)

    def done(self, micrograph_ids: Iterable[str]) -> None:
        """Keep the files."""

    def again(self, micrograph_ids: Collection[str]) -> set[str]:
        """Queue listed micrographs again."""
        again = self.sources(micrograph_ids)
        self._again += again
        return {source.micrograph_id for source in again}

    def _leave_out(self, others: list[tuple[MicrographSource, str]]) -> None:
        self._out = {source.micrograph_id: (source, reason) for source, reason in others}

    def _tell(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._say(text)
