"""Of several shards that cover a micrograph one counts, whoever published first."""

import itertools

import numpy as np
import pytest
from manifest_row import manifest_row

from cryopick_ray.errors import PicksError
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.picks.coverage import coverage
from cryopick_ray.picks.shard import Picked
from cryopick_ray.picks.shards import PickShards


def picked(name, *, count=1, checksum="crc", is_failed=False):
    candidates = None if is_failed else Candidates(*np.ones((3, count), np.float32))
    return Picked(name, checksum, candidates, "killed" if is_failed else "")


def published(folder, *units):
    shards = PickShards(str(folder), "d", create=True)
    for unit in units:
        assert shards.publish(unit)
    return shards


UNITS = [
    [picked("a", count=1)],
    [picked("a", count=2), picked("b")],
    [picked("a", count=3), picked("c")],
    [picked("a", is_failed=True), picked("d")],
]


@pytest.mark.parametrize("units", [units for n in (1, 2, 3, 4) for units in itertools.combinations(UNITS, n)])
def test_one_that_completed_it_counts_before_a_failure_and_of_these_the_smallest_key(tmp_path, units):
    shards = published(tmp_path, *units)
    lines = [
        (key, line) for key in shards.published() for line in shards.read(key)[1] if line.micrograph_id == "a"
    ]
    expected = min(lines, key=lambda one: (one[1].status != "complete", one[0]))
    covered = coverage(shards, {})
    assert covered["a"] == expected
    assert covered.keys() == {one.micrograph_id for unit in units for one in unit}


def test_only_the_keys_that_are_asked_for_count(tmp_path):
    shards = published(tmp_path, *UNITS)
    for key in shards.published():
        lines = shards.read(key)[1]
        assert coverage(shards, {}, [key]) == {line.micrograph_id: (key, line) for line in lines}
    assert coverage(shards, {}, []) == {}


def test_picks_of_an_image_that_is_no_more_leave_room_for_those_of_the_one_there_is(tmp_path):
    shards = published(tmp_path, [picked("a", checksum="one")], [picked("a", checksum="other")])
    for there in ("one", "other"):
        assert (
            coverage(shards, {"a": manifest_row("a", "complete", checksum=there)})["a"][1].checksum == there
        )
        assert coverage(shards, {"a": manifest_row("a", "failed", checksum=there)}) == {}
    assert coverage(shards, {"a": manifest_row("a", "complete", checksum="third")}) == {}


def test_a_damaged_coverage_is_no_missing_one(tmp_path):
    shards = published(tmp_path, *UNITS[:2])
    (tmp_path / shards.published()[0]).write_bytes(b"torn")
    with pytest.raises(PicksError):
        coverage(shards, {})
