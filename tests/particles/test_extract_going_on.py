"""Extractions gone on with: what is done again, and what is not."""

import json
import signal
import subprocess
import sys
import time

import mrcfile
import pytest
import starfile
from made_extraction import EACH, PLACES, Counted, extract, files_of, make_micrographs
from typer.testing import CliRunner

from cli.main import app
from cryopick_ray.errors import UsageError


def test_a_micrograph_that_fails_is_told_and_tried_again(folder):
    whole = (folder / "mics/b.mrc").read_bytes()
    (folder / "mics/b.mrc").write_bytes(whole[:5000])
    outcome = extract()
    ((name, reason),) = outcome.failures
    assert name == "b.mrc"
    assert "truncated" in reason
    assert outcome.files[0].particles == 2 * EACH
    (folder / "mics/b.mrc").write_bytes(whole)
    events = Counted()
    assert extract(resume=True, events=events).files[0].particles == 3 * EACH
    assert events.done == 1
    extract("other")
    assert files_of(folder / "out").keys() == files_of(folder / "other").keys()


def test_what_is_there_is_not_done_again(folder):
    extract()
    before = files_of(folder / "out")
    with pytest.raises(UsageError, match="`resume`"):
        extract()
    with pytest.raises(UsageError, match=r"box: \['24'\] -> \['26'\]"):
        extract(resume=True, box=["26"])
    (folder / "out/particles/c.mrcs").unlink()
    (folder / "out/particles/a.mrcs").write_bytes(b"short")
    events = Counted()
    extract(resume=True, events=events)
    assert events.done == 2
    assert files_of(folder / "out") == before


def test_picks_and_files_that_changed_are_extracted_again(folder):
    extract()
    (folder / "places/a.star").write_text(PLACES + "60 60 1\n")
    with mrcfile.open(folder / "mics/b.mrc", "r+") as mrc:
        mrc.data[:] = -mrc.data
    events = Counted()
    extract(resume=True, events=events)
    assert events.done == 2
    extract("new")
    assert (folder / "out/particles/b.mrcs").read_bytes() == (folder / "new/particles/b.mrcs").read_bytes()
    assert len(starfile.read("out/particles.star")["particles"]) == 2 * EACH + 1


def test_nothing_is_written_through_a_link(folder):
    (folder / "elsewhere").mkdir()
    (folder / "out").mkdir()
    (folder / "out/particles").symlink_to(folder / "elsewhere")
    with pytest.raises(UsageError, match="symbolic link"):
        extract()
    assert list((folder / "elsewhere").iterdir()) == []


def test_doubts_are_told_again(folder):
    (folder / "list.star").write_text(
        "data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnMicrographPixelSize #2\n"
        + "".join(f"mics/{name}.mrc 2.5\n" for name in "abc")
    )
    notes = extract(micrographs="list.star").notes
    assert any("(3 micrographs)" in note and "2.5" in note for note in notes)
    assert extract(micrographs="list.star", resume=True).notes == notes


def test_a_killed_extraction_goes_on_to_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [f"m{n:02d}" for n in range(40)]
    make_micrographs(tmp_path, names, each=200)
    command = [sys.executable, "-m", "cryopick_ray", "extract", "places", "--micrographs", "mics"]
    command += ["--box", "32", "--scale-to", "16", "--engine", "serial", "--out"]
    with subprocess.Popen([*command, "killed"], stderr=subprocess.DEVNULL) as process:
        parts = tmp_path / "killed/parts/particles"
        while len(list(parts.glob("*.rows")) if parts.is_dir() else []) < 3:
            assert process.poll() is None
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
    assert len(list(parts.glob("*.rows"))) < len(names)
    assert not (tmp_path / "killed/particles.star").exists()
    for path in (tmp_path / "killed").rglob("*.mrcs"):
        assert mrcfile.validate(path)
    for words in (["killed", "--resume"], ["whole"]):
        assert CliRunner().invoke(app, [*command[3:], *words]).exit_code == 0
    killed, whole = files_of(tmp_path / "killed"), files_of(tmp_path / "whole")
    killed = {name: data for name, data in killed.items() if not name.endswith(".part")}
    whole = {name: data.replace(b"@whole/", b"@killed/") for name, data in whole.items()}
    assert killed == whole
    assert json.loads((tmp_path / "killed/extract.json").read_text())["files"][0]["particles"] == 8000
