"""What a run doubts is said, and kept with its results."""

import html
import json

from micrograph_files import LOG, phantom, write_mrc

from cryopick_ray.engine.events import SilentEvents
from cryopick_ray.errors import plain
from cryopick_ray.runs.results.run_warnings import WarningCollector, count_warnings


class Ear(SilentEvents):
    def __init__(self):
        self.warned, self.noted = [], []

    def warn(self, text):
        self.warned.append(text)

    def note(self, text):
        self.noted.append(text)


def test_a_warning_is_passed_on_and_kept_once():
    heard = WarningCollector(ear := Ear())
    for _ in range(2):
        heard.warn("doubted")
        heard.decided("decided")
        heard.note("passed")
    assert heard.warnings == ["doubted", "decided"]
    assert ear.warned == ["doubted"]
    assert ear.noted == ["decided", "passed", "passed"]


def test_that_nothing_was_picked_is_told():
    [line] = count_warnings({"a.mrc": 0, "b.mrc": 0})
    assert "no particle" in line
    assert count_warnings({"a.mrc": 0, "b.mrc": 1}) == []
    assert count_warnings({}) == []


def test_a_run_keeps_what_it_decided_and_doubted(cryopick, tmp_path):
    for seed in range(6):
        write_mrc(tmp_path / "in" / f"{seed}.mrc", phantom(seed).pixels)
    out = tmp_path / "run"
    given = [*LOG, "--engine", "serial", "--exclude", "5*", "--threshold", "1e9"]
    status, text, heard = cryopick("run", tmp_path / "in", *given, "--out", out)
    assert status == 0
    summary = json.loads((out / "summary.json").read_text())
    by_kind = {record["about"]: record["text"] for record in summary["warnings"]}
    assert "1 of 6 micrographs" in by_kind["run"]
    assert "no particle was picked" in by_kind["picks"]
    assert "no particle was picked" in text
    assert "1 of 6 micrographs" in heard
    page = (out / "report.html").read_text()
    assert all(plain(text) in html.unescape(page) for text in by_kind.values())

    status, text, _ = cryopick("run", "--out", out, "--resume", "--threshold", "auto")
    assert status == 0
    after = json.loads((out / "summary.json").read_text())["warnings"]
    assert {"about": "run", "text": by_kind["run"]} in after
    assert not any(record["about"] == "picks" for record in after)
