"""No file breaks a reader: a few hundred mutated ones for each, the same in every run."""

import tempfile
from pathlib import Path

from fuzz import fuzz
from guard import Guard
from readers import READERS

ROUNDS = 300
MEMORY = Path("/dev/shm")
"""A file system in memory, where there is one: folders come and go there faster than on a disk."""


def test_mutated_files_are_read_or_refused(tmp_path):
    where = MEMORY if MEMORY.is_dir() else tmp_path
    with tempfile.TemporaryDirectory(dir=where) as scratch, Guard() as guard:
        found = fuzz(guard, Path(scratch), range(ROUNDS), seed=1, only=None, keep=tmp_path / "faults")
    assert not found.faults, "\n".join(found.faults)
    assert found.cases == ROUNDS * len(READERS)
