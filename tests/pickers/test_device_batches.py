from itertools import islice

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.errors import MicrographError
from cryopick_ray.pickers.device.batching import in_batches

COUNTS = st.integers(0, 40)
SIZES = st.integers(1, 12)


class Device:
    """Squares numbers, so many at a time as it has room for; refuses the bad ones."""

    def __init__(self, room, bad=()):
        self.room, self.bad, self.asked = room, set(bad), []

    def __call__(self, items):
        self.asked.append(list(items))
        if len(items) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        for item in items:
            if item in self.bad:
                raise MicrographError(f"{item} is constant")
        return [item**2 for item in items]


@given(COUNTS, SIZES, st.integers(1, 12))
def test_every_item_is_answered_once_and_in_order_whatever_fits(count, size, room):
    assert list(in_batches(Device(room), range(count), size)) == [item**2 for item in range(count)]


@given(COUNTS, SIZES, st.integers(1, 12))
def test_a_batch_that_did_not_fit_is_not_tried_again(count, size, room):
    device = Device(room)
    list(in_batches(device, range(count), size))
    sizes = [len(batch) for batch in device.asked]
    assert sizes == sorted(sizes, reverse=True)
    assert len({too_large for too_large in sizes if too_large > room}) == sum(n > room for n in sizes)
    assert max(sizes, default=0) <= size


@given(COUNTS, SIZES, st.integers(1, 12), st.sets(st.integers(0, 39)))
def test_a_bad_item_is_answered_by_its_own_error_and_costs_no_other(count, size, room, bad):
    answers = list(in_batches(Device(room, bad), range(count), size))
    assert len(answers) == count
    for item, answer in enumerate(answers):
        if item in bad:
            assert isinstance(answer, MicrographError)
            assert str(answer) == f"{item} is constant"
        else:
            assert answer == item**2


def test_batches_are_full_where_all_is_well():
    device = Device(room=4)
    list(in_batches(device, range(10), 4))
    assert device.asked == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_a_batch_that_does_not_fit_is_halved():
    device = Device(room=3)
    list(in_batches(device, range(11), 8))
    assert [len(batch) for batch in device.asked] == [8, 4, 2, 2, 2, 2, 2, 1]
    assert [batch[0] for batch in device.asked] == [0, 0, 0, 2, 4, 6, 8, 10]


def test_an_item_that_does_not_fit_alone_is_told_how_to_be_picked():
    answers = list(in_batches(Device(room=0), range(3), 2))
    assert len(answers) == 3
    for answer in answers:
        assert isinstance(answer, MicrographError)
        assert "`device` cpu" in str(answer)


def test_the_memory_of_a_batch_that_did_not_fit_is_free_before_the_next_try():
    held = []

    class Block:
        def __init__(self):
            held.append(self)

        def __del__(self):
            freed.append(1)

    freed, before = [], []

    def ask(items):
        before.append(len(freed))
        block = Block()
        held.clear()
        if len(items) > 1:
            raise torch.OutOfMemoryError("full")
        return [id(block)]

    list(in_batches(ask, range(4), 4))
    assert before == list(range(len(before)))  # every earlier try's block is gone by the next


def test_nothing_is_asked_before_it_is_wanted():
    device = Device(room=9)
    assert list(islice(in_batches(device, range(100), 2), 3)) == [0, 1, 4]
    assert device.asked == [[0, 1], [2, 3]]


def test_an_interruption_stops_the_batches():
    def ask(items):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(in_batches(ask, range(4), 2))
