"""A run judges its micrographs: in its table, in lists for RELION, in its summary and report."""

import json
from dataclasses import replace

import numpy as np
import pytest
import starfile
from micrograph_files import LOG, PIXEL_SIZE_A, phantom, write_mrc

from cryopick_ray.formats.format import ExportSettings
from cryopick_ray.formats.relion.verdicts import write_verdicts
from cryopick_ray.micrographs.star_list import read_star_list
from cryopick_ray.picks.schema import PickedMicrograph
from cryopick_ray.picks.table import PickTable, recut
from cryopick_ray.runs.doubts import of_verdicts

WRONG = "square.mrc"


def overview():
    y, x = np.indices((512, 512)) - 256
    inside = np.maximum(abs(x), abs(y)) < 150
    return np.random.default_rng(0).poisson(640 * np.where(inside, 1.0, 0.02)).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    for seed in range(5):
        write_mrc(tmp_path / "in" / f"{seed}.mrc", phantom(seed).pixels)
    write_mrc(tmp_path / "in" / WRONG, overview(), PIXEL_SIZE_A)
    return tmp_path / "in"


def picked(run):
    return {one.micrograph.micrograph_id: int(one.picked.sum()) for one in PickTable(run / "table")}


def test_an_overview_among_micrographs_is_not_picked_told_and_can_be_overridden(cryopick, tmp_path, folder):
    out = tmp_path / "run"
    status, text, _ = cryopick("run", folder, *LOG, "--engine", "serial", "--out", out)
    assert status == 0
    found = {micrograph.micrograph_id: micrograph for micrograph in PickTable(out / "table").micrographs}
    assert {name: one.verdict == "not a micrograph" for name, one in found.items()} == {
        name: name == WRONG for name in found
    }
    counts = picked(out)
    assert counts[WRONG] == 0
    assert all(count for name, count in counts.items() if name != WRONG)  # it moves no threshold
    assert found[WRONG].candidates
    assert all(counts[name] == one.picks for name, one in found.items())
    assert all(bool(one.reasons) == (one.verdict != "good") for one in found.values())
    again = {one.micrograph.micrograph_id: one for one in recut(PickTable(out / "table"), -1e9)}
    assert not again[WRONG].picked.any()
    assert all(one.picked.all() for name, one in again.items() if name != WRONG)

    summary = json.loads((out / "summary.json").read_text())
    assert summary["verdicts"]["not a micrograph"] == 1
    assert summary["judged"][0]["micrograph_id"] == WRONG
    assert "--any-image" in text
    table = starfile.read(out / "coordinates" / "verdicts.star")["micrographs"]
    verdicts = dict(zip(table["rlnMicrographName"], table["cryopickVerdict"], strict=True))
    assert [
        name.rpartition("/")[2] for name, verdict in verdicts.items() if verdict == "not_a_micrograph"
    ] == [WRONG]
    assert (out / "report.html").read_text().index(WRONG) < (out / "report.html").read_text().index("0.mrc<")

    status, text, _ = cryopick("run", "--out", out, "--resume", "--any-image", "--engine", "serial")
    assert status == 0
    assert picked(out)[WRONG] > 0
    assert "--any-image" not in text


def test_good_micrographs_are_listed_with_what_was_listed_of_them(tmp_path):
    listed = json.dumps({"rlnDefocusU": "12000.5", "rlnCtfImage": "CtfFind/a b.ctf:mrc", "other": "x"})
    one = PickedMicrograph(
        "a.mrc", "d", "Movies/a b.mrc", (9, 9), 1.5, None, "complete", "", "", listed, verdict="good", picks=3
    )
    others = [
        replace(one, micrograph_id="b.mrc", relion_name="b.mrc", listed="", verdict="bad", reasons="why\nso"),
        replace(one, micrograph_id="c.mrc", relion_name="c.mrc", verdict=""),
    ]
    write_verdicts([one, *others], tmp_path, ExportSettings())
    [good] = read_star_list(tmp_path / "good.star", tmp_path)
    assert (good.name, good.pixel_size_A) == ("Movies/a b.mrc", 1.5)
    assert json.loads(good.listed)["rlnDefocusU"] == "12000.5"
    table = starfile.read(tmp_path / "verdicts.star", always_dict=True)["micrographs"]
    assert list(table["cryopickVerdict"]) == ["good", "bad"]
    assert list(table["cryopickReasons"]) == ["None", "why; so"]
    assert "other" not in table


def judged(name, verdict="good", picks=100, below=10, junk=0):
    return PickedMicrograph(
        name, "d", name, (9, 9), 1.0, None, "complete", "",
        candidates=500, picks=picks, just_below=below, on_junk=junk, verdict=verdict, reasons="why",
    )  # fmt: skip


def test_what_looks_wrong_in_a_whole_run_is_told():
    usual = [judged(f"{n}.mrc") for n in range(8)]
    assert of_verdicts(usual) == []
    [line] = of_verdicts([*usual, judged("low.mrc", "doubtful", 19), judged("high.mrc", "doubtful", 5000)])
    assert "2 of 10" in line
    assert line.index("high.mrc 5000") < line.index("low.mrc 19")
    [line] = of_verdicts([*usual, judged("far.mrc", "not a micrograph", 0)])
    assert "far.mrc: why" in line
    assert "`any_image`" in line
    [line] = of_verdicts([judged(f"{n}.mrc", below=101) for n in range(8)])
    assert "just below the cut" in line
    [line] = of_verdicts([judged(f"{n}.mrc", junk=101) for n in range(8)])
    assert "808 of 1608" in line
    [line] = of_verdicts([judged(f"{n}.mrc", "bad") for n in range(8)])
    assert "8 bad" in line
    assert of_verdicts([judged(f"{n}.mrc", below=None) for n in range(8)]) == []
