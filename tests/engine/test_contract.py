"""The same laws over every engine; workers keep a diary on disk, since they may die."""

import os
import signal
import sys
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import ray.cloudpickle

from cryopick_ray.engine.plan import cut
from cryopick_ray.engine.unit import UnitReport
from cryopick_ray.errors import EngineError, StoreError

ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import a test module


@dataclass(frozen=True)
class Item:
    micrograph_id: str


class DiaryWorker:
    """Writes down each item; dies, fails or raises where the item's name says so."""

    def __init__(self, diary: Path) -> None:
        self.diary = diary

    def process(self, items):
        for item in items:
            with (self.diary / "tried").open("a") as file:
                file.write(item.micrograph_id + "\n")
            if item.micrograph_id.startswith("kill"):
                once = self.diary / f"{item.micrograph_id}.once"
                if "always" in item.micrograph_id or not once.exists():
                    once.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
            if item.micrograph_id == "late":
                (self.diary / "late.done").touch()
                os.kill(os.getpid(), signal.SIGKILL)
            if item.micrograph_id.startswith("full disk"):
                raise StoreError("the disk is full")
            if item.micrograph_id.startswith("bug"):
                raise ZeroDivisionError("a bug")
        failed = tuple((i.micrograph_id, "bad") for i in items if i.micrograph_id.startswith("bad"))
        for item in items:
            (self.diary / f"{item.micrograph_id}.done").touch()
        return UnitReport(len(items) - len(failed), failed)

    def unpublished(self, items):
        return [n for n, item in enumerate(items) if not (self.diary / f"{item.micrograph_id}.done").exists()]

    def give_up(self, items, reason):
        return UnitReport(0, tuple((item.micrograph_id, reason) for item in items))


def run(engine, diary, names, size=1):
    units = cut([Item(name) for name in names], size)
    return list(engine.run(units, partial(DiaryWorker, diary), on_gpu=False))


def tried(diary):
    return Counter((diary / "tried").read_text().split())


@pytest.mark.parametrize("size", [1, 3, 50])
def test_every_item_is_processed_once_and_every_unit_reported_once(engine, tmp_path, size):
    names = [f"m{number}" for number in range(20)]
    reports = run(engine, tmp_path, names, size)
    assert sum(report.complete for report in reports) == 20
    assert len(reports) == -(-20 // size)
    assert tried(tmp_path) == Counter(names)


def test_no_units_means_no_reports(engine, tmp_path):
    assert run(engine, tmp_path, []) == []


def test_failures_are_reported_and_the_run_goes_on(engine, tmp_path):
    reports = run(engine, tmp_path, ["a", "bad1", "b", "bad2"])
    assert sum(report.complete for report in reports) == 2
    assert sorted(name for report in reports for name, _ in report.failures) == ["bad1", "bad2"]


def test_an_error_of_the_store_ends_the_run_with_its_own_words(engine, tmp_path):
    with pytest.raises(StoreError, match="the disk is full"):
        run(engine, tmp_path, ["a", "full disk", "b"])


def test_a_bug_ends_the_run(engine, tmp_path):
    with pytest.raises((EngineError, ZeroDivisionError), match="a bug"):
        run(engine, tmp_path, ["a", "bug"])


def test_units_of_a_killed_worker_are_done_by_another(ray_engine, tmp_path):
    names = [f"m{number}" for number in range(12)]
    reports = run(ray_engine, tmp_path, [*names[:5], "kill", *names[5:]], size=2)
    assert sum(report.complete for report in reports) == 13
    assert all((tmp_path / f"{name}.done").exists() for name in [*names, "kill"])


def test_a_poison_item_is_given_up_and_its_company_is_not(ray_engine, tmp_path):
    reports = run(ray_engine, tmp_path, ["a", "b", "kill-always", "c", "d"], size=5)
    assert sum(report.complete for report in reports) == 4
    [(name, reason)] = [failure for report in reports for failure in report.failures]
    assert name == "kill-always"
    assert "killed its worker twice" in reason


def test_what_a_dead_worker_had_published_is_not_done_again(ray_engine, tmp_path):
    reports = run(ray_engine, tmp_path, ["a", "late", "b"], size=1)
    assert sum(report.complete for report in reports) == 3
    assert tried(tmp_path)["late"] == 1


def test_workers_that_cannot_start_end_the_run(ray_engine):
    with pytest.raises(EngineError, match="cannot start here"):
        list(ray_engine.run(cut([Item("a")], 1), _broken_worker, on_gpu=False))


def _broken_worker():
    raise RuntimeError("cannot start here")
