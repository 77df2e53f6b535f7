"""Who waits before whom, and who has a unit in hand."""

from dataclasses import dataclass

from cryopick_ray.engine.unit import UnitReport
from cryopick_ray.engine.unit_queue import UnitQueue
from cryopick_ray.engine.unit_rules import split_units


@dataclass(frozen=True)
class Item:
    micrograph_id: str


def queue(names, size):
    made = UnitQueue(["work"])
    made.add("work", split_units([Item(name) for name in names], size))
    return made


def taken(units):
    """Names of the items of all that wait, in the order they are taken."""
    return ["".join(item.micrograph_id for item in units.take().unit.items) for _ in range(units.waiting)]


def test_what_was_left_undone_goes_before_what_nobody_began_and_before_what_came_back_earlier():
    units = queue("abcdef", 2)
    first, second = units.take(), units.take()
    units.put_back(first)
    units.end(second, UnitReport(1, undone=(1,)))
    assert taken(units) == ["d", "ab", "ef"]


def test_units_that_are_dropped_come_back_at_once_the_last_first():
    units = queue("abc", 1)
    first, second = units.take(), units.take()
    units.put_back(first)
    units.put_back(second)
    assert taken(units) == ["b", "a", "c"]


def test_a_unit_is_waited_for_alone_only_while_one_worker_has_it():
    units = queue("ab", 2)
    unit = units.take()
    assert unit.is_alone
    units.copy(unit)
    assert not unit.is_alone
    units.put_back(unit)
    assert unit.is_alone
    assert units.waiting == 0
    assert units.end(unit, UnitReport(2)) is not None
    assert not unit.is_alone


def test_the_copy_of_a_unit_that_is_done_changes_nothing_whatever_becomes_of_it():
    for becomes in ("end", "leave", "drop", "die"):
        units = queue("ab", 2)
        unit = units.take()
        units.copy(unit)
        units.end(unit, UnitReport(2))
        match becomes:
            case "end":
                assert units.end(unit, UnitReport(2)) is None
            case "leave":
                assert units.end(unit, UnitReport(0, undone=(0, 1))) is None
            case "drop":
                units.put_back(unit)
            case "die":
                assert units.blame(unit, "why") == ""
        assert units.waiting == units.unfinished == 0


def test_what_one_worker_leaves_undone_its_copy_may_still_do():
    units = queue("ab", 2)
    unit = units.take()
    units.copy(unit)
    assert units.end(unit, UnitReport(1, undone=(1,))) is None
    assert units.waiting == 0
    assert units.end(unit, UnitReport(2)) is not None
    assert units.unfinished == 0


def test_a_worker_that_dies_under_a_copy_leaves_it_to_the_other_and_counts():
    units = queue("a", 1)
    unit = units.take()
    units.copy(unit)
    assert units.blame(unit, "why") == ""
    assert (units.waiting, unit.deaths) == (0, 1)
    assert units.blame(unit, "why").startswith("given up: a")


def test_a_unit_that_is_split_counts_as_its_parts():
    units = queue("abc", 3)
    assert units.unfinished == 1
    for _ in range(2):
        units.blame(units.take(), "why")
    assert units.waiting == units.unfinished == 3
    for left in (2, 1, 0):
        units.end(units.take(), UnitReport(1))
        assert units.unfinished == left


def test_what_is_left_undone_after_a_death_is_no_more_than_that():
    units = queue("ab", 2)
    units.blame(units.take(), "why")
    assert units.end(units.take(), UnitReport(1, undone=(1,))) is not None
    assert taken(units) == ["b"]
    assert units.unfinished == 1
