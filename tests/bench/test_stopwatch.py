import time

import pytest

from cryopick_ray.bench.stopwatch import Stopwatch, TimedPart


def work(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def fail_in(part):
    with part:
        work(0.01)
        raise ValueError("broken")


def test_no_moment_counts_twice_and_none_is_lost():
    watch = Stopwatch()
    start = time.perf_counter()
    with watch.part("outer"):
        work(0.01)
        with watch.part("inner"):
            work(0.02)
            with watch.part("outer"):  # of one name, inside itself
                work(0.01)
        with watch.part("inner"):
            work(0.01)
    whole = time.perf_counter() - start
    outer, inner = watch.parts["outer"], watch.parts["inner"]
    assert list(watch.parts) == ["outer", "inner"]
    assert outer.seconds + inner.seconds <= whole
    assert outer.cpu_seconds >= 0.02
    assert inner.cpu_seconds >= 0.03
    assert inner.seconds + outer.seconds >= 0.05


def test_what_passes_between_parts_is_nobodys():
    watch = Stopwatch()
    with watch.part("one"):
        pass
    work(0.05)
    with watch.part("one"):
        pass
    assert watch.parts["one"].cpu_seconds < 0.05


def test_a_part_that_fails_is_charged_and_ends():
    watch = Stopwatch()
    with watch.part("all"):
        with pytest.raises(ValueError, match="broken"):
            fail_in(watch.part("bad"))
        work(0.01)
    assert watch.parts["bad"].cpu_seconds >= 0.01
    assert watch.parts["all"].cpu_seconds >= 0.01


def test_arithmetic_goes_to_the_part_that_ran_and_the_device_is_waited_for():
    done, waits = [0], []
    watch = Stopwatch(wait=lambda: waits.append(done[0]), flops=lambda: done[0])
    with watch.part("rest"):
        done[0] += 5
        with watch.part("network"):
            done[0] += 100
        done[0] += 1
    assert {name: part.flops for name, part in watch.parts.items()} == {"rest": 6, "network": 100}
    assert waits == [0, 5, 105, 106]


def test_a_host_is_busy_no_longer_than_it_computes_and_a_device_as_long_as_it_is_waited_for():
    assert TimedPart(seconds=3, cpu_seconds=1).busy_seconds == 1
    assert TimedPart(seconds=3, cpu_seconds=8).busy_seconds == 3
    assert TimedPart(seconds=3, cpu_seconds=1, route="device").busy_seconds == 3
    assert TimedPart(seconds=3, cpu_seconds=1, route="link").busy_seconds == 3
