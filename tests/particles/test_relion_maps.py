"""RELION agrees: what an angle means, what map particles make, how far two maps agree."""

import subprocess

import mrcfile
import numpy as np
import pytest
import starfile
from made_images import PIXEL_A, SIDE, defocus, images_of, molecule, random_angles, write_stack

from cryopick_ray.particles.particle_star import read_particles
from cryopick_ray.particles.volume.fsc import agreement, fsc
from cryopick_ray.particles.volume.gridding import sphere
from cryopick_ray.particles.volume.reconstruct import Poses, halves_of, reconstruct
from cryopick_ray.particles.volume.symmetry import rotations_of
from cryopick_ray.simulate.map_file import read_map_values, write_map
from cryopick_ray.simulate.projection import euler_to_rotations, project

N = 500
NYQUIST = SIDE // 2
MOST = int(0.8 * NYQUIST) + 1


@pytest.fixture
def call(relion, tmp_path):
    def run(*words):
        done = subprocess.run(
            [*map(str, words)], cwd=tmp_path, env=relion, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return run


@pytest.fixture
def noisy(tmp_path):
    """Particles of a molecule in noise that hides them beyond a third of Nyquist or so."""
    angles, ctf, rng = random_angles(N), defocus(N), np.random.default_rng(3)
    shift_px = rng.uniform(-2, 2, (N, 2)).round(4)
    images = images_of(molecule(), angles, ctf, shift_px, noise=8.0)
    subset = rng.permutation(np.arange(N) % 2 + 1)
    star = write_stack(tmp_path, images, angles=angles, ctf=ctf, origin_A=shift_px * PIXEL_A, subset=subset)
    return read_particles(star)


def ours(particles, symmetry="C1"):
    poses = Poses(euler_to_rotations(particles.angles_deg), particles.origin_A)
    return reconstruct(particles, poses, halves_of(particles, 0), rotations_of(symmetry))


def test_angles_mean_what_they_mean_to_relion(call, tmp_path):
    volume, angles = molecule(), random_angles(20)
    write_map(tmp_path / "true.mrc", volume, PIXEL_A)
    star = write_stack(tmp_path, np.zeros((20, SIDE, SIDE)), angles=angles)
    call("relion_project", "--i", "true.mrc", "--ang", star.name, "--o", "theirs", "--angpix", PIXEL_A)
    theirs = mrcfile.read(tmp_path / "theirs.mrcs")
    for own, other in zip(project(volume, euler_to_rotations(angles)), theirs, strict=True):
        assert np.corrcoef(own.ravel(), other.ravel())[0, 1] > 0.999


@pytest.mark.parametrize("symmetry", ["C1", "C3", "D2"])
def test_the_map_is_that_of_relion(call, tmp_path, noisy, symmetry):
    call(
        *("relion_reconstruct", "--i", noisy.path.name, "--o", "theirs.mrc", "--ctf"),
        *("--sym", symmetry.lower()),
    )
    theirs, sides_A = read_map_values(tmp_path / "theirs.mrc")
    maps = ours(noisy, symmetry)
    assert np.allclose(sides_A, PIXEL_A)
    assert fsc(maps.whole, theirs)[1 : MOST + 1].min() > 0.99
    assert np.vdot(maps.whole, theirs) / np.vdot(theirs, theirs) == pytest.approx(1, abs=0.05)


def test_half_maps_agree_as_relion_says(call, tmp_path, noisy):
    maps = ours(noisy)
    mask = sphere(SIDE, 9.0, 4.0).numpy()
    (tmp_path / "post").mkdir()
    for name, values in zip(("half1", "half2", "mask"), (*maps.halves, mask), strict=True):
        write_map(tmp_path / f"{name}.mrc", values, PIXEL_A)
    call(
        *("relion_postprocess", "--i", "half1.mrc", "--i2", "half2.mrc", "--mask", "mask.mrc"),
        *("--angpix", PIXEL_A, "--o", "post/post"),
    )
    table = starfile.read(tmp_path / "post" / "post.star")["fsc"]
    found = agreement(*maps.halves, mask, PIXEL_A)
    names = {
        "rlnFourierShellCorrelationUnmaskedMaps": (found.unmasked, 0.001),
        "rlnFourierShellCorrelationMaskedMaps": (found.masked, 0.001),
    }
    for name, (own, most) in names.items():
        assert np.abs(table[name].to_numpy() - own).max() < most, name
    # Phases are drawn by either program on its own.
    late = slice(found.randomised_from + 2, None)
    theirs = table["rlnCorrectedFourierShellCorrelationPhaseRandomizedMaskedMaps"].to_numpy()
    assert np.abs(theirs - found.randomised)[late].mean() < 0.1
    corrected = table["rlnFourierShellCorrelationCorrected"].to_numpy()
    assert np.abs(corrected - found.corrected)[: late.start].max() < 0.001
