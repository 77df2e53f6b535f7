"""``cryopick ctf``: its list is RELION's, an INPUT of a run, and holds nothing that is doubted."""

import json
import subprocess

import mrcfile
import numpy as np
import pytest
import starfile
from typer.testing import CliRunner

from cli.main import app
from cryopick_ray.micrographs.sources import list_sources
from cryopick_ray.simulate.optics import Defocus
from cryopick_ray.units import Optics
from tests.ctf.ctf_images import thon

LENSES = {"a.mrc": Defocus(15_400, 14_700, 60), "b c.mrc": Defocus(30_400, 29_800, 150)}
OPTICS = Optics(200.0, 1.4, 0.07)
GIVEN = ("--voltage-kv", "200", "--spherical-aberration-mm", "1.4", "--amplitude-contrast", "0.07")
SERIAL = ("--engine", "serial")


def call(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def write_mrc(path, pixels, pixel_size_A=1.5):
    path.parent.mkdir(parents=True, exist_ok=True)
    with mrcfile.new(path) as mrc:
        mrc.set_data(pixels)
        mrc.voxel_size = pixel_size_A


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with two micrographs, one of noise and one that is no image, and what the command made."""
    folder = tmp_path_factory.mktemp("project")
    for seed, (name, lens) in enumerate(LENSES.items()):
        write_mrc(folder / "Mic" / name, thon(lens, optics=OPTICS, seed=seed))
    write_mrc(folder / "Mic/noise.mrc", np.random.default_rng(9).standard_normal((600, 500), np.float32))
    (folder / "Mic/broken.mrc").write_bytes(b"no image at all")
    status, text, errors = call(
        "ctf", folder / "Mic", "--out", folder / "Ctf", "--relion-project", folder, *GIVEN, *SERIAL, "--json"
    )
    return folder, status, json.loads(text), errors


def test_the_list_holds_what_is_sure_and_the_facts_what_is_not(project):
    folder, status, outcome, errors = project
    assert status == 3
    assert "noise.mrc: no rings are seen" in errors
    kinds = {one["micrograph_id"]: one["status"] for one in outcome["micrographs"]}
    assert kinds == {"a.mrc": "fitted", "b c.mrc": "fitted", "noise.mrc": "doubtful", "broken.mrc": "failed"}
    facts = json.loads((folder / "Ctf/ctf.json").read_text())
    assert facts["micrographs"] == outcome["micrographs"]
    (doubtful,) = (fact for fact in facts["micrographs"] if fact["status"] == "doubtful")
    assert doubtful["doubts"] == ["no rings are seen"]

    blocks = starfile.read(folder / "Ctf/micrographs_ctf.star", always_dict=True)
    optics, rows = blocks["optics"], blocks["micrographs"].set_index("rlnMicrographName")
    assert list(rows.index) == ["Mic/a.mrc", "Mic/b c.mrc"]
    assert optics["rlnVoltage"].tolist() == [200]
    assert optics["rlnMicrographPixelSize"].tolist() == [1.5]
    for name, lens in LENSES.items():
        row = rows.loc[f"Mic/{name}"]
        assert row["rlnDefocusU"] == pytest.approx(lens.u_A, abs=120)
        assert row["rlnDefocusV"] == pytest.approx(lens.v_A, abs=120)
        assert abs((row["rlnDefocusAngle"] - lens.angle_deg + 90) % 180 - 90) < 8
        assert 3 < row["rlnCtfMaxResolution"] < 8
        assert 0.5 < row["rlnCtfFigureOfMerit"] <= 1


def test_the_list_is_an_input_that_carries_the_ctf(project, tmp_path):
    folder, *_ = project
    sources = list_sources([str(folder / "Ctf/micrographs_ctf.star")], relion_project=folder)
    assert [source.relion_name for source in sources] == ["Mic/a.mrc", "Mic/b c.mrc"]
    assert {source.optics for source in sources} == {OPTICS}
    said = json.loads(sources[0].listed)
    assert float(said["rlnDefocusU"]) == pytest.approx(15_400, abs=120)

    run = ("--model", "log", "--diameter", "150", "--out", tmp_path / "run", "--relion-project", folder)
    status, _, errors = call("run", folder / "Ctf/micrographs_ctf.star", *run, *SERIAL)
    assert status == 0, errors
    particles = starfile.read(tmp_path / "run/coordinates/particles.star")["particles"]
    own = particles[particles["rlnMicrographName"] == "Mic/a.mrc"]
    assert len(own)
    assert set(own["rlnDefocusU"]) == {float(said["rlnDefocusU"])}


def test_a_list_keeps_its_columns_and_groups_and_gets_a_new_ctf(project, tmp_path):
    folder, *_ = project
    listed = tmp_path / "again.star"
    text = (folder / "Ctf/micrographs_ctf.star").read_text()
    listed.write_text(
        text.replace("Mic 1 1.5", "squares 7 1.5")
        .replace(".mrc 1 ", ".mrc 7 ")
        .replace('.mrc" 1 ', '.mrc" 7 ')
        .replace("rlnCtfAstigmatism", "rlnAccumMotionTotal")
    )
    arguments = ("--relion-project", folder, "--out", tmp_path / "out", *SERIAL)
    status, _, errors = call("ctf", listed, *arguments)
    assert status == 0, errors
    assert "guess" not in errors
    before = starfile.read(folder / "Ctf/micrographs_ctf.star")["micrographs"]
    blocks = starfile.read(tmp_path / "out/micrographs_ctf.star")
    assert blocks["optics"]["rlnOpticsGroupName"].tolist() == ["squares"]
    assert blocks["micrographs"]["rlnOpticsGroup"].tolist() == [7, 7]
    kept = blocks["micrographs"]["rlnAccumMotionTotal"].tolist()
    assert kept == before["rlnCtfAstigmatism"].tolist()
    assert blocks["micrographs"]["rlnDefocusU"].tolist() == before["rlnDefocusU"].tolist()


def test_a_guessed_microscope_is_told(project, tmp_path):
    folder, *_ = project
    status, _, errors = call("ctf", folder / "Mic/a.mrc", "--out", tmp_path, *SERIAL)
    assert status == 0
    assert "300 kV, aberration 2.7 mm, amplitude contrast 0.1 in micrographs_ctf.star are a guess" in errors
    assert "--voltage-kv" in errors


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--defocus", "5000"], ["--defocus", "5000"]),
        (["--defocus", "40000,5000"], ["--defocus", "LO,HI"]),
        (["--defocus", "0,5000"], ["--defocus", "2000"]),
        (["--voltage-kv", "1"], ["--voltage-kv"]),
    ],
)
def test_a_wrong_setting_is_named(project, tmp_path, arguments, words):
    folder, *_ = project
    status, _, errors = call("ctf", folder / "Mic", "--out", tmp_path / "out", *arguments, *SERIAL)
    assert status == 2
    assert all(word in errors for word in words), errors
    assert not (tmp_path / "out").exists()


def test_movies_are_sent_to_ingest(tmp_path):
    write_mrc(tmp_path / "movie.mrcs", np.zeros((3, 64, 64), np.float32))
    status, _, errors = call("ctf", tmp_path / "movie.mrcs", "--out", tmp_path / "out", *SERIAL)
    assert status != 0
    assert "cryopick ingest" in errors


def test_simulated_micrographs_have_the_defocus_of_their_truth(tmp_path):
    """The angle, too: molecules, ice, lens and detector know nothing of the fit."""
    simulation = (
        *("--molecules", "apoferritin", "--shape", "1536x1536", "--pixel-size", "1.6", "--micrographs", "2"),
        *("--seed", "3", "--packing", "0.4", "--dose", "80", "--defocus", "14000,22000"),
        *("--set", "microscope.astigmatism_A=900", "--set", "microscope.b_factor_A2=50"),
        *("--set", "ice.noise_rad2_A2=0.03", "--set", "ice.noise_slope=1"),
    )
    assert call("simulate", *simulation, *SERIAL, "--out", tmp_path)[0] == 0
    status, text, errors = call("ctf", tmp_path / "micrographs", "--out", tmp_path / "ctf", *SERIAL, "--json")
    assert status == 0, errors
    for one in json.loads(text)["micrographs"]:
        truth = tmp_path / "truth" / one["micrograph_id"].replace(".mrc", ".star")
        true = starfile.read(truth)["particles"].iloc[0]
        assert one["doubts"] == []
        assert one["defocus_u_A"] == pytest.approx(true["rlnDefocusU"], abs=150)
        assert one["defocus_v_A"] == pytest.approx(true["rlnDefocusV"], abs=150)
        assert abs((one["defocus_angle_deg"] - true["rlnDefocusAngle"] + 90) % 180 - 90) < 8


def test_relion_extracts_particles_with_this_ctf(project, relion):
    folder, *_ = project
    coordinates = folder / "Coordinates/Mic"
    coordinates.mkdir(parents=True)
    (coordinates / "a_manual.star").write_text(
        "\ndata_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n200 300\n400 500\n\n"
    )
    text = (folder / "Ctf/micrographs_ctf.star").read_text()
    (folder / "one.star").write_text("\n".join(row for row in text.split("\n") if "b c" not in row))
    command = ["relion_preprocess", "--i", "one.star", "--extract", "--extract_size", "64"]
    command += ["--coord_dir", "Coordinates/", "--coord_suffix", "_manual.star"]
    command += ["--part_star", "Extract/particles.star", "--part_dir", "Extract/"]
    done = subprocess.run(command, cwd=folder, env=relion, text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    particles = starfile.read(folder / "Extract/particles.star")["particles"]
    ours = starfile.read(folder / "Ctf/micrographs_ctf.star")["micrographs"].iloc[0]
    assert len(particles) == 2
    for column in ("rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle", "rlnCtfMaxResolution"):
        assert particles[column].tolist() == pytest.approx([ours[column]] * 2)
