"""``cryopick reconstruct``: from a STAR file to maps, curves and a page, and what it says when it cannot."""

import csv
import json
import math
import re

import numpy as np
import pytest
import starfile
from made_images import PIXEL_A, SIDE, defocus, images_of, molecule, random_angles, write_stack
from typer.testing import CliRunner

from cli.main import app
from cryopick_ray.particles.particle_star import read_particles
from cryopick_ray.particles.volume.fsc import fsc
from cryopick_ray.simulate.map_file import read_map_values, write_map

N = 120


def call(*words):
    result = CliRunner().invoke(app, ["reconstruct", *map(str, words)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout, result.stderr


def curves(folder):
    return list(csv.DictReader((folder / "fsc.csv").read_text().splitlines()))


@pytest.fixture
def folder(tmp_path):
    """Particles with and without views, and the map that they are images of."""
    angles, ctf = random_angles(N), defocus(N)
    images = images_of(molecule(), angles, ctf, noise=0.5)
    write_stack(tmp_path, images, ctf=ctf, name="picks")
    write_stack(tmp_path, images, angles=angles, ctf=ctf, name="particles", subset=np.arange(N) % 2 + 1)
    write_map(tmp_path / "true.mrc", molecule(), PIXEL_A)
    return tmp_path


def test_particles_become_maps_curves_and_a_page(folder):
    out = folder / "out"
    status, text, errors = call(
        folder / "particles.star", "--out", out, "--reference", folder / "true.mrc", "--json"
    )
    assert status == 0, errors
    said = json.loads(text)
    assert said == json.loads((out / "reconstruct.json").read_text())
    assert said["halves"] == [N // 2, N // 2]
    assert 2 * PIXEL_A <= said["resolution_A"]["0.143"] <= said["resolution_A"]["0.5"] < 20
    assert said["reference_resolution_A"] < 16
    assert "no mask is given" in errors
    assert "--mask-diameter" in errors
    maps = {name: read_map_values(out / f"{name}.mrc") for name in ("half1", "half2", "map")}
    assert all(np.allclose(sides_A, PIXEL_A) for _, sides_A in maps.values())
    assert fsc(maps["map"][0], molecule())[1:8].min() > 0.9
    rows = curves(out)
    assert [int(row["shell"]) for row in rows] == list(range(SIDE // 2 + 1))
    unmasked = fsc(maps["half1"][0], maps["half2"][0])
    assert np.allclose([float(row["unmasked"]) for row in rows], unmasked, atol=1e-5)
    page = (out / "reconstruct.html").read_text()
    assert page.count("data:image/png;base64,") == 6
    assert not re.search(r'(src|href)="(?!data:|#)', page)


def test_equal_settings_give_equal_files(folder):
    for name in ("one", "two"):
        assert call(folder / "picks.star", "--out", folder / name, *matched(folder))[0] == 0
    for name in ("half1.mrc", "map.mrc", "fsc.csv", "particles.star"):
        assert (folder / "one" / name).read_bytes() == (folder / "two" / name).read_bytes()


def matched(folder):
    return ("--match", "--reference", folder / "true.mrc", "--set", "match.step_deg=15")


def test_matched_poses_are_written_and_make_the_same_map(folder):
    out = folder / "out"
    status, _, errors = call(folder / "picks.star", "--out", out, *matched(folder), "--mask-diameter", 90)
    assert status == 0, errors
    assert "fit the reference best in details to 20 A" in errors
    found = starfile.read(out / "particles.star")["particles"]
    assert set(found["rlnRandomSubset"]) == {1, 2}
    said = json.loads((out / "reconstruct.json").read_text())
    assert said["pose_score"] > 3
    assert said["reference_resolution_A"] < 16
    (out / "picks.mrcs").symlink_to(folder / "picks.mrcs")
    again = folder / "again"
    assert call(out / "particles.star", "--out", again)[0] == 0
    first, second = (read_map_values(where / "map.mrc")[0] for where in (out, again))
    assert np.abs(first - second).max() < 0.02 * np.abs(first).max()
    assert len(read_particles(out / "particles.star")) == N


def test_a_mask_of_a_file_is_used(folder):
    mask = np.zeros((SIDE,) * 3, np.float32)
    mask[8:24, 8:24, 8:24] = 1
    write_map(folder / "mask.mrc", mask, PIXEL_A)
    call(folder / "particles.star", "--out", folder / "out", "--mask", folder / "mask.mrc")
    rows = curves(folder / "out")
    halves = [read_map_values(folder / "out" / f"half{n}.mrc")[0] * mask for n in (1, 2)]
    assert np.allclose([float(row["masked"]) for row in rows], fsc(*halves), atol=1e-5)


def test_views_that_are_missing_are_told(folder):
    angles = random_angles(N)
    angles[:, 1] = 5.0
    write_stack(folder, images_of(molecule(), angles, noise=0.5), angles=angles, name="tops")
    status, text, errors = call(folder / "tops.star", "--out", folder / "out", "--json")
    assert status == 0
    assert json.loads(text)["directions_unseen"] > 0.5
    assert "views are missing" in errors
    assert "nothing is known of the CTF" in errors
    assert "halves are drawn" in errors


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["picks.star"], "has no rlnAngleRot, so views are not known: give --reference and --match"),
        (["picks.star", "--match"], "nothing to match them with: give --reference"),
        (["particles.star", "--mask", "small.mrc"], "expected 32 a side of 4 A"),
        (["particles.star", "--mask", "coarse.mrc"], "32 x 32 x 32 voxels of 5 A"),
        (["particles.star", "--mask", "true.mrc", "--mask-diameter", "60"], "expected one of them"),
        (["particles.star", "--mask", "negative.mrc"], "is no mask: values from -"),
        (["particles.star", "--mask-diameter", "200"], "--mask-diameter 200 is wider than the box of 128 A"),
        (["particles.star", "--symmetry", "T"], "--symmetry is 'T': expected C1"),
        (["none.star"], "none.star"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(folder, words, said):
    write_map(folder / "small.mrc", molecule(16), PIXEL_A)
    write_map(folder / "coarse.mrc", molecule(), 5.0)
    write_map(folder / "negative.mrc", -molecule(), PIXEL_A)
    words = [folder / word if word.endswith((".star", ".mrc")) else word for word in words]
    status, _, errors = call(*words, "--out", folder / "out")
    assert status in (1, 2)
    assert said in " ".join(errors.split())
    assert not (folder / "out").exists()


def test_particles_are_not_written_over_themselves(folder):
    status, _, errors = call(folder / "particles.star", "--out", folder, *matched(folder))
    assert status == 2
    assert "particles.star would be written over" in errors


def test_a_reconstruction_is_not_written_over(folder):
    assert call(folder / "particles.star", "--out", folder / "out")[0] == 0
    before = {path.name: path.read_bytes() for path in (folder / "out").iterdir()}
    status, _, errors = call(folder / "particles.star", "--out", folder / "out", "--seed", 1)
    assert status == 2
    assert "half1.mrc would be written over; choose another --out" in " ".join(errors.split())
    assert {path.name: path.read_bytes() for path in (folder / "out").iterdir()} == before


def test_a_resolution_that_is_none_is_null(folder):
    noise = np.random.default_rng(0).normal(size=(40, SIDE, SIDE))
    write_stack(folder, noise, angles=random_angles(40), name="noise")
    _, text, _ = call(folder / "noise.star", "--out", folder / "out", "--json")
    value = json.loads(text)["resolution_A"]["0.5"]
    assert value is None or (math.isfinite(value) and value > 30)


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_reference_without_content_is_refused(folder, value):
    write_map(folder / "empty.mrc", molecule(), PIXEL_A)
    header = (folder / "empty.mrc").read_bytes()[:1024]
    (folder / "empty.mrc").write_bytes(header + np.full(SIDE**3, value, np.float32).tobytes())
    status, _, errors = call(
        folder / "picks.star", "--match", "--reference", folder / "empty.mrc", "--out", folder / "out"
    )
    assert status == 2
    assert "--reference" in errors
    assert not (folder / "out").exists()


def test_a_reference_of_the_other_sign_is_doubted(folder):
    write_map(folder / "dark.mrc", -molecule(), PIXEL_A)
    status, text, errors = call(
        folder / "particles.star", "--reference", folder / "dark.mrc", "--out", folder / "out"
    )
    assert status == 0, errors
    assert "agrees with the reference nowhere" in errors
    assert "inf" not in text
