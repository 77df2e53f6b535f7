"""The rows of a download's manifest."""

import time
from dataclasses import dataclass
from typing import Any, Literal

from cryopick_ray.micrographs.roles import exposure_of, role_of
from cryopick_ray.transfer.response import RefusedFile, RemoteFile

State = Literal["listed", "partial", "fetched", "ingested", "failed"]

TABLES = """
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, role TEXT NOT NULL, exposure TEXT NOT NULL, preference INTEGER NOT NULL,
    state TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '',
    listed_bytes INTEGER, size_bytes INTEGER, modified TEXT NOT NULL DEFAULT '',
    validator TEXT, digest TEXT, checksum TEXT, owner TEXT,
    listed_at REAL NOT NULL, changed_at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS exposures ON files (exposure);
CREATE INDEX IF NOT EXISTS owners ON files (owner) WHERE owner IS NOT NULL;
CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TEMP TABLE todo (position INTEGER PRIMARY KEY, path TEXT NOT NULL);
CREATE TEMP TABLE chosen (path TEXT PRIMARY KEY) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class FileRow:
    """One file of a download.

    Attributes
    ----------
    listed_bytes, size_bytes
        As the index page says, perhaps rounded; as the server says when the file is asked for.
    validator, digest
        What the server sent with it.
    checksum
        ``crc32c:`` and digits of the file here.
    """

    path: str
    role: str
    state: State
    reason: str
    listed_bytes: int | None
    size_bytes: int | None
    validator: str | None
    digest: str | None
    checksum: str | None

    @property
    def expected_bytes(self) -> int | None:
        """The exact size if known, else the listed one."""
        return self.listed_bytes if self.size_bytes is None else self.size_bytes


COLUMNS = "path, role, state, reason, listed_bytes, size_bytes, validator, digest, checksum"


LISTED_COLUMNS = (
    "path, role, exposure, preference, state, reason, listed_bytes, size_bytes, modified, "
    "listed_at, changed_at"
)


def listed_values(file: RemoteFile | RefusedFile, frames: int | None, data_format: str) -> tuple[Any, ...]:
    """Return the values of a file that a listing names, in the order of :data:`LISTED_COLUMNS`."""
    now = time.time()
    if isinstance(file, RefusedFile):
        return file.path, "refused", "", 0, "failed", file.reason, None, None, "", now, now
    role = role_of(file.path, frames=frames, data_format=data_format)
    exact = file.size_bytes if file.is_exact else None
    sizes = file.size_bytes, exact
    return file.path, role, *exposure_of(file.path), "listed", "", *sizes, file.modified, now, now
