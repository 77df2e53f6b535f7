"""The same laws over every engine."""

import time
from collections import Counter
from functools import partial

import pytest
from diary import DiaryWorker, broken_worker, complete, notes, run, tried, units

from cryopick_ray.engine import ray_pool
from cryopick_ray.errors import EngineError, StoreError


@pytest.mark.parametrize("size", [1, 3, 50])
def test_every_item_is_processed_once_and_every_unit_reported_once(engine, tmp_path, size):
    names = [f"m{number}" for number in range(20)]
    reports = run(engine, tmp_path, names, size)
    assert complete(reports) == 20
    assert len(reports) == -(-20 // size)
    assert tried(tmp_path) == Counter(names)


def test_no_units_means_no_reports(engine, tmp_path):
    assert run(engine, tmp_path, []) == []


def test_failures_are_reported_and_the_run_goes_on(engine, tmp_path):
    reports = run(engine, tmp_path, ["a", "bad1", "b", "bad2"])
    assert complete(reports) == 2
    assert sorted(name for report in reports for name, _ in report.failures) == ["bad1", "bad2"]


def test_an_error_of_the_store_ends_the_run_with_its_own_words(engine, tmp_path):
    with pytest.raises(StoreError, match="the disk is full"):
        run(engine, tmp_path, ["a", "full", "b"])


def test_a_bug_ends_the_run(engine, tmp_path):
    with pytest.raises((EngineError, ZeroDivisionError), match="a bug"):
        run(engine, tmp_path, ["a", "bug"])


def test_units_of_a_killed_worker_are_done_by_another(ray_engine, tmp_path):
    names = [f"m{number}" for number in range(12)]
    reports = run(ray_engine, tmp_path, [*names[:5], "kill", *names[5:]], size=2)
    assert complete(reports) == 13
    assert all((tmp_path / f"{name}.done").exists() for name in [*names, "kill"])


def test_a_poison_item_is_given_up_and_its_company_is_not(ray_engine, tmp_path):
    reports = run(ray_engine, tmp_path, ["a", "b", "kill-always", "c", "d"], size=5)
    assert complete(reports) == 4
    [(name, reason)] = [failure for report in reports for failure in report.failures]
    assert name == "kill-always"
    assert "killed its worker twice" in reason
    assert tried(tmp_path)["kill-always"] == 4  # twice in company, twice alone
    assert any("given up: kill-always" in note for note in notes(reports))


def test_many_poison_items_do_not_end_the_run(ray_engine, tmp_path, monkeypatch):
    monkeypatch.setattr(ray_pool, "DEATHS_IN_A_ROW", 3)
    poison = [f"kill-{number}-always" for number in range(3)]  # each kills two workers
    reports = run(ray_engine, tmp_path, [*poison, "a", "b"])
    assert complete(reports) == 2
    assert sorted(name for report in reports for name, _ in report.failures) == poison


def test_an_item_that_breaks_the_gpu_twice_is_given_up_with_the_gpus_words(ray_engine, tmp_path):
    reports = run(ray_engine, tmp_path, ["a", "device", "b", "device-always", "c"])
    assert complete(reports) == 4
    [(name, reason)] = [failure for report in reports for failure in report.failures]
    assert (name, "fell off the bus" in reason) == ("device-always", True)


def test_what_a_dead_worker_had_published_is_not_done_again(ray_engine, tmp_path):
    reports = run(ray_engine, tmp_path, ["a", "late", "b"])
    assert complete(reports) == 3
    assert tried(tmp_path)["late"] == 1


def test_a_hanging_worker_does_not_stall_the_run(ray_engine, tmp_path):
    names = [f"m{number}" for number in range(8)]
    start = time.monotonic()
    reports = run(ray_engine, tmp_path, ["hang", *names], size=2, seconds=0.05)
    assert time.monotonic() - start < 500  # the worker hangs for 1000 s
    assert complete(reports) == 9
    assert any("done a second time" in note for note in notes(reports))


def test_workers_that_cannot_start_end_the_run(ray_engine):
    with pytest.raises(EngineError, match="cannot start here"):
        list(ray_engine.run(units(["a"]), broken_worker, on_gpu=False))


def test_an_interrupted_run_lets_workers_publish_what_they_have(ray_engine, tmp_path):
    names = [f"m{number}" for number in range(40)]
    reports = ray_engine.run(units(names, 10), partial(DiaryWorker, tmp_path, 0.2), on_gpu=False)
    first = next(reports)
    reports.close()
    assert first.complete == 10
    assert len(list(tmp_path.glob("*.done"))) == sum(tried(tmp_path).values()) < 40
