"""Small files made to cost much: each is refused in a line, or read, at once and in little memory."""

import pytest
from attacks import ATTACKS
from fuzz import laid
from guard import Guard

MOST_SECONDS = 10.0  # on a busy machine: each takes less than two
MOST_BYTES = 2**28  # the image that a packed file may hold is 64 MiB


@pytest.fixture(scope="module")
def guard():
    with Guard() as guard:
        yield guard


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_costs_little_and_is_told_in_a_line(guard, tmp_path, attack):
    reader, name, data = ATTACKS[attack]
    made = data() if callable(data) else data
    outcome = guard.read(reader, laid({name: made}, tmp_path / "case"))
    assert not outcome.is_fault, outcome
    assert outcome.seconds < MOST_SECONDS, outcome
    assert outcome.peak_bytes < MOST_BYTES, outcome
