"""Ingest and picking as one pipeline: micrographs are picked as soon as they are ingested."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from cryopick_ray.engine.engine import PULSE_SECONDS, Engine, WorkSession
from cryopick_ray.engine.events import Events
from cryopick_ray.engine.unit import UnitReport
from cryopick_ray.engine.unit_rules import split_units, unit_size
from cryopick_ray.micrographs.batches import Batches, FixedBatches
from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.settings.run_settings import IngestSettings
from cryopick_ray.stages.averages import MovieAverages
from cryopick_ray.stages.ingest import StoreIngest, note_changed
from cryopick_ray.stages.ingest_worker import failed_row, left_out_row
from cryopick_ray.stages.pick import Picking
from cryopick_ray.store.manifest import ManifestRow

LINGER_SECONDS = 5.0
"""How long a micrograph waits for others that make a unit with it."""
LIVE_UNIT = 4
"""Micrographs of a unit at most where nobody knows how many will come: they do not wait for each other."""


def flow(
    batches: Batches,
    intake: StoreIngest,
    picking: Picking | None,
    engine: Engine,
    events: Events,
    *,
    one_each: bool = False,
    pulse: Callable[[], None] = lambda: None,
) -> None:
    """Ingest and pick micrographs as they arrive, on workers that stay until all is done.

    Parameters
    ----------
    picking
        ``None`` to ingest only.
    one_each
        Leave out copies of an earlier file, the old name of a renamed file, and files that vanish before they
        are read.
    pulse
        Called about once a second.
    """
    kinds = [intake.kind(batches, engine), *([picking.kind] if picking else [])]
    with engine.open_session(kinds) as session:
        pipeline = _Pipeline(session, batches, intake, picking, events, one_each=one_each)
        while pipeline.step():
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
    """Ingest the micrographs that the store does not hold yet, without picking.

    Raises
    ------
    UsageError
        As :meth:`StoreIngest.admit` does.
    """
    intake = StoreIngest(store_url, settings, averages=averages, device=device)
    flow(FixedBatches(sources, left_out), intake, None, engine, events)


class _Pipeline:
    """The state of a run between files and picks."""

    def __init__(
        self,
        session: WorkSession,
        batches: Batches,
        intake: StoreIngest,
        picking: Picking | None,
        events: Events,
        *,
        one_each: bool,
    ) -> None:
        self._session, self._batches, self._intake, self._picking = session, batches, intake, picking
        self._events = events
        self._size = LIVE_UNIT if batches.total is None else unit_size(batches.total)
        self._sources: dict[str, MicrographSource] = {}
        self._waiting: list[MicrographSource] = []
        self._since = 0.0
        self._seen = self._admitted = self._picked = 0
        self._coming: set[str] = set()
        self._complete: set[str] = set()
        stored = intake.manifest.values()
        self._untaken = {row.micrograph_id for row in stored if row.status == "complete"}
        self._by_checksum: dict[str, str] | None = {} if one_each else None
        self._reingested: set[str] = set()
        self._is_closing = False
        self._totals: tuple[int, ...] = ()
        self._take()
        self._queue_stored()

    def _queue_stored(self) -> None:
        """Queue for picking what the store holds, is not picked and is not to be ingested again."""
        rows = [row for row in self._intake.manifest.values() if row.status == "complete"]
        rows = [row for row in rows if row.micrograph_id not in self._coming]
        self._complete = {row.micrograph_id for row in rows}
        if self._by_checksum is not None:
            self._by_checksum |= {row.checksum: row.micrograph_id for row in rows}
        if self._picking is not None:
            if not self._coming and self._batches.is_exhausted:
                self._picking.check(rows)
            pending = self._picking.pending(rows)
            self._picked = len(rows) - len(pending) - len(self._picking.unfit(rows))
            self._session.add("pick", split_units(pending, unit_size(len(rows))))
            self._give_up_unfit(rows)

    def step(self) -> bool:
        """Handle arrivals and reports; tell whether there may be more to do."""
        self._take()
        is_last = self._batches.is_exhausted and not self._waiting
        if is_last and not self._coming and not self._is_closing:  # nothing makes more work
            self._is_closing = True
            self._session.finish()
        self._report_totals()
        if is_last and not self._session.unfinished:
            return False
        for kind, report in self._session.reports(PULSE_SECONDS):
            self._events.report(kind, report)
            if kind == "ingest":
                self._on_ingested(report)
            elif kind == "pick":
                self._reingest_damaged(report)
        return True

    def _take(self) -> None:
        """Queue arrived micrographs for ingest, in units as full as possible without a long wait."""
        if taken := self._batches.take():
            admitted, changed = self._intake.admit(taken)
            note_changed(changed, self._events)
            if admitted and (warning := self._intake.version_warning()):
                self._events.warn(warning)
            self._batches.done(
                {source.micrograph_id for source in taken} - {source.micrograph_id for source in admitted}
            )
            self._seen += len(taken)
            self._untaken -= {source.micrograph_id for source in taken}
            self._admitted += len(admitted)
            self._coming.update(source.micrograph_id for source in admitted)
            self._complete -= self._coming
            self._since = self._since if self._waiting else time.monotonic()
            self._waiting += admitted
            if self._by_checksum is not None:
                self._sources |= {source.micrograph_id: source for source in admitted}
        others = [left_out_row(source, reason) for source, reason in self._batches.left_out()]
        self._intake.leave_out(others)
        for source, reason in self._batches.lost():
            self._seen, self._admitted = self._seen + 1, self._admitted + 1
            self._coming.add(source.micrograph_id)
            self._session.give_up("ingest", [source], reason)
        may_wait = not (self._batches.total is None or self._batches.is_exhausted)
        is_young = time.monotonic() - self._since < LINGER_SECONDS
        count = len(self._waiting) // self._size * self._size if may_wait and is_young else len(self._waiting)
        self._session.add("ingest", split_units(self._waiting[:count], self._size))
        del self._waiting[:count]

    def _on_ingested(self, report: UnitReport) -> None:
        rows: list[ManifestRow] = list(report.made)
        failed = {name for name, _ in report.failures}
        self._coming -= {row.micrograph_id for row in rows} | failed
        self._batches.done({row.micrograph_id for row in rows} | failed)
        self._intake.record(rows, failed)
        for name in failed & self._sources.keys():
            if not os.path.lexists(self._sources[name].path):
                self._leave_out(failed_row(self._sources[name], ""), "vanished before it was read")
        by_checksum = self._by_checksum
        unlike = rows if by_checksum is None else [row for row in rows if self._is_new(row, by_checksum)]
        self._complete.update(row.micrograph_id for row in unlike)
        if self._picking is not None:
            self._session.add("pick", split_units(self._picking.pending(unlike), max(1, len(unlike))))
            self._give_up_unfit(unlike)

    def _give_up_unfit(self, rows: list[ManifestRow]) -> None:
        """Give up micrographs that are too coarse for the model."""
        for row, reason in self._picking.unfit(rows) if self._picking is not None else ():
            self._session.give_up("pick", [row], reason)

    def _is_new(self, row: ManifestRow, by_checksum: dict[str, str]) -> bool:
        """Tell whether no other micrograph is the same file; else one of the two is left out."""
        other = self._intake.manifest.get(by_checksum.get(row.checksum, row.micrograph_id))
        by_checksum[row.checksum] = row.micrograph_id
        if other is None or other.micrograph_id == row.micrograph_id or other.status != "complete":
            return True
        if was_renamed := not os.path.lexists(other.source):
            out, reason = other, f"renamed to {row.micrograph_id}"
            self._complete.discard(other.micrograph_id)
        else:
            out, reason = row, f"the same file as {other.micrograph_id}"
            by_checksum[row.checksum] = other.micrograph_id
        self._leave_out(out, reason)
        return was_renamed

    def _leave_out(self, row: ManifestRow, reason: str) -> None:
        self._intake.leave_out([replace(row, status="left out", reason=reason)])
        self._events.note(f"left out: {row.micrograph_id}: {reason}")

    def _reingest_damaged(self, report: UnitReport) -> None:
        """Ingest micrographs again, once, that are damaged in the store; give up those that cannot be."""
        fresh = [name for name, _ in report.damaged if name not in self._reingested]
        coming = self._batches.again(fresh) if fresh else set()
        for name, reason in report.damaged:
            if name in coming:
                self._events.warn(f"{name} is damaged in the store and ingested again")
            else:
                self._session.give_up("pick", [self._intake.manifest[name]], reason)
        self._reingested |= coming
        self._intake.forget(coming)
        self._complete -= coming
        self._seen -= len(coming)
        self._admitted -= len(coming)

    def _report_totals(self) -> None:
        """Report the totals of both stages, if they have changed."""
        seen = self._seen if self._batches.total is None else self._batches.total
        totals = (
            seen,
            self._seen - self._admitted,
            len(self._complete) + len(self._coming) + max(0, seen - self._seen - len(self._untaken)),
        )
        if totals != self._totals:
            self._totals = totals
            self._events.stage("ingest", totals[0], totals[1])
            if self._picking is not None:
                self._events.stage("pick", totals[2], self._picked)
