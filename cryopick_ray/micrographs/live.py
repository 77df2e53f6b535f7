"""Folders that others write to: a file is taken once it has stood still."""

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
LOOK_SECONDS, LOOK_SHARE = 1.0, 0.1
"""Between two looks, and the part of the time that looking may take: few file systems tell what others do."""


class LiveFolders:
    """Micrographs that come while a run goes on, as :class:`~cryopick_ray.micrographs.batches.Batches`.

    What is rewritten later comes again. What a run has seen before comes, too: it knows what it holds. Of an
    exposure comes the best image that is there once one has stood still; a better one that comes later is
    left out.

    Parameters
    ----------
    list_now
        Lists what is there, given the ids of what was taken, and gives what is to be left out to its second
        argument; :class:`UsageError` if nothing is there.
    most
        Take so many at most; ``None`` for all that come.
    say
        Told what keeps files from being listed.
    clock
        Seconds.
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
        self._there: set[str] = set()
        self._seen: dict[str, tuple[Stamp, float]] = {}
        self._taken: dict[str, Stamp] = {}
        self._next_look = self._changed = clock()
        self._again: list[MicrographSource] = []
        self._out: dict[str, tuple[MicrographSource, str]] = {}
        self._out_told: set[str] = set()
        self._is_stopped = False
        self._told: set[str] = set()
        self.total: int | None = None
        self.folders: tuple[Path, ...] = ()
        self.has_movies = False

    @property
    def is_exhausted(self) -> bool:
        """Whether nothing more is to be taken."""
        is_full = self._most is not None and len(self._taken) >= self._most
        return (self._is_stopped or is_full) and not self._again

    @property
    def idle_seconds(self) -> float:
        """How long nothing has changed in the folders."""
        return self._clock() - self._changed

    def stop(self) -> None:
        """Take no more; what was taken is brought to its end."""
        self._is_stopped = True

    def look(self) -> None:
        """See what is there, unless that was done just before."""
        began = self._clock()
        if began < self._next_look:
            return
        try:
            found = self._list(self._taken.keys(), self._leave_out)
        except UsageError as error:
            found = []
            self._tell(str(error))
        self._sources |= {source.micrograph_id: source for source in found}
        self._there = {source.micrograph_id for source in found}
        for source in found:
            now = stamp(source)
            known = self._seen.get(source.micrograph_id)
            if now is not None and (known is None or known[0] != now):
                self._seen[source.micrograph_id] = now, began
                self._changed = began
        self.has_movies = any(source.kind == "movie" for source in found)
        self.folders = folders_of(found)
        self._next_look = began + max(LOOK_SECONDS, (self._clock() - began) / LOOK_SHARE)

    def settled(self) -> list[MicrographSource]:
        """Return what has stood still and was not taken as it is, in the order in which it came."""
        now = self._clock()
        return [
            self._sources[name]
            for name, (found, since) in self._seen.items()
            if name in self._there  # a better image of the exposure may have come
            and now - since >= SETTLE_SECONDS
            and found[0] > 0
            and self._taken.get(name) != found
        ]

    def sources(self, micrograph_ids: Iterable[str]) -> list[MicrographSource]:
        """Return those that are known by these ids."""
        return [self._sources[name] for name in micrograph_ids if name in self._sources]

    def take(self) -> list[MicrographSource]:
        """Return what has stood still since the last call, and what is asked for again."""
        again, self._again = self._again, []
        if self._is_stopped:
            return again
        self.look()
        room = None if self._most is None else max(0, self._most - len(self._taken))
        taken = self.settled()
        known = [source for source in taken if source.micrograph_id in self._taken]
        taken = known + [source for source in taken if source.micrograph_id not in self._taken][:room]
        self._taken |= {source.micrograph_id: self._seen[source.micrograph_id][0] for source in taken}
        return again + taken

    def lost(self) -> list[tuple[MicrographSource, str]]:
        """Return none: who reads a file tells that it has vanished."""
        return []

    def left_out(self) -> list[tuple[MicrographSource, str]]:
        """Return what the last look found beside the micrographs and has not been returned before."""
        new = [self._out[name] for name in self._out.keys() - self._out_told]
        self._out_told |= self._out.keys()
        return sorted(new, key=lambda arrival: arrival[0].micrograph_id)

    def done(self, micrograph_ids: Iterable[str]) -> None:
        """Keep the files."""

    def again(self, micrograph_ids: Collection[str]) -> set[str]:
        """Let those come again that are still known."""
        again = self.sources(micrograph_ids)
        self._again += again
        return {source.micrograph_id for source in again}

    def _leave_out(self, others: list[tuple[MicrographSource, str]]) -> None:
        self._out = {source.micrograph_id: (source, reason) for source, reason in others}

    def _tell(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._say(text)
