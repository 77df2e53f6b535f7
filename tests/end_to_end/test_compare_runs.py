"""Runs compared by the real command, from files to the page."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from micrograph_files import DIAMETER_A, PIXEL_SIZE_A


@pytest.fixture(scope="module")
def fewer(serial_run, tmp_path_factory):
    """The same run, cut higher."""
    from typer.testing import CliRunner

    from cli.main import app

    out = tmp_path_factory.mktemp("fewer") / "run"
    shutil.copytree(serial_run, out)
    result = CliRunner().invoke(
        app, ["run", "--out", str(out), "--resume", "--expect", "10", "--engine", "serial"]
    )
    assert result.exit_code == 0, result.output
    return out


def picked(run):
    return pd.read_parquet(run / "table").query("picked")


def test_a_higher_cut_keeps_part_of_the_picks_and_the_threshold_is_why(
    serial_run, fewer, cryopick, phantoms, tmp_path
):
    arguments = ["--truth", phantoms / "truth", "--out", tmp_path / "page"]
    status, text, _ = cryopick("compare", serial_run, fewer, *arguments, "--json")
    assert status == 0
    found = json.loads(text)
    [pair] = found["pairs"]
    more, less = len(picked(serial_run)), len(picked(fewer))
    assert 0 < less < more
    assert (pair["shared"], pair["only"]) == (less, [more - less, 0])
    assert pair["why"] == [{"below threshold": more - less}, {}]
    assert pair["share"][1] == 1
    assert set(found["settings"]) >= {"cut of micrographs", "expect"}
    status, scored, _ = cryopick("evaluate", fewer, "--truth", phantoms / "truth", "--json")
    assert found["runs"][1]["hits"]["f1"] == json.loads(scored)["pooled"]["f1"]
    page = (tmp_path / "page" / "compare.html").read_text()
    assert page.count("data:image/jpeg") == 6
    assert json.loads((tmp_path / "page" / "compare.json").read_text())["pairs"] == found["pairs"]


def test_coordinates_of_any_program_are_compared_and_runs_say_what_they_lack(serial_run, cryopick, tmp_path):
    assert cryopick("export", serial_run, "--format", "star", "--out", tmp_path / "stars")[0] == 0
    status, text, _ = cryopick("compare", tmp_path / "stars" / "particles.star", serial_run, "--json")
    found = json.loads(text)
    [pair] = found["pairs"]
    assert (status, pair["shared"], pair["only"]) == (0, len(picked(serial_run)), [0, 0])
    assert found["radius_A"] == DIAMETER_A / 2


def test_files_that_say_nothing_are_compared_when_told(cryopick, tmp_path):
    for name, x in (("a", 100), ("b", 110)):
        (tmp_path / name).mkdir()
        header = "data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n"
        (tmp_path / name / "m.star").write_text(f"{header}{x} 50\n300 300\n")
    given = [tmp_path / "a", tmp_path / "b"]
    status, _, errors = cryopick("compare", *given)
    assert (status, "give --diameter" in errors) == (2, True)
    status, _, errors = cryopick("compare", *given, "--diameter", 100)
    assert (status, "give --pixel-size" in errors) == (2, True)
    told = ["--diameter", DIAMETER_A, "--pixel-size", PIXEL_SIZE_A, "--out", tmp_path / "page"]
    status, text, _ = cryopick("compare", *given, *told)
    assert status == 0
    assert "A and B share 2: 100.0 % of A, 100.0 % of B, Jaccard 1.000" in text


def test_what_cannot_be_compared_is_refused_with_a_remedy(serial_run, cryopick, tmp_path):
    assert "expected 2 to 26" in cryopick("compare", serial_run)[2]
    assert cryopick("compare", serial_run, tmp_path / "nowhere")[0] == 2
    (tmp_path / "begun").mkdir()
    shutil.copy(serial_run / "config.yaml", tmp_path / "begun")
    assert "no table yet" in cryopick("compare", serial_run, tmp_path / "begun")[2]
    header = "data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n"
    (tmp_path / "other.star").write_text(f"{header}1 2\n")
    status, _, errors = cryopick("compare", serial_run, tmp_path / "other.star", "--pixel-size", PIXEL_SIZE_A)
    assert (status, "no micrograph was picked by two of the runs" in errors) == (2, True)


def test_all_picks_are_accounted_for_in_the_terminal(serial_run, fewer, cryopick):
    _, text, _ = cryopick("compare", serial_run, fewer)
    only = len(picked(serial_run)) - len(picked(fewer))
    assert f"only A: {only}, median score" in text
    assert f"    {only}  100.0 %  below threshold" in text
    assert "  only B: none" in text
    most = picked(serial_run).groupby("micrograph_id").size() - picked(fewer).groupby("micrograph_id").size()
    first = text[text.index("most different micrographs") :].splitlines()[1].split()
    assert int(first[-1]) == np.nanmax(most)


def test_what_only_a_folder_has_needs_no_pixel_size(serial_run, cryopick, tmp_path):
    out = tmp_path / "boxes"
    assert cryopick("export", serial_run, "--format", "box", "--out", out)[0] == 0
    some = sorted(out.rglob("*.box"))
    shutil.copy(some[0], some[0].with_name("unknown.box"))
    status, text, _ = cryopick("compare", serial_run, out, "--json")
    assert status == 0
    [pair] = json.loads(text)["pairs"]
    assert pair["shared"] > 0
