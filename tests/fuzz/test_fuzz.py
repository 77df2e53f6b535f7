"""No file breaks a reader: a few hundred mutated ones for each, the same in every run."""

from fuzz import fuzz
from guard import Guard
from readers import READERS

ROUNDS = 300


def test_mutated_files_are_read_or_refused(tmp_path):
    keep = tmp_path / "faults"
    with Guard() as guard:
        found = fuzz(guard, tmp_path, range(ROUNDS), seed=1, only=None, keep=keep)
    assert not found.faults, "\n".join(found.faults)
    assert found.cases == ROUNDS * len(READERS)
