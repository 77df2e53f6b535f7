import gc
import threading
import weakref
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.engine.prefetch import ahead

WAIT_S = 60  # only a deadlock takes so long


class Pixels:
    """Something whose lifetime can be watched."""


@given(items=st.lists(st.integers(), max_size=20), depth=st.integers(0, 5))
def test_results_come_in_order_one_for_each_item(items, depth):
    assert [result() for result in ahead(lambda item: (item, "done"), items, depth)] == [
        (item, "done") for item in items
    ]


def test_the_next_item_is_worked_on_while_the_caller_works_on_this_one():
    started = {item: threading.Event() for item in range(4)}
    with closing(ahead(lambda item: started[item].set(), started)) as results:
        for item, result in enumerate(results):
            result()
            assert item == 3 or started[item + 1].wait(WAIT_S)
            assert item >= 2 or not started[item + 2].is_set()  # and no further: memory is bounded


def test_what_the_caller_makes_is_worked_on_behind_it():
    written = {item: threading.Event() for item in range(3)}

    def made():
        for item in written:
            assert threading.current_thread() is threading.main_thread()
            assert item == 0 or written[item - 1].wait(WAIT_S)  # while this item is being made
            yield item

    assert len([result() for result in ahead(lambda item: written[item].set(), made())]) == 3


def test_one_failing_item_spoils_no_other():
    def inverse(number):
        return 1 / number

    outcomes = []
    for result in ahead(inverse, [1, 0, 4]):
        try:
            outcomes.append(result())
        except ZeroDivisionError:
            outcomes.append("failed")
    assert outcomes == [1, "failed", 0.25]


def test_what_items_raise_is_raised_after_the_results_before_it():
    def broken():
        yield 1
        yield 2
        raise KeyError("no more")

    results = ahead(str, broken())
    assert next(results)() == "1"
    with pytest.raises(KeyError, match="no more"):
        next(results)


@pytest.mark.parametrize("taken", [0, 1, 5])
def test_leaving_early_or_late_leaves_no_thread(taken):
    before = threading.active_count()
    with closing(ahead(str, range(5))) as results:
        for _ in range(taken):
            next(results)
    assert threading.active_count() == before


def test_leaving_drops_what_was_not_begun_and_waits_for_what_was():
    begun, release, done = threading.Event(), threading.Event(), []

    def work(item):
        if item == 1:
            begun.set()
            assert release.wait(WAIT_S)
        done.append(item)

    results = ahead(work, range(10), depth=3)
    next(results)()
    assert begun.wait(WAIT_S)
    threading.Timer(0.05, release.set).start()
    results.close()
    assert done == [0, 1]


def test_a_result_is_let_go_of_with_its_call():
    alive = []

    def read(_):
        pixels = Pixels()
        alive.append(weakref.ref(pixels))
        return pixels

    for item, result in enumerate(ahead(read, range(6))):
        result()
        gc.collect()
        assert not any(reference() for reference in alive[:item])
