"""Decisions of the engine: how many workers, whom to wait for, where not to go."""

from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.engine.nodes import STRIKES, Nodes
from cryopick_ray.engine.sizing import PoolSize, hires, keeps
from cryopick_ray.engine.stragglers import HUNG_SECONDS, STRAGGLER, STRAGGLER_SECONDS, StragglerRule

COUNT = st.integers(0, 50)


@given(least=st.integers(1, 9), spread=COUNT, have=COUNT, starting=COUNT, jobs=COUNT, room=COUNT)
def test_workers_stay_between_the_least_and_the_most_and_never_outnumber_the_jobs(
    least, spread, have, starting, jobs, room
):
    size = PoolSize(least, least + spread)
    after = have + hires(size, have=have, starting=starting, jobs=jobs, room=room)
    assert after >= min(least, jobs)
    assert after <= max(have, min(size.most, jobs))


def test_the_least_are_asked_for_without_room_and_the_rest_follow_it():
    assert hires(PoolSize(3, 8), have=0, starting=0, jobs=100, room=0) == 3
    assert hires(PoolSize(3, 8), have=3, starting=3, jobs=100, room=0) == 0
    assert hires(PoolSize(3, 8), have=3, starting=0, jobs=100, room=4) == 4
    assert hires(PoolSize(3, 8), have=7, starting=0, jobs=100, room=4) == 1
    assert hires(PoolSize(1, None), have=4, starting=0, jobs=100, room=60) == 60


def test_no_more_than_the_least_are_asked_for_while_others_start():
    assert hires(PoolSize(1, None), have=2, starting=1, jobs=100, room=5) == 0


@given(idle=COUNT, busy=COUNT)
def test_idle_workers_are_kept_only_for_units_that_may_have_to_be_repeated(idle, busy):
    assert keeps(idle=idle, busy=busy) <= min(idle, busy)


def test_nothing_is_late_before_a_unit_has_ended():
    assert StragglerRule().straggler([1e9]) is None


@given(typical=st.floats(0.01, 1000), others=st.lists(st.floats(0, 1e5), max_size=5))
def test_a_straggler_is_the_unit_that_takes_longest_by_far(typical, others):
    patience = StragglerRule()
    patience.learn(typical)
    late = patience.straggler(others)
    limit = max(STRAGGLER * typical, STRAGGLER_SECONDS)
    assert (late is None) == all(seconds <= limit for seconds in others)
    assert late is None or others[late] == max(others)


def test_a_worker_is_taken_for_hung_only_after_a_long_time():
    patience = StragglerRule()
    patience.learn(1.0)
    assert patience.hung([HUNG_SECONDS - 1, 3.0]) is None
    assert patience.hung([3.0, HUNG_SECONDS + 1]) == 1


def test_a_node_is_shunned_after_failures_in_a_row_and_at_once_when_it_leaves():
    nodes = Nodes()
    assert [nodes.failed("a") for _ in range(STRIKES)] == [False] * (STRIKES - 1) + [True]
    nodes.failed("b")
    nodes.worked("b")
    assert nodes.shunned == ["a"]
    assert (nodes.left("c"), nodes.left("c")) == (True, False)
    assert nodes.shunned == ["a", "c"]


def test_all_nodes_are_bad_only_if_every_one_there_is_failed_too_often():
    nodes = Nodes()
    for _ in range(STRIKES):
        nodes.failed("a")
    nodes.left("b")
    assert nodes.all_bad({"a"})
    assert not nodes.all_bad({"a", "b"})
    assert not nodes.all_bad(set())
