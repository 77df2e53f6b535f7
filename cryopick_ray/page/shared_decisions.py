"""People's decisions on a page: saved to their files at once, and read by all pages of the folder."""

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
"""Most decisions in one request."""


@dataclass(frozen=True)
class AppliedDecisions:
    """The decisions that were applied when a table was made, according to the table.

    Attributes
    ----------
    elsewhere
        Their files outside the page's own folder.
    is_any
        Whether there were any.
    is_known
        Whether all files can be read: then their effect can be undone.
    excludes_by_verdict
        Whether verdicts exclude micrographs, too.
    is_own
        Whether those of the page's own folder were applied.
    spacing_A
        Distance between segments of filaments; ``None`` for particles.
    """

    elsewhere: tuple[Path, ...] = ()
    is_any: bool = False
    is_known: bool = True
    excludes_by_verdict: bool = False
    is_own: bool = False
    spacing_A: float | None = None


class SharedDecisions:
    """The decisions of all people about one data set.

    Parameters
    ----------
    folder
        Folder of the decision files.
    by
        Name of the person at this page.
    applied
        Decisions that the table holds already.

    Raises
    ------
    UsageError
        If the folder or the name cannot be used, or this person's file cannot be read.
    """

    def __init__(self, folder: Path, by: str, applied: AppliedDecisions) -> None:
        self.folder, self.by, self.applied = folder, by, applied
        self.generation = 0
        self._elsewhere = read_rows(applied.elsewhere) if applied.is_known else []
        self._lock = RLock()
        self._rows: dict[str, list[Decision]] = {}
        self._decisions: dict[str, Decisions] = {}
        self.why_read_only = ""
        self._shared = SharedFolder(folder)
        self._unread: list[str] = []
        self._is_any = False
        self._notebook: DecisionLog | None = None
        try:
            self._notebook = DecisionLog(folder, by)
            self.by, self._shared = self._notebook.by, self._notebook.shared
        except PermissionError as error:
            self.why_read_only = f"{folder} cannot be written ({error.strerror}): give another `curation`"
        self.refresh()

    def close(self) -> None:
        """Release this person's file for another page."""
        if self._notebook is not None:
            self._notebook.close()

    @property
    def people(self) -> list[str]:
        """Names of all people with decisions, and of the one at this page."""
        there = {row.by for rows in self._rows.values() for row in rows if row.by}
        return sorted(there | {self.by})

    @property
    def unread(self) -> list[str]:
        """Errors of unreadable files of others, whose last readable content is used."""
        return list(self._shared.unread.values())

    def is_applied(self, since: float) -> bool:
        """Tell whether a table begun at a file time ``since`` holds all decisions."""
        if not self.applied.is_own:
            return not self._is_any
        return self._shared.newest <= since

    def refresh(self) -> set[str]:
        """Read other people's new decisions; return the ids of changed micrographs."""
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
        """Save decisions about a micrograph; return the ids of changed micrographs.

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
        """Exclude micrographs, or include them again; return the ids of changed micrographs."""
        action = "exclude" if exclude else "include"
        with self._lock:
            wanted = [name for name in micrograph_ids if self.is_excluded(name) != exclude]
            return self._keep([Decision(name, action) for name in wanted])  # type: ignore[arg-type]

    def undo(self) -> set[str]:
        """Undo this person's last decisions; return the ids of their micrographs."""
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
        """Tell whether no decision changes a micrograph, nor was applied to its table."""
        rows = self._rows.get(micrograph_id, ())
        is_plain = all(row.action in OF_MICROGRAPHS for row in rows) and not self.is_excluded(micrograph_id)
        return is_plain and not self.applied.is_any

    def is_excluded(self, micrograph_id: str) -> bool:
        """Tell whether a micrograph is left out."""
        decided = self._decisions.get(micrograph_id)
        return decided is not None and decided.exclude

    def decided(self) -> set[str]:
        """Return the ids of all micrographs that there are decisions about."""
        return set(self._rows)

    def before(self, picks: MicrographPicks) -> MicrographPicks:
        """Return a micrograph's picks without any decision."""
        if not self.applied.is_known:
            return picks
        name, verdict = picks.micrograph.micrograph_id, picks.micrograph.verdict
        by_hand = any(row.action in OF_MICROGRAPHS for row in self._rows.get(name, ()))
        by_hand |= not self.applied.excludes_by_verdict and verdict != NO_MICROGRAPH
        return undecided(picks, included=by_hand)

    def curated(self, picks: MicrographPicks) -> MicrographPicks:
        """Return a micrograph's picks with decisions applied."""
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
            raise PermissionError(self.why_read_only)
        return self._notebook


def undecided(picks: MicrographPicks, *, included: bool) -> MicrographPicks:
    """Return picks with the effect of decisions undone; candidates replaced by added picks stay lost.

    Parameters
    ----------
    included
        Whether an exclusion of the micrograph was a decision, and is undone, too.
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
    """Return the user's login name.

    Raises
    ------
    UsageError
        If the machine has none.
    """
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError) as error:
        raise UsageError("this machine has no name for you: give `by`") from error
