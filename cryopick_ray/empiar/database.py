"""Opening a SQLite file that may come from a stranger."""

import os
import sqlite3
import stat
from pathlib import Path

from cryopick_ray.errors import UsageError

BUSY_S = 60.0
BESIDE = ("", "-journal", "-wal", "-shm")
"""Ends of the names that SQLite reads, writes and removes for one file."""
SCHEMA_STEPS = 1_000_000
"""Instructions that SQLite may take to read a schema; ours takes some hundreds."""
JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")
"""At the very end of a journal only if it names a further file, which SQLite would remove."""

_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name LIMIT 100"


def open_database(path: Path, tables: str) -> sqlite3.Connection:
    """Open a SQLite file that holds exactly ``tables`` or, if it is new, nothing yet.

    A stranger's trigger, view or generated column would run with our statements, and pages that stand in
    many places would never end. Nothing is written before both are ruled out.

    Parameters
    ----------
    tables
        Statements that create the tables, those for temporary ones included; they are run.

    Raises
    ------
    UsageError
        A link, a folder or a pipe has one of the names that SQLite uses, or a journal names a further file.
    sqlite3.Error
        Other tables are in the file, or it is damaged.
    """
    for end in BESIDE:
        check_kind(path.with_name(path.name + end), stat.S_IFREG)
    _check_journal(path.with_name(f"{path.name}-journal"))
    database = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        _check_content(database, tables)
        # Not WAL, which needs shared memory that network folders lack.
        database.execute("PRAGMA journal_mode = PERSIST").fetchall()
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("BEGIN IMMEDIATE")
        _create(database, tables)
        database.execute("COMMIT")
    except BaseException:
        database.close()
        raise
    return database


def check_kind(path: Path, kind: int) -> None:
    """Refuse a name that has anything, a link too, but a file (``S_IFREG``) or folder (``S_IFDIR``)."""
    try:
        held = stat.S_IFMT(path.lstat().st_mode)
    except FileNotFoundError:
        return
    if held != kind:
        found = "a symbolic link" if held == stat.S_IFLNK else "of another kind"
        expected = "folder" if kind == stat.S_IFDIR else "file"
        raise UsageError(f"{path} is {found} where a {expected} of a download is written; remove it")


def _check_content(database: sqlite3.Connection, tables: str) -> None:
    database.execute("PRAGMA trusted_schema = OFF")
    database.set_progress_handler(lambda: 1, SCHEMA_STEPS)
    held = database.execute(_SCHEMA).fetchall()
    database.set_progress_handler(None, 0)
    if not held:
        return
    new = sqlite3.connect(":memory:")
    try:
        _create(new, tables)
        if held != new.execute(_SCHEMA).fetchall():
            raise sqlite3.DatabaseError("it holds other tables than ours, or triggers or views")
    finally:
        new.close()
    if (found := database.execute("PRAGMA quick_check(1)").fetchone()) != ("ok",):
        raise sqlite3.DatabaseError(f"its pages are damaged ({found[0]})")


def _create(database: sqlite3.Connection, tables: str) -> None:
    for statement in tables.split(";"):
        database.execute(statement)


def _check_journal(path: Path) -> None:
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - len(JOURNAL_MAGIC)))
            end = file.read()
    except FileNotFoundError:
        return
    if end == JOURNAL_MAGIC:
        raise UsageError(f"{path} names a file that SQLite would remove, which ours never does; remove it")
