"""Micrographs through ingest and picking as they come: a stage takes what the one before has made."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from cryopick_ray.engine.engine import PULSE_SECONDS, Engine, Shift
from cryopick_ray.engine.events import Events
from cryopick_ray.engine.unit import UnitReport
from cryopick_ray.engine.unit_rules import cut, unit_size
from cryopick_ray.micrographs.batches import Batches, Listed
from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.settings.run_settings import IngestSettings
from cryopick_ray.stages.averages import MovieAverages
from cryopick_ray.stages.ingest import Intake, tell_changed
from cryopick_ray.stages.ingest_worker import failed_row, left_out_row
from cryopick_ray.stages.pick import Picking
from cryopick_ray.store.manifest import ManifestRow

LINGER_SECONDS = 5.0
"""How long a micrograph waits for others that make a unit with it."""
LIVE_UNIT = 4
"""Micrographs of a unit at most where nobody knows how many will come: they do not wait for each other."""


def flow(
    batches: Batches,
    intake: Intake,
    picking: Picking | None,
    engine: Engine,
    events: Events,
    *,
    one_each: bool = False,
    pulse: Callable[[], None] = lambda: None,
) -> None:
    """Bring what comes into the store and pick it, on workers that stay until all is done.

    Parameters
    ----------
    picking
        ``None`` to leave what has come in the store.
    one_each
        Leave out a file that is byte for byte one that came before, of a file that was renamed the old name,
        and what has vanished before it was read.
    pulse
        Called about once a second.
    """
    kinds = [intake.kind(batches, engine), *([picking.kind] if picking else [])]
    with engine.shift(kinds) as shift:
        line = _Line(shift, batches, intake, picking, events, one_each=one_each)
        while line.step():
            pulse()


def ingest(
    sources: Sequence[MicrographSource],
    store_url: str,
    settings: IngestSettings,
    engine: Engine,
    events: Events,
    *,
    left_out: Sequence[tuple[MicrographSource, str]] = (),
    averages: MovieAverages | None = None,
    device: str = "auto",
) -> None:
    """Bring those micrographs into the store that it does not hold yet, and no more than that.

    Raises
    ------
    UsageError
        As :meth:`Intake.admit` does.
    """
    intake = Intake(store_url, settings, averages=averages, device=device)
    flow(Listed(sources, left_out), intake, None, engine, events)


class _Line:
    """What is on its way from a file to its picks."""

    def __init__(
        self,
        shift: Shift,
        batches: Batches,
        intake: Intake,
        picking: Picking | None,
        events: Events,
        *,
        one_each: bool,
    ) -> None:
        self._shift, self._batches, self._intake, self._picking = shift, batches, intake, picking
        self._events = events
        self._size = LIVE_UNIT if batches.total is None else unit_size(batches.total)
        self._sources: dict[str, MicrographSource] = {}
        self._waiting: list[MicrographSource] = []
        self._since = 0.0
        self._seen = self._admitted = self._picked = 0
        self._coming: set[str] = set()
        self._complete: set[str] = set()
        self._twins: dict[str, str] | None = {} if one_each else None
        self._mended: set[str] = set()
        self._is_closing = False
        self._told: tuple[int, ...] = ()
        self._take()
        self._begin()

    def _begin(self) -> None:
        """Pick what the store holds, nobody has picked and is not to come again."""
        rows = [row for row in self._intake.manifest.values() if row.status == "complete"]
        rows = [row for row in rows if row.micrograph_id not in self._coming]
        self._complete = {row.micrograph_id for row in rows}
        if self._twins is not None:
            self._twins |= {row.checksum: row.micrograph_id for row in rows}
        if self._picking is not None:
            if not self._coming and self._batches.is_exhausted:
                self._picking.check(rows)
            pending = self._picking.pending(rows)
            self._picked = len(rows) - len(pending) - len(self._picking.unfit(rows))
            self._shift.add("pick", cut(pending, unit_size(len(rows))))
            self._give_up(rows)

    def step(self) -> bool:
        """Take what has come and what was done; tell whether more may be to do."""
        self._take()
        is_last = self._batches.is_exhausted and not self._waiting
        if is_last and not self._coming and not self._is_closing:  # nothing makes more work
            self._is_closing = True
            self._shift.finish()
        self._tell()
        if is_last and not self._shift.unfinished:
            return False
        for kind, report in self._shift.reports(PULSE_SECONDS):
            self._events.report(kind, report)
            if kind == "ingest":
                self._came(report)
            elif kind == "pick":
                self._mend(report)
        return True

    def _take(self) -> None:
        """Let what has come be read, in units as full as they can be without waiting for long."""
        if taken := self._batches.take():
            admitted, changed = self._intake.admit(taken)
            tell_changed(changed, self._events)
            if admitted and (mixture := self._intake.mixture()):
                self._events.warn(mixture)
            self._batches.done({one.micrograph_id for one in taken} - {one.micrograph_id for one in admitted})
            self._seen += len(taken)
            self._admitted += len(admitted)
            self._coming.update(one.micrograph_id for one in admitted)
            self._complete -= self._coming
            self._since = self._since if self._waiting else time.monotonic()
            self._waiting += admitted
            if self._twins is not None:
                self._sources |= {source.micrograph_id: source for source in admitted}
        others = [left_out_row(source, reason) for source, reason in self._batches.left_out()]
        self._intake.leave_out(others)
        for source, reason in self._batches.lost():
            self._seen, self._admitted = self._seen + 1, self._admitted + 1
            self._coming.add(source.micrograph_id)
            self._shift.give_up("ingest", [source], reason)
        may_wait = not (self._batches.total is None or self._batches.is_exhausted)
        is_young = time.monotonic() - self._since < LINGER_SECONDS
        count = len(self._waiting) // self._size * self._size if may_wait and is_young else len(self._waiting)
        self._shift.add("ingest", cut(self._waiting[:count], self._size))
        del self._waiting[:count]

    def _came(self, report: UnitReport) -> None:
        rows: list[ManifestRow] = list(report.made)
        failed = {name for name, _ in report.failures}
        self._coming -= {row.micrograph_id for row in rows} | failed
        self._batches.done({row.micrograph_id for row in rows} | failed)
        self._intake.came(rows, failed)
        for name in failed & self._sources.keys():
            if not os.path.lexists(self._sources[name].path):
                self._leave_out(failed_row(self._sources[name], ""), "vanished before it was read")
        unlike = rows if self._twins is None else [row for row in rows if self._is_new(row, self._twins)]
        self._complete.update(row.micrograph_id for row in unlike)
        if self._picking is not None:
            self._shift.add("pick", cut(self._picking.pending(unlike), max(1, len(unlike))))
            self._give_up(unlike)

    def _give_up(self, rows: list[ManifestRow]) -> None:
        """Let fail what is too coarse for the model."""
        for row, reason in self._picking.unfit(rows) if self._picking is not None else ():
            self._shift.give_up("pick", [row], reason)

    def _is_new(self, row: ManifestRow, twins: dict[str, str]) -> bool:
        """Tell whether no other micrograph is the same file; if one was, one of the two is left out."""
        other = self._intake.manifest.get(twins.get(row.checksum, row.micrograph_id))
        twins[row.checksum] = row.micrograph_id
        if other is None or other.micrograph_id == row.micrograph_id or other.status != "complete":
            return True
        if was_renamed := not os.path.lexists(other.source):
            out, reason = other, f"renamed to {row.micrograph_id}"
            self._complete.discard(other.micrograph_id)
        else:
            out, reason = row, f"the same file as {other.micrograph_id}"
            twins[row.checksum] = other.micrograph_id
        self._leave_out(out, reason)
        return was_renamed

    def _leave_out(self, row: ManifestRow, reason: str) -> None:
        self._intake.leave_out([replace(row, status="left out", reason=reason)])
        self._events.note(f"left out: {row.micrograph_id}: {reason}")

    def _mend(self, report: UnitReport) -> None:
        """Let micrographs that are damaged in the store come again, once; who cannot is given up."""
        fresh = [name for name, _ in report.damaged if name not in self._mended]
        coming = self._batches.again(fresh) if fresh else set()
        for name, reason in report.damaged:
            if name in coming:
                self._events.warn(f"{name} is damaged in the store and ingested again")
            else:
                self._shift.give_up("pick", [self._intake.manifest[name]], reason)
        self._mended |= coming
        self._intake.forget(coming)
        self._complete -= coming
        self._seen -= len(coming)
        self._admitted -= len(coming)

    def _tell(self) -> None:
        """Say how much there is to do, if that has changed."""
        seen = self._seen if self._batches.total is None else self._batches.total
        told = (
            seen,
            self._seen - self._admitted,
            len(self._complete) + len(self._coming) + max(0, seen - self._seen),
        )
        if told != self._told:
            self._told = told
            self._events.stage("ingest", told[0], told[1])
            if self._picking is not None:
                self._events.stage("pick", told[2], self._picked)
