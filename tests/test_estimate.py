import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.errors import UsageError
from cryopick_ray.runs.cost import Machines, StageRates, estimate

amounts = st.floats(1e-3, 1e9)
rates = st.builds(StageRates, *([amounts] * 7), on_gpu=st.booleans())
machines = st.builds(Machines, st.integers(1, 10**4), st.just(0), st.none() | st.floats(1e3, 1e12))
counts = st.integers(1, 10**7)
APPROX = {"rel": 1e-9}


@given(counts, amounts, rates, machines)
def test_nothing_is_free_and_the_longest_of_three_bounds_a_stage(count, size, rates, machines):
    found = estimate(count, size, rates, machines)
    assert (found.micrographs, found.source_bytes) == (count, size)
    assert found.seconds == sum(stage.seconds for stage in found.stages) > 0
    for stage in found.stages:
        assert stage.seconds == getattr(stage, f"{stage.bound}_s")
        assert stage.seconds >= max(stage.reading_s, stage.computing_s, stage.writing_s)
    assert (found.gpu_hours > 0) == rates.on_gpu


@given(counts, amounts, rates, machines, st.integers(2, 100))
def test_twice_the_work_takes_twice_of_everything(count, size, rates, machines, factor):
    once, more = (estimate(n * count, n * size, rates, machines) for n in (1, factor))
    for name in ("store_bytes", "picks_bytes", "candidates", "cpu_hours", "gpu_hours", "seconds"):
        assert getattr(more, name) == pytest.approx(factor * getattr(once, name), **APPROX)
    assert [stage.bound for stage in more.stages] == [stage.bound for stage in once.stages]


@given(counts, amounts, rates, machines, st.integers(0, 100), st.integers(1, 100), st.floats(1, 100))
def test_more_machines_are_never_slower_and_cost_the_same_hours(
    count, size, rates, machines, workers, gpus, faster
):
    rates = replace(rates, on_gpu=True)
    few = estimate(count, size, rates, replace(machines, gpus=1))
    wide = machines.bytes_per_s and machines.bytes_per_s * faster
    many = estimate(count, size, rates, Machines(machines.workers + workers, gpus, wide))
    assert many.seconds <= few.seconds * (1 + 1e-9)
    assert (many.cpu_hours, many.gpu_hours) == (few.cpu_hours, few.gpu_hours)


def test_what_the_network_bounds_no_gpu_makes_faster_and_the_reverse():
    rates = StageRates(64e6, 0.5e6, 3e3, 300, ingest_s=0.05, pick_s=0.02, cpu_s=0.07, on_gpu=True)
    slow = [estimate(1000, 64e9, rates, Machines(64, gpus, 100e6)) for gpus in (1, 8, 64)]
    assert {one.stages[0].bound for one in slow} == {"reading"}
    assert [one.stages[0].seconds for one in slow] == [640.0] * 3
    assert [round(one.stages[1].computing_s, 6) for one in slow] == [20.0, 2.5, 0.3125]
    assert [one.stages[1].bound for one in slow] == ["computing", "reading", "reading"]
    unbound = estimate(1000, 64e9, rates, Machines(64, 1))
    assert unbound.stages[0].reading_s == 0
    assert unbound.stages[0].bound == "computing"


def test_micrographs_of_twice_the_size_cost_twice_as_much():
    rates = StageRates(10, 2, 1, 30, ingest_s=0.5, pick_s=0.2, cpu_s=0.7, on_gpu=False)
    assert estimate(5, 100, rates, Machines(1)).store_bytes == 20
    assert estimate(5, 100, rates, Machines(1)).seconds == pytest.approx(5 * 2 * 0.7)


@pytest.mark.parametrize(
    ("make", "setting"),
    [
        (lambda: Machines(0), "`workers`"),
        (lambda: Machines(1, -1), "`gpus`"),
        (lambda: Machines(1, 0, 0.0), "`bandwidth_MB_s`"),
        (lambda: Machines(1, 0, math.nan), "`bandwidth_MB_s`"),
        (lambda: estimate(0, 1, RATES, Machines(1)), "`micrographs`"),
        (lambda: estimate(1, 0, RATES, Machines(1)), "`bytes`"),
        (lambda: estimate(1, math.inf, RATES, Machines(1)), "`bytes`"),
        (lambda: estimate(1, 1, RATES, Machines(1, 2)), "`bench` FILE"),
    ],
)
def test_what_cannot_be_estimated_names_its_setting(make, setting):
    with pytest.raises(UsageError, match=setting):
        make()


RATES = StageRates(1, 1, 1, 1, 1, 1, 1, on_gpu=False)
