"""Files of a live folder come once they stand still, and again once they were rewritten."""

import os

import pytest

from cryopick_ray.errors import UsageError
from cryopick_ray.micrographs.live import SETTLE_SECONDS, LiveFolders
from cryopick_ray.micrographs.sources import list_sources


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def watching(folder, clock, **options):
    said = []

    def list_now(taken, leave_out):
        return list_sources(
            [str(folder)], relion_project=folder, taken=taken, is_whole=False, leave_out=leave_out
        )

    return LiveFolders(list_now, say=said.append, clock=clock, **options), said


def names(live):
    return [source.micrograph_id for source in live.take()]


def after(clock, seconds=SETTLE_SECONDS):
    clock.now += seconds


def write(path, size, time_ns=10**18):
    path.write_bytes(bytes(size))
    os.utime(path, ns=(time_ns, time_ns))


def test_a_file_comes_once_it_has_stood_still(folder, clock):
    live, _ = watching(folder, clock)
    write(folder / "a.mrc", 10)
    assert names(live) == []
    for size in (20, 30):  # it grows
        after(clock, SETTLE_SECONDS * 0.8)
        write(folder / "a.mrc", size)
        assert names(live) == []
    after(clock)
    assert names(live) == ["a.mrc"]
    after(clock)
    assert names(live) == []


def test_a_file_rewritten_later_comes_again_even_in_its_size(folder, clock):
    live, _ = watching(folder, clock)
    write(folder / "a.mrc", 10)
    live.take()
    after(clock)
    assert names(live) == ["a.mrc"]
    write(folder / "a.mrc", 10, time_ns=2 * 10**18)
    after(clock)
    assert names(live) == []
    after(clock)
    assert names(live) == ["a.mrc"]


def test_empty_and_hidden_files_and_those_of_another_ending_do_not_come(folder, clock):
    live, _ = watching(folder, clock)
    for name, size in (("empty.mrc", 0), (".a.mrc", 9), ("a.mrc.part", 9), ("b.mrc", 9)):
        write(folder / name, size)
    live.take()
    after(clock)
    assert names(live) == ["b.mrc"]


def test_no_more_than_asked_for_come_and_then_it_is_at_its_end(folder, clock):
    live, _ = watching(folder, clock, most=2)
    for name in "abc":
        write(folder / f"{name}.mrc", 9)
    live.take()
    after(clock)
    assert not live.is_exhausted
    assert names(live) == ["a.mrc", "b.mrc"]
    assert live.is_exhausted
    assert live.again({"a.mrc", "c.mrc", "unknown"}) == {"a.mrc", "c.mrc"}
    assert not live.is_exhausted


def test_a_stopped_one_yields_no_more(folder, clock):
    live, _ = watching(folder, clock)
    write(folder / "a.mrc", 9)
    live.take()
    after(clock)
    live.stop()
    assert names(live) == []
    assert live.is_exhausted


def test_what_keeps_a_folder_from_being_listed_is_told_once(folder, clock):
    live, said = watching(folder, clock)
    for _ in range(3):
        assert names(live) == []
        after(clock)
    [text] = said
    assert "no micrographs" in text
    write(folder / "a.mrc", 9)
    live.take()
    after(clock)
    assert names(live) == ["a.mrc"]


def test_a_folder_that_takes_long_to_list_is_looked_at_less_often(folder, clock):
    looks = []

    def slow(taken, leave_out):
        looks.append(clock.now)
        clock.now += 5.0
        raise UsageError("nothing")

    live = LiveFolders(slow, say=lambda text: None, clock=clock)
    while clock.now < 200:
        live.take()
        clock.now += 0.5
    assert len(looks) == 2  # a tenth of the time goes into looking
