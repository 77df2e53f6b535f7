import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.bench.stage_record import Limits, StageRecord, roofline, stages
from cryopick_ray.bench.stopwatch import TimedPart

LIMITS = Limits({"memory": 10e9, "device": 2e12, "link": 20e9}, 100e9)
counts = st.integers(0, 10**12)
seconds = st.floats(1e-6, 1e3)


@given(seconds, counts, st.sampled_from(["memory", "device", "link"]), counts)
def test_a_share_is_what_was_achieved_over_the_limit_that_decides(took, amount, route, flops):
    bound, share = roofline(took, amount, route, flops, LIMITS)
    shares = {
        route: amount / took / LIMITS.bytes_per_s[route],
        "convolution": flops / took / LIMITS.flops_per_s,
    }
    if not amount and not flops:
        assert (bound, share) == (None, None)
    else:
        assert share == pytest.approx(shares[bound])
        assert share == pytest.approx(max(shares.values()))


def test_work_at_the_limit_has_a_share_of_one():
    assert roofline(2.0, 20 * 10**9, "memory", 0, LIMITS) == ("memory", 1.0)
    assert roofline(2.0, 20 * 10**9, "memory", 200 * 10**9, LIMITS)[1] == 1.0
    assert roofline(2.0, 10 * 10**9, "memory", 200 * 10**9, LIMITS) == ("convolution", 1.0)
    assert roofline(2.0, 20 * 10**9, "device", 0, LIMITS)[1] == pytest.approx(0.005)


def test_a_stage_is_the_median_and_the_least_of_its_passes():
    passes = [
        {"read": TimedPart(wall, cpu, bytes=10**9), "network": TimedPart(2 * wall, 9.0)}
        for wall, cpu in ((3.0, 0.5), (1.0, 0.25), (2.0, 0.75))
    ]
    counted = {"read": TimedPart(100, 100), "network": TimedPart(100, 100, flops=10**9)}
    read, network = stages(passes, counted, LIMITS)
    assert (read.name, read.seconds, read.least_seconds, read.cpu_seconds) == ("read", 2, 1, 0.5)
    assert (read.busy_seconds, read.bytes_per_s, read.bound) == (0.25, 4e9, "memory")
    assert read.share == pytest.approx(read.bytes_per_s / LIMITS.bytes_per_s["memory"])
    assert (network.least_seconds, network.busy_seconds, network.flops_per_s) == (2, 2, 0.5e9)
    assert network.share == pytest.approx(network.flops_per_s / LIMITS.flops_per_s)


def test_a_stage_comes_back_from_json_as_it_was():
    parts = {"pick": TimedPart(0.1, 0.3, bytes=7)}
    (stage,) = stages([parts], parts, LIMITS)
    assert StageRecord(**json.loads(json.dumps(asdict(stage)))) == stage
