"""One person's file of decisions in a folder that several people share."""

import fcntl
import os
import re
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

from cryopick_ray.errors import UsageError, brief
from cryopick_ray.passes.decision_files import (
    LAST_YEAR,
    LONGEST_NAME,
    OF_CLASSES,
    Numbered,
    decision,
    fields,
    in_order,
    numbered,
    read_rows,
    text_of,
)
from cryopick_ray.passes.decisions import Decision
from cryopick_ray.passes.shared_folder import SharedFolder
from cryopick_ray.store.publish import check_folder, open_lock, write_whole

DECIMALS = 2
"""Of pixels, in files."""
MOST_NAME_BYTES = 200
_NAME = re.compile(r"\w(?:[\w .@+-]*[\w@+-])?")
_STEP = timedelta(milliseconds=1)


class DecisionLog:
    """The decisions of one person: each is in their file when a method returns; the file is always complete.

    Parameters
    ----------
    folder
        Folder of all people's files, ``NAME.csv``; made if it is missing.
    by
        Name of the person.

    Raises
    ------
    UsageError
        If the name can name no file, somebody else writes under it, or the file cannot be read; links are
        never written through.
    """

    def __init__(self, folder: Path, by: str) -> None:
        self.by = _checked_name(by)
        self.folder, self.path = folder, folder / f"{self.by}.csv"
        self.shared = SharedFolder(folder)
        self._merged: tuple[list[Numbered], list[Decision]] | None = None
        self._lock = self._locked()
        try:
            self._rows = read_rows([self.path]) if self.path.exists() else []
        except UsageError:
            self._lock.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the lock of this person's file."""
        self._lock.close()

    @property
    def _lock_path(self) -> Path:
        return self.folder / f".{self.by}.lock"

    @property
    def rows(self) -> list[Decision]:
        """The decisions in this person's file, in the order they count in."""
        return list(self._rows)

    def append(self, rows: Iterable[Decision]) -> list[Decision]:
        """Keep decisions and return them with this person's name and one time, later than all that are there.

        Raises
        ------
        UsageError
            If one of them is none; nothing is kept then.
        """
        new = list(rows)
        if not new:
            return []
        at = self._next()
        kept = [decision(fields(_rounded(replace(row, by=self.by, at=at))), "decisions") for row in new]
        self._keep([*self._rows, *kept])
        return kept

    def undo(self) -> list[Decision]:
        """Take the last call of :meth:`append` back, an earlier session's too, and return what it kept."""
        last = max((row.at for row in self._rows if row.by == self.by), default="")
        gone = [row for row in self._rows if (row.by, row.at) == (self.by, last) and last]
        if gone:
            self._keep([row for row in self._rows if row.call != (last, self.by)])
        return gone

    def everyone(self) -> list[Decision]:
        """Return all people's decisions in the order they count in; files are read again as they change.

        See :class:`SharedFolder` for those that cannot be read.
        """
        theirs = self.shared.read(but=self.path)
        if self._merged is None or self._merged[0] != theirs:
            self._merged = theirs, in_order([*theirs, *numbered(self._rows)])
        return list(self._merged[1])

    def _locked(self) -> FileIO:
        """Return the file that is held for this person's; their folder is made if it is missing."""
        check_folder(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileIO(open_lock(self._lock_path), "r+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise UsageError(
                f"{self.path} is being written already, by another page of `by` {self.by}; close that, or "
                "give another name"
            ) from error
        return lock

    def _hold_again(self) -> None:
        """Make the folder and the lock anew if somebody removed them."""
        with suppress(FileNotFoundError):
            if os.path.samestat(self._lock_path.lstat(), os.fstat(self._lock.fileno())):
                return
        lock, lost = self._locked(), self._lock
        self._lock = lock
        lost.close()

    def _keep(self, rows: list[Decision]) -> None:
        self._hold_again()
        try:
            write_whole(self.path, text_of(rows))
        except UnicodeEncodeError as error:
            raise UsageError(
                f"a micrograph's name is no text that a file can hold: {brief(error)}"
            ) from error
        self._rows, self._merged = rows, None

    def _next(self) -> str:
        """Return the time now, or what follows the last that is in the folder."""
        last = max((row.at for row in self.everyone()), default="")
        now = datetime.now(UTC)
        if last:
            now = max(now, datetime.fromisoformat(last) + _STEP)
        if now.year > LAST_YEAR:
            raise UsageError(
                f"a decision in {self.folder} is of {last}, after which none can be; take it out"
            )
        return now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}Z"


def _rounded(row: Decision) -> Decision:
    x_px, y_px, radius_px = (round(length, DECIMALS) for length in row.disc)
    return replace(row, x_px=x_px, y_px=y_px, radius_px=radius_px)


def _checked_name(by: str) -> str:
    name = unicodedata.normalize("NFC", by)
    fits = _NAME.fullmatch(name) and len(name) <= LONGEST_NAME and len(name.encode()) <= MOST_NAME_BYTES
    if not fits or f"{name}.csv".endswith(OF_CLASSES):
        raise UsageError(
            f"`by` is {brief(by)}, which can name no file; expected up to {LONGEST_NAME} letters, digits, "
            "spaces or ._@+- and a letter or digit first"
        )
    return name
