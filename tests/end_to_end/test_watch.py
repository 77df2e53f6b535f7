"""Folders that others fill while they are watched: each exposure is picked once, whatever its file does."""

import json
import os
import shutil
import signal
import subprocess
import threading
import time

import pandas as pd
import pytest
from micrograph_files import DIAMETER_A, phantom, table_bytes, write_mrc

from cryopick_ray.engine.events import SilentEvents
from cryopick_ray.micrographs import live
from cryopick_ray.runs.results.summary import read_summary
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.runs.watch.watch import StopCondition, watch
from cryopick_ray.settings.engine_settings import EngineSettings
from cryopick_ray.settings.run_settings import RunSettings
from cryopick_ray.stages import flow

SERIAL = EngineSettings(engine="serial")


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """Let watches of this process wait less for whole files and for company: how long is no law here."""
    monkeypatch.setattr(live, "SETTLE_SECONDS", 0.5)
    monkeypatch.setattr(live, "SCAN_SECONDS", 0.1)
    monkeypatch.setattr(flow, "LINGER_SECONDS", 0.5)
    monkeypatch.setattr(flow, "PULSE_SECONDS", 0.2)


class WarningCollector(SilentEvents):
    def __init__(self):
        self.notes = []
        self.picked = 0

    def report(self, name, report):
        self.picked += report.complete if name == "pick" else 0

    def note(self, text):
        self.notes.append(text)

    def wait(self, picked, seconds=60):
        until = time.monotonic() + seconds
        while self.picked < picked:
            assert time.monotonic() < until, f"{self.picked} of {picked} picked; {self.notes}"
            time.sleep(0.1)


@pytest.fixture(scope="module")
def images():
    return [phantom(seed).pixels for seed in range(5)]


def arrive(path, pixels):
    """Put a micrograph in place as a good neighbour does: under another name until it is whole."""
    aside = path.with_suffix(".writing")
    write_mrc(aside, pixels)
    aside.rename(path)


def settings_of(folder, **others):
    return RunSettings(
        inputs=(str(folder),), model="log", diameter_A=DIAMETER_A, relion_project=folder, **others
    )


class Watching:
    """A watch in a thread of this process."""

    def __init__(self, folder, out, *, resume=False, **until):
        self.heard, self.out = WarningCollector(), out
        options = {"resume": resume, "until": StopCondition(**until), "events": self.heard}
        self._thread = threading.Thread(
            target=lambda: watch(settings_of(folder), SERIAL, RunFolder(out), **options), daemon=True
        )
        self._thread.start()

    def end(self, seconds=60):
        self._thread.join(seconds)
        assert not self._thread.is_alive()
        return read_summary(RunFolder(self.out))

    def stop(self):
        (self.out / "stop").touch()
        return self.end()


def counts(out):
    return pd.read_parquet(out / "table").groupby("micrograph_id").size().to_dict()


def test_what_comes_is_picked_as_a_run_over_the_full_folder_would(images, cryopick, tmp_path):
    (tmp_path / "in").mkdir()
    watched = Watching(tmp_path / "in", tmp_path / "watched", micrographs=4)
    for number in range(4):
        arrive(tmp_path / "in" / f"{number}.mrc", images[number])
        time.sleep(0.3)
    summary = watched.end()
    assert (summary.complete, summary.failures, summary.left_out) == (4, (), ())
    assert summary.seconds.keys() == {"start-up", "ingest and pick", "table"}
    status, _, _ = cryopick(
        "run", tmp_path / "in", "--model", "log", "--diameter", DIAMETER_A, "--engine", "serial",
        *("--out", tmp_path / "run", "--relion-project", tmp_path / "in"),
    )  # fmt: skip
    assert status == 0
    assert table_bytes(tmp_path / "watched") == table_bytes(tmp_path / "run")
    for name in ("coordinates/autopick.star", "coordinates/particles.star", "report.html", "config.yaml"):
        assert (tmp_path / "watched" / name).is_file()


def test_copies_renamed_vanished_half_written_and_rewritten_files_count_once(images, tmp_path):
    inputs, out = tmp_path / "in", tmp_path / "run"
    inputs.mkdir()
    watched = Watching(inputs, out)
    arrive(inputs / "a.mrc", images[0])
    arrive(inputs / "b.mrc", images[1])
    watched.heard.wait(2)
    shutil.copy(inputs / "a.mrc", inputs / "copy of a.mrc")
    (inputs / "b.mrc").rename(inputs / "c.mrc")  # the same exposure under its last name
    write_mrc(tmp_path / "whole.mrc", images[2])
    whole = (tmp_path / "whole.mrc").read_bytes()
    (inputs / "half.mrc").write_bytes(whole[: len(whole) // 2])
    watched.heard.wait(3)
    (inputs / "half.mrc").write_bytes(whole)
    watched.heard.wait(4)
    arrive(inputs / "a.mrc", images[3])  # taken once more
    watched.heard.wait(5)
    summary = watched.stop()
    assert dict(summary.left_out) == {
        "b.mrc": "renamed to c.mrc",
        "copy of a.mrc": "the same file as a.mrc",
    }
    assert (summary.complete, summary.failures) == (3, ())
    assert counts(out).keys() == {"a.mrc", "c.mrc", "half.mrc"}
    assert any("a.mrc: the file has changed" in note for note in watched.heard.notes)
    assert not (out / "stop").exists()


def test_images_of_one_exposure_count_once_in_whatever_order_they_come(images, tmp_path):
    inputs, out = tmp_path / "in", tmp_path / "run"
    inputs.mkdir()
    watched = Watching(inputs, out)
    arrive(inputs / "a_PS.mrc", images[4])  # waits for its average
    arrive(inputs / "b_noDW.mrc", images[1])
    watched.heard.wait(1)
    for name, image in {"a.mrc": images[0], "a_noDW.mrc": images[3], "b.mrc": images[2]}.items():
        arrive(inputs / name, image)
    watched.heard.wait(2)
    left_out = {
        "a_PS.mrc": "by its name a power spectrum",
        "a_noDW.mrc": "the same exposure as a.mrc",
        "b.mrc": "the same exposure as b_noDW.mrc",
    }
    assert dict(watched.stop().left_out) == left_out
    again = Watching(inputs, out, resume=True, idle_seconds=2.0).end()
    assert (dict(again.left_out), again.complete) == (left_out, 2)
    assert counts(out).keys() == {"a.mrc", "b_noDW.mrc"}


def test_it_goes_on_where_it_was_and_a_signal_ends_it_with_its_results(images, programs, tmp_path):
    inputs, out = tmp_path / "in", tmp_path / "run"
    inputs.mkdir()
    first = Watching(inputs, out, micrographs=2)
    for number in range(2):
        arrive(inputs / f"{number}.mrc", images[number])
    first.end()
    before = counts(out)
    arrive(inputs / "2.mrc", images[2])
    command = [
        *(programs / "cryopick", "watch", str(inputs), "--out", str(out), "--resume"),
        *("--model", "log", "--diameter", str(DIAMETER_A), "--engine", "serial"),
        *("--relion-project", str(inputs), "--json"),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 90
    shards = out / "picks"
    known = len(list(shards.rglob("*.parquet")))
    while len(list(shards.rglob("*.parquet"))) == known:
        assert time.monotonic() < until
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert json.loads(said)["complete"] == 3
    assert counts(out).items() >= before.items()
    assert counts(out).keys() == {"0.mrc", "1.mrc", "2.mrc"}
    assert "2 already done" in errors


def test_nothing_that_comes_begins_nothing(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(ValueError, match="no micrographs came"):
        watch(
            settings_of(tmp_path / "in"),
            SERIAL,
            RunFolder(tmp_path / "run"),
            resume=False,
            until=StopCondition(idle_seconds=1.0),
            events=SilentEvents(),
        )
    assert not os.path.exists(tmp_path / "run")
