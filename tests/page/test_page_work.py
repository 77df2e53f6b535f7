"""What a page starts: trials of settings, classes kept or dropped; jobs are told as they go."""

import json
import shutil

import mrcfile
import numpy as np
import pandas as pd
import pytest
from browsed import View
from served import served

from cryopick_ray.formats import format_table
from cryopick_ray.picks.table import PickTable


@pytest.mark.usefixtures("at_once")
def test_trials_become_sources_and_leave_nothing_behind(run):
    with served(run) as page:
        before = {path for path in run.rglob("*") if path.is_file()}
        tried = [{"diameter_A": 200.0}, {"threshold": 1e6}]
        job = page.start(what="preview", micrographs=[1, 0, 1], settings=tried)
        assert job["state"] == "done", job
        assert job["command"].count("cryopick pick") == 2
        sources = page.json("api/about")["sources"]
        assert [source["name"] for source in sources] == ["run", "diameter 200.0", "threshold 1000000.0"]
        own, wider, none = (page.candidates(1, source) for source in range(3))
        assert len(wider["score"]) not in (0, len(own["score"]))
        assert np.array_equal(none["score"], own["score"])
        assert (none["unpicked"] != 0).all()
        assert len(page.candidates(3, 1)["score"]) == 0  # not tried there
        assert {path for path in run.rglob("*") if path.is_file()} == before
        private = page.actions.private
        assert private.is_dir()
    assert not private.exists()


@pytest.mark.parametrize(
    "asked",
    [
        {"what": "preview", "micrographs": [], "settings": [{"diameter_A": 150.0}]},
        {"what": "preview", "micrographs": [0], "settings": []},
        {"what": "preview", "micrographs": [0], "settings": [{"diameter_A": -1.0}]},
        {"what": "preview", "micrographs": [0], "settings": [{"workers": 9}]},
        {"what": "preview", "micrographs": [77], "settings": [{"diameter_A": 150.0}]},
        {"what": "teach", "micrographs": [77]},
    ],
)
def test_what_cannot_be_tried_is_told_before_anything_starts(picked, tmp_path, asked):
    with served(picked / "run", curation=tmp_path / "c") as page:
        assert page.post("api/start", asked)[0] in (400, 404)
        assert page.json("api/jobs") == []


@pytest.mark.usefixtures("at_once")
def test_a_model_that_is_an_option_is_a_model(run):
    with served(run) as page:
        job = page.start(what="preview", micrographs=[0], settings=[{"model": "--help"}])
        assert job["state"] == "failed"
        assert any("--help" in line and "model" in line for line in job["lines"])


def test_what_is_no_run_cannot_be_applied_but_is_exported(picked, tmp_path):
    table = tmp_path / "table"
    shutil.copytree(picked / "run" / "table", table)
    with served(table, curation=tmp_path / "c") as page:
        assert page.json("api/about")["commands"] == {}
        assert page.post("api/start", {"what": "apply"})[0] == 400
        assert page.get("api/thumbnail/0.jpg")[0] == 404
        assert page.start(what="export", format="box")["state"] == "done"


def test_half_an_export_is_not_left(run, monkeypatch):
    def broken(picks, format, out, given):
        (out / "half").write_text("of it")
        raise TypeError("in the midst")

    monkeypatch.setattr(format_table, "export", broken)
    with served(run) as page:
        job = page.start(what="export", format="box")
        assert (job["state"], job["lines"]) == ("failed", ["TypeError: in the midst"])
    assert list((run / "exported").iterdir()) == []


@pytest.fixture
def classified(run):
    """A run whose picks lie in four classes, as classify2d leaves them; the fourth is empty."""
    folder = run / "classes"
    folder.mkdir()
    qualities = {1: "good", 2: "junk", 3: "doubtful", 4: "junk"}
    rows, particles = [], dict.fromkeys(qualities, 0)
    for micrograph_picks in PickTable(run / "table"):
        chosen = micrograph_picks.picked
        for number, (x, y) in enumerate(
            zip(micrograph_picks.x_px[chosen], micrograph_picks.y_px[chosen], strict=True)
        ):
            kind = number % 3 + 1
            particles[kind] += 1
            rows.append(
                (micrograph_picks.micrograph.relion_name, f"{x:.3f}", f"{y:.3f}", kind, qualities[kind])
            )
    head = ["micrograph", "x_px", "y_px", "class_number", "quality"]
    pd.DataFrame(rows, columns=head).to_csv(folder / "classes.csv", index=False)
    classes = [
        {"class": number, "quality": quality, "likeness": 1 / number, "resolution_A": 12.0,
         "particles": particles[number]}
        for number, quality in qualities.items()
    ]  # fmt: skip
    told = {"averages": "/elsewhere/../run_it025_classes.mrcs", "classes": classes}
    (folder / "classes.json").write_text(json.dumps(told))
    with mrcfile.new(folder / "run_it025_classes.mrcs") as mrc:
        mrc.set_data(np.random.default_rng(0).normal(size=(4, 16, 16)).astype(np.float32))
        mrc.set_image_stack()
    return run, particles


@pytest.mark.usefixtures("at_once")
def test_classes_are_kept_or_dropped_and_that_is_what_is_applied(classified):
    run, particles = classified
    with served(run, by="ada") as page:
        listed = page.json("api/classes")["classes"]
        assert [(micrograph_picks["number"], micrograph_picks["kept"]) for micrograph_picks in listed] == [
            (1, True),
            (2, False),
            (3, True),
        ]
        assert page.get("api/class/2.png")[1].startswith(b"\x89PNG")
        assert page.get("api/class/4.png")[0] == page.get("api/class/-1.png")[0] == 404
        for number, keep in ((1, False), (2, True), (3, False), (3, True)):
            status, content = page.post("api/classes", {"number": number, "keep": keep})
            assert status == 200
        assert [micrograph_picks["kept"] for micrograph_picks in json.loads(content)["classes"]] == [
            False,
            True,
            True,
        ]
        assert page.post("api/classes", {"number": 9, "keep": True})[0] == 404
    with served(run, by="ada") as page:
        assert [micrograph_picks["kept"] for micrograph_picks in page.json("api/classes")["classes"]] == [
            False,
            True,
            True,
        ]
        assert "--classes" in page.json("api/about")["commands"]["apply"]
        job = page.start(what="apply")
        assert job["state"] == "done", job
        picked = sum(int(micrograph_picks.picked.sum()) for micrograph_picks in PickTable(run / "table"))
        assert picked == particles[2] + particles[3]


def test_a_class_is_dropped_by_a_click_and_the_command_that_is_shown_says_so(classified, browser):
    run, particles = classified
    shown = "return document.getElementById('run-commands').textContent;"
    with served(run, by="ana") as page:
        look = View(browser, page)
        look.id("tab-classes").click()
        look.wait(lambda: len(look.all(".average img")) == 3)
        assert "--classes" not in look.js(shown)
        look.all(".average")[0].click()
        look.wait(lambda: f"1 class of 3 kept, {particles[3]} particle" in look.text("classes"))
        look.wait(lambda: "--classes" in look.js(shown))
        assert [record["kept"] for record in page.json("api/classes")["classes"]] == [False, False, True]
        assert look.errors() == []
