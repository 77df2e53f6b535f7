"""Every file of a download and how far it is: a SQLite file that several runs share."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryopick_ray.empiar.database import open_database
from cryopick_ray.empiar.lock import RunLock, is_alive
from cryopick_ray.empiar.rows import (
    COLUMNS,
    LISTED_COLUMNS,
    TABLES,
    FileRow,
    State,
    listed_values,
)
from cryopick_ray.errors import UsageError, brief, one_line
from cryopick_ray.micrographs.roles import APART, role_of, wrongly_apart
from cryopick_ray.transfer.response import RefusedFile, RemoteFile
from cryopick_ray.transfer.transfer_errors import RemoteError

FOLDER = ".empiar"
"""Inside the folder of a download; hidden, so that it is never taken for micrographs."""
VERSION, BATCH = 1, 1000
BELOW = "path > :folder || '/' AND path < :folder || '0'"  # 0 follows / in ASCII


class Manifest:
    """The manifest of one entry in one folder.

    Parameters
    ----------
    folder
        Where the files go.

    Raises
    ------
    UsageError
        The folder holds another entry.
    """

    def __init__(self, folder: Path, entry_id: str) -> None:
        self.folder = folder
        self._owners = folder / FOLDER / "owners"
        self._owner = RunLock(self._owners)
        self._lock = threading.RLock()
        try:
            with self._told():
                self._database = open_database(folder / FOLDER / "manifest.sqlite", TABLES)
        except BaseException:
            self._owner.close()
            raise
        try:
            self._open(entry_id)
        except BaseException:
            self._close()
            raise

    def __enter__(self) -> Self:
        """Keep the claims of this run alive."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        """Drop the claims of this run."""
        try:
            with self._transaction() as database:
                database.execute("UPDATE files SET owner = NULL WHERE owner = ?", (self._owner.name,))
        finally:
            self._close()

    def listed_folder(self, image_set: str) -> str | None:
        """Return the folder that was listed to its end for an image set, if it was."""
        return self._about(f"listed {image_set}")

    def note_listed(self, image_set: str, folder: str) -> None:
        """Note that ``folder`` has been listed to its end for an image set: it is not listed again."""
        with self._transaction() as database:
            database.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", (f"listed {image_set}", folder))

    def list_files(
        self, found: Iterable[RemoteFile | RefusedFile], *, frames: int | None, data_format: str
    ) -> None:
        """Take in the listing of a folder, in constant memory; of known files only the role may change."""
        rows = (listed_values(one, frames, data_format) for one in found)
        while batch := list(islice(rows, BATCH)):
            with self._transaction() as database:
                database.executemany(
                    f"INSERT INTO files ({LISTED_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
                    "ON CONFLICT (path) DO UPDATE SET role = excluded.role, exposure = excluded.exposure, "
                    "preference = excluded.preference",
                    batch,
                )
        with self._transaction() as database:
            self._settle_roles(database, frames, data_format)
            database.execute(
                "UPDATE files SET role = 'duplicate' WHERE role IN ('micrograph', 'movie') AND EXISTS "
                "(SELECT 1 FROM files AS other WHERE other.exposure = files.exposure "
                "AND other.role = files.role AND other.preference < files.preference)"
            )

    def counts(self, folder: str) -> dict[str, int]:
        """Return the number of files below a folder by role.

        ``duplicate`` is a worse image of an exposure, ``refused`` a name that is not believed.
        """
        query = f"SELECT role, COUNT(*) FROM files WHERE {BELOW} GROUP BY role"
        return dict(self._rows(query, folder=folder))

    def of_role(self, folder: str, role: str, limit: int) -> list[FileRow]:
        """Return the first files of a role below a folder, by path."""
        query = f"SELECT {COLUMNS} FROM files WHERE {BELOW} AND role = :role ORDER BY path LIMIT :limit"
        return [FileRow(*row) for row in self._rows(query, folder=folder, role=role, limit=limit)]

    def select(
        self, folder: str, *, role: str | None, fits: Callable[[str], bool], limit: int | None
    ) -> None:
        """Choose what this run is about: files below a folder, of a role, whose name fits, the first so many.

        What failed before is tried again.
        """
        with self._transaction() as database:
            database.create_function("fits", 1, fits, deterministic=True)
            database.execute("DELETE FROM todo")
            database.execute(
                f"INSERT INTO todo (path) SELECT path FROM (SELECT path, state FROM files WHERE {BELOW} AND "
                "role != 'refused' AND (:role IS NULL OR role = :role) AND fits(path) "
                "ORDER BY path LIMIT :limit) ORDER BY state != 'fetched', "
                "state != 'partial', path",
                {"folder": folder, "role": role, "limit": -1 if limit is None else limit},
            )
            database.execute("DELETE FROM chosen")
            database.execute("INSERT INTO chosen SELECT path FROM todo")
            database.execute(
                "UPDATE files SET state = 'listed', reason = '' WHERE state = 'failed' AND owner IS NULL "
                "AND path IN chosen"
            )

    def chosen(self) -> Iterator[FileRow]:
        """Yield what was chosen, by path."""
        after = ""
        while True:
            rows = self._rows(
                f"SELECT {COLUMNS} FROM files WHERE path IN chosen AND path > :after "
                "ORDER BY path LIMIT :limit",
                after=after,
                limit=BATCH,
            )
            yield from (FileRow(*row) for row in rows)
            if len(rows) < BATCH:
                return
            after = rows[-1][0]

    def summary(self) -> dict[str, tuple[int, int]]:
        """Return the number of chosen files and their bytes, by state."""
        rows = self._rows(
            "SELECT state, COUNT(*), COALESCE(SUM(COALESCE(size_bytes, listed_bytes)), 0) FROM files "
            "WHERE path IN chosen GROUP BY state"
        )
        return {state: (number, size) for state, number, size in rows}

    def claim(self, states: Sequence[State]) -> FileRow | None:
        """Take the next chosen file that is in one of the states and nobody else's.

        A file of a run that has died is free. ``None`` if there is nothing left for this run: what others
        have in hand is waited for with :meth:`is_settled`.
        """
        marks = ", ".join("?" * len(states))
        with self._transaction() as database:
            while True:
                first = database.execute(
                    "SELECT position, path FROM todo ORDER BY position LIMIT 1"
                ).fetchone()
                if first is None:
                    return None
                database.execute("DELETE FROM todo WHERE position = ?", first[:1])
                row = database.execute(
                    f"UPDATE files SET owner = ?, changed_at = ? WHERE path = ? AND owner IS NULL "
                    f"AND state IN ({marks}) RETURNING {COLUMNS}",
                    (self._owner.name, time.time(), first[1], *states),
                ).fetchone()
                if row is not None:
                    return FileRow(*row)

    def is_settled(self, states: Sequence[State]) -> bool:
        """Tell whether no other run has chosen files in hand, and none is to be claimed.

        Files of runs that have died are freed, and what is nobody's and in one of the states waits again.
        """
        marks = ", ".join("?" * len(states))
        with self._transaction() as database:
            others = database.execute(
                "SELECT DISTINCT owner FROM files WHERE owner IS NOT NULL AND owner != ? AND path IN chosen",
                (self._owner.name,),
            ).fetchall()
            dead = [(name,) for (name,) in others if not is_alive(self._owners, name)]
            database.executemany("UPDATE files SET owner = NULL WHERE owner = ?", dead)
            database.execute(
                f"INSERT INTO todo (path) SELECT path FROM files WHERE owner IS NULL AND state IN ({marks}) "
                "AND path IN chosen AND path NOT IN (SELECT path FROM todo) "
                "ORDER BY state != 'fetched', state != 'partial', path",
                tuple(states),
            )
            left = database.execute("SELECT EXISTS (SELECT 1 FROM todo)").fetchone()[0]
            return len(dead) == len(others) and not left

    def put_back(self, path: str) -> None:
        """Let a claimed file wait again, before the others."""
        with self._transaction() as database:
            database.execute("UPDATE files SET owner = NULL WHERE path = ?", (path,))
            database.execute("INSERT INTO todo SELECT COALESCE(MIN(position), 1) - 1, ? FROM todo", (path,))

    def started(self, path: str, size_bytes: int | None, validator: str | None, digest: str | None) -> None:
        """Note what the server says of a file, before its first byte is written."""
        self._set(path, state="partial", size_bytes=size_bytes, validator=validator, digest=digest)

    def fetched(self, path: str, size_bytes: int, checksum: str, *, keep: bool) -> None:
        """Note that a file is here and whole; ``keep`` it claimed for what this run goes on to do with it."""
        owner = self._owner.name if keep else None
        self._set(path, state="fetched", size_bytes=size_bytes, checksum=checksum, owner=owner)

    def forget(self, path: str) -> None:
        """Let a fetched file that is no longer here be fetched again, unless another run has it in hand."""
        with self._transaction() as database:
            database.execute("UPDATE files SET state = 'listed' WHERE path = ? AND owner IS NULL", (path,))

    def ended(self, path: str, state: State, reason: str = "") -> None:
        """Note how a file ended, and let go of it."""
        self._set(path, state=state, reason=reason, owner=None)

    def _set(self, path: str, **values: Any) -> None:
        columns = ", ".join(f"{name} = ?" for name in values)
        with self._transaction() as database:
            database.execute(
                f"UPDATE files SET {columns}, changed_at = ? WHERE path = ?",
                (*values.values(), time.time(), path),
            )

    def _open(self, entry_id: str) -> None:
        with self._transaction() as database:
            for key, value in (("version", str(VERSION)), ("entry", entry_id)):
                database.execute("INSERT OR IGNORE INTO about VALUES (?, ?)", (key, value))
        held = [one_line(str(self._about(key))) for key in ("version", "entry")]
        if held != [str(VERSION), entry_id]:
            raise UsageError(
                f"{self.folder} holds files of EMPIAR-{held[1]} (manifest version {held[0]}), "
                f"not of EMPIAR-{entry_id} (version {VERSION}); choose another `out`"
            )

    def _close(self) -> None:
        self._database.close()
        self._owner.close()

    def _settle_roles(self, database: sqlite3.Connection, frames: int | None, data_format: str) -> None:
        """Take as images what was told apart from them and is too much for it, or all there is."""
        apart = set(APART)
        while True:
            counts = dict(database.execute("SELECT role, COUNT(*) FROM files GROUP BY role").fetchall())
            has_images = counts.get("micrograph") or counts.get("movie")
            counts["preview"] = 0 if has_images else counts.get("gain", 0)  # references may lie alone
            if (wrong := wrongly_apart(counts)) not in apart:
                return
            apart -= {wrong}
            for (path,) in database.execute("SELECT path FROM files WHERE role = ?", (wrong,)).fetchall():
                now = role_of(path, frames=frames, data_format=data_format, apart=apart), path
                database.execute("UPDATE files SET role = ? WHERE path = ?", now)

    def _about(self, key: str) -> str | None:
        rows = self._rows("SELECT value FROM about WHERE key = :key", key=key)
        return str(rows[0][0]) if rows else None

    def _rows(self, query: str, **values: Any) -> list[Any]:
        with self._lock, self._told():
            return self._database.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._told():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise RemoteError(
                f"{self.folder / FOLDER / 'manifest.sqlite'}: {brief(error)}; if it is damaged, "
                f"delete {FOLDER}: files that are here and whole stay and are not fetched again"
            ) from error
