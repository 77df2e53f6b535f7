"""A run that is not told how large its particles are."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from micrograph_files import DIAMETER_A, PIXEL_SIZE_A, phantom, table_bytes, write_mrc
from typer.testing import CliRunner

from cli.main import app
from cryopick_ray.errors import UsageError
from cryopick_ray.picks.estimated_diameter import EstimatedDiameter
from cryopick_ray.report.diameter_curve import diameter_curve
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.stages.find_diameter import evenly_spaced, keep_diameter, kept_diameter

ALONE = ["--engine", "serial", "--device", "cpu"]
FOUND = EstimatedDiameter(
    128.0,
    (100.0, 128.0, 160.0),
    (1.0, 3.0, 2.0),
    240,
    ("a.mrc", "b.mrc"),
    "general",
    alternatives_A=(165.0, 98.0),
)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Two micrographs, and one that nobody can read between them."""
    folder = tmp_path_factory.mktemp("inputs")
    for seed in (1, 3):
        write_mrc(folder / f"{seed}.mrc", phantom(seed).pixels)
    (folder / "2.mrc").write_bytes(b"no micrograph")
    return folder


@pytest.fixture(scope="module")
def estimated(inputs, tmp_path_factory):
    """A run without a diameter."""
    out = tmp_path_factory.mktemp("estimated") / "run"
    result = CliRunner().invoke(app, [str(word) for word in ["run", inputs, "--out", out, *ALONE]])
    assert result.exit_code == 3, result.output
    return out, result.stdout


def test_the_diameter_is_found_and_told_everywhere(estimated):
    out, said = estimated
    found = kept_diameter(out / "diameter.json")
    assert found.diameter_A == pytest.approx(DIAMETER_A, rel=0.25)
    assert found.micrographs == ("1.mrc", "3.mrc")
    assert found.particles > 0
    text = f"{found.diameter_A:g} A, estimated from 2 micrographs"
    assert f"{text} (--diameter overrides)" in said
    report = (out / "report.html").read_text()
    assert text in report
    assert 'aria-label="Evidence by diameter"' in report
    summary = json.loads((out / "summary.json").read_text())
    assert EstimatedDiameter.from_dict(summary["diameter"]) == found
    assert summary["seconds"]["diameter"] > 0
    assert RunFolder(out).settings().diameter_A == found.diameter_A


def test_a_run_that_goes_on_keeps_its_diameter(estimated, inputs, cryopick, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(estimated[0], out)
    before, number = (out / "diameter.json").read_bytes(), RunFolder(out).settings().diameter_A
    config = tmp_path / "no_diameter.yaml"
    config.write_text(f"inputs: ['{inputs}']\nrelion_project: /\n")
    assert cryopick("run", "--out", out, "--resume", *ALONE)[0] == 3
    assert RunFolder(out).settings().diameter_A == number
    assert (out / "diameter.json").read_bytes() == before
    assert f"{number:g} A, estimated from 2" in (out / "report.html").read_text()
    assert cryopick("report", out)[0] == 0
    assert f"{number:g} A, estimated from 2" in (out / "report.html").read_text()
    _, _, errors = cryopick("run", "--config", config, "--out", out, "--resume", *ALONE)
    assert "relion_project" in errors  # the one thing that has changed: the diameter is not
    assert "diameter_A" not in errors


def test_a_given_diameter_is_taken_and_nothing_is_estimated(estimated, inputs, cryopick, tmp_path):
    number = RunFolder(estimated[0]).settings().diameter_A
    given, again = tmp_path / "given", tmp_path / "again"
    assert cryopick("run", inputs, "--diameter", number, "--out", given, *ALONE)[0] == 3
    assert cryopick("run", "--config", estimated[0] / "config.yaml", "--out", again, *ALONE)[0] == 3
    for out in (given, again):
        assert table_bytes(out) == table_bytes(estimated[0])
        assert not (out / "diameter.json").exists()
        assert json.loads((out / "summary.json").read_text())["diameter"] is None
        assert "estimated" not in (out / "report.html").read_text()


def test_bright_particles_and_a_given_pixel_size_give_the_same_diameter(cryopick, tmp_path):
    pixels = phantom(1).pixels
    write_mrc(tmp_path / "dark.mrc", pixels)
    write_mrc(tmp_path / "bright.mrc", -pixels, pixel_size_A=0)
    dark = json.loads(cryopick("diameter", tmp_path / "dark.mrc", "--json")[1])
    options = ["--invert", "--pixel-size", PIXEL_SIZE_A]
    status, output, progress = cryopick("diameter", tmp_path / "bright.mrc", *options)
    assert status == 0
    assert f"diameter {dark['diameter_A']:g} A, estimated from 1 micrograph" in output
    assert "next best {:g}, {:g}, {:g} A".format(*dark["alternatives_A"]) in output
    assert "diameter: 1 of 1" in progress


def test_a_folder_that_is_taken_is_refused_before_anything_is_estimated(estimated, inputs, cryopick):
    status, _, errors = cryopick("run", inputs, "--out", estimated[0], *ALONE)
    assert (status, "--resume" in errors, "estimating" in errors) == (2, True, False)


def test_the_pixel_size_must_be_known_first(cryopick, tmp_path):
    write_mrc(tmp_path / "in" / "m.mrc", phantom(1).pixels, pixel_size_A=0)
    status, _, errors = cryopick("run", tmp_path / "in", "--out", tmp_path / "run", *ALONE)
    assert (status, "--pixel-size" in errors) == (2, True)
    assert not (tmp_path / "run").exists()


def test_a_header_of_one_angstrom_is_doubted_once_the_diameter_is_known(cryopick, tmp_path):
    few = phantom(1).pixels[:240, :240]
    write_mrc(tmp_path / "in" / "m.mrc", few, pixel_size_A=1)
    status, _, errors = cryopick("run", tmp_path / "in", "--out", tmp_path / "run", *ALONE)
    assert (status, "--pixel-size" in errors) == (2, True)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("content", [b"", b"nothing to be read", None])
def test_where_nothing_can_be_seen_the_setting_is_named(cryopick, tmp_path, content):
    if content is None:
        write_mrc(tmp_path / "in" / "m.mrc", np.full((256, 256), 7, np.float32))
    else:
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "m.mrc").write_bytes(content)
    status, _, errors = cryopick("run", tmp_path / "in", "--out", tmp_path / "run", *ALONE)
    assert status == 2
    assert "m.mrc" in errors
    assert "give --diameter" in errors
    assert not (tmp_path / "run").exists()


def test_a_run_over_empty_ice_goes_on_with_a_guess(cryopick, tmp_path):
    noise = np.random.default_rng(0).normal(size=(300, 320)).astype(np.float32)
    write_mrc(tmp_path / "in" / "m.mrc", noise)
    status, said, _ = cryopick("run", tmp_path / "in", "--out", tmp_path / "run", *ALONE)
    found = kept_diameter(tmp_path / "run" / "diameter.json")
    assert (status, found.is_sure) == (0, False)
    assert (
        f"{found.diameter_A:g} A, estimated from 1 micrograph, a guess: little was found; next best" in said
    )


@given(count=st.integers(1, 10_000), most=st.integers(1, 12))
def test_micrographs_are_looked_at_from_all_over_a_run(count, most):
    places = evenly_spaced(count, most)
    assert places == sorted(set(places))
    assert len(places) == min(count, most)
    assert places[0] == 0
    assert most == 1 or places[-1] == count - 1
    steps = np.diff(places)
    assert not len(steps) or steps.max() - steps.min() <= 1


def test_an_estimate_survives_its_file_and_a_damaged_one_is_named(tmp_path):
    path = tmp_path / "diameter.json"
    assert kept_diameter(path) is None
    keep_diameter(path, FOUND)
    assert kept_diameter(path) == FOUND
    whole = path.read_text()
    older = json.loads(whole)
    del older["alternatives_A"]
    path.write_text(json.dumps(older))
    assert kept_diameter(path) == replace(FOUND, alternatives_A=())
    no_curve = (whole.replace("3.0", "NaN"), whole.replace("100.0,", ""))
    for text in ("{", "[1]", '{"diameter_A": 3}', '"words"', *no_curve):
        path.write_text(text)
        with pytest.raises(UsageError, match=r"diameter\.json is damaged .*delete it"):
            kept_diameter(path)


def test_the_curve_shows_every_diameter_that_was_tried():
    drawn = str(diameter_curve(FOUND))
    assert drawn.count("<circle") == len(FOUND.tried_A)
    assert "128 A: 3" in drawn
    assert drawn.count('class="mark"') == 1
    assert drawn.count('class="other"') == len(FOUND.alternatives_A)
    assert str(diameter_curve(EstimatedDiameter(90.0, (), (), 0, (), "general"))) == ""
