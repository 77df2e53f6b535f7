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
    """What is known of a file.

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
        """The size to reckon with."""
        return self.listed_bytes if self.size_bytes is None else self.size_bytes


COLUMNS = "path, role, state, reason, listed_bytes, size_bytes, validator, digest, checksum"


LISTED_COLUMNS = (
    "path, role, exposure, preference, state, reason, listed_bytes, size_bytes, modified, "
    "listed_at, changed_at"
)


def listed_values(found: RemoteFile | RefusedFile, frames: int | None, data_format: str) -> tuple[Any, ...]:
    """Return the values of a file that a listing names, in the order of :data:`LISTED_COLUMNS`."""
    now = time.time()
    if isinstance(found, RefusedFile):
        return found.path, "refused", "", 0, "failed", found.reason, None, None, "", now, now
    role = role_of(found.path, frames=frames, data_format=data_format)
    exact = found.size_bytes if found.is_exact else None
    sizes = found.size_bytes, exact
    return found.path, role, *exposure_of(found.path), "listed", "", *sizes, found.modified, now, now
