from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.engine.unit import WorkUnit
from cryopick_ray.engine.unit_rules import UNIT_MAX, after_death, cut, unit_size


@dataclass(frozen=True)
class Item:
    micrograph_id: str


def items(count):
    return [Item(f"{number:05d}") for number in range(count)]


@given(st.integers(0, 300), st.integers(1, 20))
def test_cutting_loses_nothing_doubles_nothing_and_keeps_the_order(count, size):
    units = cut(items(count), size)
    assert [item for unit in units for item in unit.items] == items(count)
    assert all(0 < len(unit.items) <= size for unit in units)


@given(st.integers(1, 300), st.data())
def test_a_resumed_run_cuts_at_the_same_places(count, data):
    size = unit_size(count)
    units = cut(items(count), size)
    done = data.draw(st.sets(st.sampled_from(units)))
    picked = {item.micrograph_id for unit in done for item in unit.items}
    left = [item for item in items(count) if item.micrograph_id not in picked]
    assert cut(left, size) == [unit for unit in units if unit not in done]


def test_units_are_small_enough_to_share_and_never_empty_or_huge():
    assert unit_size(0) == unit_size(9) == 1
    assert unit_size(1_700_000) == UNIT_MAX
    assert all(unit_size(n) <= unit_size(n + 1) for n in range(3000))


def test_a_poison_micrograph_is_found_in_company_and_given_up_alone():
    crowd, alone = WorkUnit((Item("a"), Item("b"))), WorkUnit((Item("a"),))
    assert [after_death(crowd, n) for n in (1, 2)] == ["retry", "split"]
    assert [after_death(alone, n) for n in (1, 2, 3)] == ["retry", "give up", "give up"]
