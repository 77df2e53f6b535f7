"""Waiting, decided by pure functions."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.transfer.backoff import PAUSES_S, Bandwidth, pause_s
from cryopick_ray.transfer.headers import parse_retry_after


@given(st.integers(1, 10**6), st.none() | st.floats(0, 600), st.floats(0, 1))
def test_a_pause_is_never_shorter_than_asked_and_never_longer_than_needed(tries, wish_s, jitter):
    pause = pause_s(tries, wish_s, jitter)
    assert pause >= (wish_s or 0)
    assert pause <= max(PAUSES_S[1], wish_s or 0)


@given(st.integers(1, 6), st.floats(0, 1))
def test_pauses_double(tries, jitter):
    assert pause_s(tries + 1, None, jitter) == pytest.approx(2 * pause_s(tries, None, jitter))


def test_a_wish_in_seconds_and_as_a_date():
    assert parse_retry_after("120", now=0) == 120
    assert parse_retry_after(formatdate(1000 + 90, usegmt=True), now=1000) == 90
    assert parse_retry_after(formatdate(10, usegmt=True), now=1000) == 0


@pytest.mark.parametrize("value", [None, "", "soon", "-5", "1e9", "٣", "Wed, 99 Foo 2015 07:28:00 GMT"])
def test_what_is_no_wish(value):
    assert parse_retry_after(value, now=0) is None


@given(st.lists(st.tuples(st.integers(1, 10**6), st.floats(0, 2)), min_size=1, max_size=50))
def test_no_more_bytes_flow_than_the_limit_and_a_short_burst(draws):
    now = 0.0
    bandwidth = Bandwidth(10**6, clock=lambda: now)
    total = 0
    for n_bytes, idle_s in draws:
        now += idle_s + bandwidth.draw(n_bytes)
        total += n_bytes
    assert total <= 10**6 * (now + 0.25) * 1.0001


def test_without_a_limit_nobody_waits():
    assert Bandwidth(None).draw(10**12) == 0
