"""What people decide on the page: kept in their files at once, and seen by all pages of the folder."""

import getpass
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import RLock

import numpy as np

from cryopick_ray.errors import UsageError
from cryopick_ray.micrographs.junk import Junk
from cryopick_ray.page.packing import is_by_hand
from cryopick_ray.passes.decision_files import decision, fields, in_order, read_rows
from cryopick_ray.passes.decision_log import DecisionLog
from cryopick_ray.passes.decisions import OF_MICROGRAPHS, Decision, Decisions, decisions_of
from cryopick_ray.passes.shared_folder import SharedFolder
from cryopick_ray.picks.reasons import Reason
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph
from cryopick_ray.picks.verdict import NO_MICROGRAPH

MOST_ROWS = 50_000
"""Decisions that are kept at once."""


@dataclass(frozen=True)
class Applied:
    """What a table says of decisions that were heeded as it was made.

    Attributes
    ----------
    elsewhere
        Their files, but for those of the page's own folder.
    is_any
        Whether there were any files of decisions.
    is_known
        Whether all of them can be read: what they did can then be undone.
    excludes_by_verdict
        Whether verdicts exclude micrographs, too.
    is_own
        Whether those of the page's own folder were heeded.
    spacing_A
        Between segments of filaments, where the picks are known to be such; else ``None``.
    """

    elsewhere: tuple[Path, ...] = ()
    is_any: bool = False
    is_known: bool = True
    excludes_by_verdict: bool = False
    is_own: bool = False
    spacing_A: float | None = None


class Judgement:
    """The decisions of all people about one data set.

    Parameters
    ----------
    folder
        Of their files.
    by
        Who decides on this page.
    applied
        What a table heeds already.

    Raises
    ------
    UsageError
        If the folder or the name cannot be used, or this person's file cannot be read.
    """

    def __init__(self, folder: Path, by: str, applied: Applied) -> None:
        self.folder, self.by, self.applied = folder, by, applied
        self.generation = 0
        self._elsewhere = read_rows(applied.elsewhere) if applied.is_known else []
        self._lock = RLock()
        self._rows: dict[str, list[Decision]] = {}
        self._decisions: dict[str, Decisions] = {}
        self.why_not = ""
        self._shared = SharedFolder(folder)
        self._unread: list[str] = []
        self._is_any = False
        self._notebook: DecisionLog | None = None
        try:
            self._notebook = DecisionLog(folder, by)
            self.by, self._shared = self._notebook.by, self._notebook.shared
        except PermissionError as error:
            self.why_not = f"{folder} cannot be written ({error.strerror}): give another `curation`"
        self.refresh()

    def close(self) -> None:
        """Let another page write this person's file."""
        if self._notebook is not None:
            self._notebook.close()

    @property
    def people(self) -> list[str]:
        """Who has decided anything, and who does on this page."""
        there = {row.by for rows in self._rows.values() for row in rows if row.by}
        return sorted(there | {self.by})

    @property
    def unread(self) -> list[str]:
        """What is wrong with files of others that cannot be read; what they held before counts."""
        return list(self._shared.unread.values())

    def is_heeded(self, since: float) -> bool:
        """Tell whether a table that was begun at a time of files' clock holds what people decided."""
        if not self.applied.is_own:
            return not self._is_any
        return self._shared.newest <= since

    def refresh(self) -> set[str]:
        """Read what others decided meanwhile; return the ids of micrographs of which something changed."""
        with self._lock:
            notebook = self._notebook
            own = in_order(self._shared.read()) if notebook is None else notebook.everyone()
            self._is_any = bool(own)
            rows: defaultdict[str, list[Decision]] = defaultdict(list)
            for row in sorted([*self._elsewhere, *own], key=lambda row: row.call):
                rows[row.micrograph_id].append(row)
            changed = {
                name for name in rows.keys() | self._rows.keys() if rows.get(name) != self._rows.get(name)
            }
            if changed:
                for name in changed:
                    self._decisions.pop(name, None)
                self._decisions |= decisions_of(row for name in changed for row in rows.get(name, ()))
                self._rows = dict(rows)
            if changed or self.unread != self._unread:
                self._unread = self.unread
                self.generation += 1
            return changed

    def decide(self, micrograph: PickedMicrograph, rows: Sequence[Decision]) -> set[str]:
        """Keep decisions about a micrograph; return the ids of those of which something changed.

        Raises
        ------
        UsageError
            If one of them is none, or adds a pick outside.
        """
        from cryopick_ray.passes.curation import check_places

        checked = [decision(fields(row), "decisions") for row in rows]
        with self._lock:
            check_places(decisions_of(checked), [micrograph])
            return self._keep(rows)

    def exclude(self, micrograph_ids: Iterable[str], *, exclude: bool) -> set[str]:
        """Leave micrographs out, or take them back; return the ids of those of which something changed."""
        action = "exclude" if exclude else "include"
        with self._lock:
            wanted = [name for name in micrograph_ids if self.is_excluded(name) != exclude]
            return self._keep([Decision(name, action) for name in wanted])  # type: ignore[arg-type]

    def undo(self) -> set[str]:
        """Take back what this person decided last; return the ids of micrographs that it was about."""
        with self._lock:
            gone = self._writable().undo()
            self.refresh()
            return {row.micrograph_id for row in gone}

    def rows_of(self, micrograph_id: str) -> list[Decision]:
        """Return all decisions about a micrograph, the earliest first."""
        return list(self._rows.get(micrograph_id, ()))

    def is_decided(self, micrograph_id: str) -> bool:
        """Tell whether there are decisions about a micrograph."""
        return micrograph_id in self._rows

    def is_as_found(self, micrograph_id: str) -> bool:
        """Tell whether nothing that people decided changes a micrograph, nor was heeded in its table."""
        rows = self._rows.get(micrograph_id, ())
        is_plain = all(row.action in OF_MICROGRAPHS for row in rows) and not self.is_excluded(micrograph_id)
        return is_plain and not self.applied.is_any

    def is_excluded(self, micrograph_id: str) -> bool:
        """Tell whether a micrograph is left out."""
        own = self._decisions.get(micrograph_id)
        return own is not None and own.exclude

    def decided(self) -> set[str]:
        """Return the ids of all micrographs that there are decisions about."""
        return set(self._rows)

    def before(self, picks: MicrographPicks) -> MicrographPicks:
        """Return a micrograph's picks as they are without any decision."""
        if not self.applied.is_known:
            return picks
        name, verdict = picks.micrograph.micrograph_id, picks.micrograph.verdict
        by_hand = any(row.action in OF_MICROGRAPHS for row in self._rows.get(name, ()))
        by_hand |= not self.applied.excludes_by_verdict and verdict != NO_MICROGRAPH
        return undecided(picks, included=by_hand)

    def curated(self, picks: MicrographPicks) -> MicrographPicks:
        """Return a micrograph's picks as people decided."""
        picks = self.before(picks)
        if not self.is_decided(picks.micrograph.micrograph_id):
            return picks
        from cryopick_ray.passes.curation import Curated  # with SciPy, which a page starts without

        return Curated(self._decisions, self.applied.spacing_A)(picks)

    def _keep(self, rows: Sequence[Decision]) -> set[str]:
        if len(rows) > MOST_ROWS:
            raise UsageError(f"{len(rows)} decisions at once, expected at most {MOST_ROWS}")
        self._writable().append(rows)
        return self.refresh()

    def _writable(self) -> DecisionLog:
        if self._notebook is None:
            raise PermissionError(self.why_not)
        return self._notebook


def undecided(picks: MicrographPicks, *, included: bool) -> MicrographPicks:
    """Return picks without what decisions did to them; what an added pick took the place of stays lost.

    Parameters
    ----------
    included
        Whether it was people who left the micrograph out, if it is.
    """
    if (by_hand := is_by_hand(picks)).any():
        picks = picks.take(~by_hand)
    gone = np.where(picks.has(Reason.REMOVED_BY_HAND), np.uint16(Reason.REMOVED_BY_HAND), np.uint16(0))
    if gone.any() and picks.junk is not None:
        painted = (gone != 0) & picks.has(Reason.ON_JUNK) & (picks.junk == Junk.MASKED)
        gone |= np.where(painted, np.uint16(Reason.ON_JUNK), np.uint16(0))
        picks = replace(picks, junk=np.where(painted, np.uint8(Junk.NONE), picks.junk))
    if included:
        gone |= np.uint16(Reason.EXCLUDED_MICROGRAPH)
    return replace(picks, unpicked=picks.unpicked & ~gone) if (picks.unpicked & gone).any() else picks


def login_name() -> str:
    """Return what this machine calls who runs this.

    Raises
    ------
    UsageError
        If it has no name for them.
    """
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError) as error:
        raise UsageError("this machine has no name for you: give `by`") from error
