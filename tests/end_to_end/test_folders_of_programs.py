"""Whatever lies in a folder, what can be picked is picked once, and the rest is told and kept."""

import json
import os
from pathlib import Path

import pytest
import starfile
from micrograph_files import DIAMETER_A, LOG, phantom, write_mrc

SERIAL = [*LOG, "--engine", "serial"]


@pytest.fixture(scope="module")
def image():
    return phantom(0).pixels


def summary(out):
    return json.loads((out / "summary.json").read_text())


def picked(out):
    table = starfile.read(out / "coordinates/autopick.star", always_dict=True)["coordinate_files"]
    return sorted(Path(name).name for name in table["rlnMicrographName"])


def left_out(out):
    return {record["micrograph_id"]: record["reason"] for record in summary(out)["left_out"]}


def test_one_exposure_is_picked_once_and_going_on_changes_nothing(tmp_path, image, cryopick):
    for name in ("a.mrc", "a_noDW.mrc", "a_PS.mrc", "b.mrc"):
        write_mrc(tmp_path / "m" / name, image)
    arguments = ["run", tmp_path / "m", "--out", tmp_path / "run", *SERIAL]
    code, _, said = cryopick(*arguments)
    assert (code, picked(tmp_path / "run")) == (0, ["a.mrc", "b.mrc"])
    assert "left out: 1" in said
    assert "a_PS.mrc" in said
    out = left_out(tmp_path / "run")
    assert out == {"a_PS.mrc": "by its name a power spectrum", "a_noDW.mrc": "the same exposure as a.mrc"}
    (tmp_path / "m/a.mrc").unlink()
    write_mrc(tmp_path / "m/c_PS.mrc", image)
    write_mrc(tmp_path / "m/b_DW.mrc", image)
    code, _, _ = cryopick(*arguments, "--resume")
    assert (code, picked(tmp_path / "run")) == (0, ["a.mrc", "b.mrc"])
    assert left_out(tmp_path / "run") == out | {
        "c_PS.mrc": "by its name a power spectrum",
        "b_DW.mrc": "the same exposure as b.mrc",
    }


def test_what_was_left_out_comes_in_where_the_better_image_cannot_be_read(tmp_path, image, cryopick):
    write_mrc(tmp_path / "m/a_noDW.mrc", image)
    write_mrc(tmp_path / "m/b.mrc", image)
    (tmp_path / "m/a.mrc").write_bytes(b"")
    arguments = ["run", tmp_path / "m", "--out", tmp_path / "run", *SERIAL]
    code, _, _ = cryopick(*arguments)
    assert (code, picked(tmp_path / "run")) == (3, ["b.mrc"])
    (tmp_path / "m/a.mrc").unlink()
    code, _, _ = cryopick(*arguments, "--resume")
    assert picked(tmp_path / "run") == ["a_noDW.mrc", "b.mrc"]
    assert left_out(tmp_path / "run") == {}


BAD = {
    "x" * 248 + ".mrc": "240",
    "new\nline.mrc": "control characters",
    "tab\t.mrc": "control characters",
    "\x1b[31mred.mrc": "control characters",
    os.fsdecode(b"not\xff\xfeutf8.mrc"): "no UTF-8",
}


def test_files_that_cannot_be_used_are_failed_rows_and_the_run_goes_on(tmp_path, image, cryopick):
    folder = tmp_path / "m"
    for name in ("good.mrc", "fine.mrc", *BAD):
        write_mrc(folder / name, image)
    write_mrc(folder / "aaa coarse.mrc", image, pixel_size_A=70.0)  # an overview under a micrograph's name
    write_mrc(folder / "aab tiny.mrc", image[:40, :40])
    (folder / "zero.mrc").write_bytes(b"")
    (folder / "folder.mrc").mkdir()
    (folder / "gone.mrc").symlink_to("nowhere.mrc")
    for engine in ([], ["--resume"]):
        code, _, said = cryopick("run", folder, "--out", tmp_path / "run", *SERIAL, *engine)
        assert code == 3
        assert "Traceback" not in said
        assert picked(tmp_path / "run") == ["fine.mrc", "good.mrc"]
        failed = {
            record["micrograph_id"]: record["reason"] for record in summary(tmp_path / "run")["failures"]
        }
        assert len(failed) == len(BAD) + 4
        assert all(name.isprintable() and reason.isprintable() for name, reason in failed.items())
        assert "not\\xff\\xfeutf8.mrc" in failed
        for name, reason in BAD.items():
            assert any(reason in record for record in failed.values()), name
        assert "`pixel_size_A`" in failed["aaa coarse.mrc"]
        assert "empty" in failed["zero.mrc"]
        assert "no such file" in failed["gone.mrc"]
    assert (tmp_path / "run/report.html").is_file()
    for name in ("box", "cbox", "csv", "topaz"):
        code, _, said = cryopick("export", tmp_path / "run", "--out", tmp_path / name, "--format", name)
        assert code == 0, said


def test_an_escaped_name_is_nobody_else_s(tmp_path, image, cryopick):
    write_mrc(tmp_path / "m/a\n.mrc", image)
    write_mrc(tmp_path / "m/a\\x0a.mrc", image)
    code, _, _ = cryopick("run", tmp_path / "m", "--out", tmp_path / "run", *SERIAL)
    assert (code, picked(tmp_path / "run")) == (3, ["a\\x0a.mrc"])


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--diameter", 40000], "--diameter"),
        (["--diameter", DIAMETER_A, "--store-pixel-size", 60], "--store-pixel-size"),
        (["--diameter", 3], "--pixel-size"),
    ],
)
def test_what_is_wrong_with_all_of_them_stops_before_any_work(tmp_path, image, cryopick, options, reason):
    for name in ("a.mrc", "b.mrc"):
        write_mrc(tmp_path / "m" / name, image)
    arguments = ["--model", "log", "--engine", "serial", *options]
    code, _, said = cryopick("run", tmp_path / "m", "--out", tmp_path / "run", *arguments)
    assert code == 2
    assert reason in said
    assert not (tmp_path / "run").exists()
