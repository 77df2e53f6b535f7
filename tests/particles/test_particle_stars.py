"""Particles of a STAR file: what RELION and starfile read, read and written back."""

import os

import mrcfile
import numpy as np
import pytest
import starfile

from cryopick_ray.errors import PicksError
from cryopick_ray.particles.images import batches, read_images
from cryopick_ray.particles.particle_ctf import ctfs
from cryopick_ray.particles.particle_star import read_particles, write_particles
from cryopick_ray.simulate.optics import Defocus, Microscope, transfer
from cryopick_ray.units import Optics

OPTICS = """
data_optics

loop_
_rlnOpticsGroup #1
_rlnOpticsGroupName #2
_rlnVoltage #3
_rlnSphericalAberration #4
_rlnAmplitudeContrast #5
_rlnImagePixelSize #6
_rlnImageSize #7
_rlnImageDimensionality #8
1 "one group" 300.0 2.7 0.1 3.0 16 2
2 another 200.0 1.2 0.07 3.0 16 2

"""
HEAD = """
data_particles

loop_
_rlnImageName #1
_rlnMicrographName #2
_rlnCoordinateX #3
_rlnCoordinateY #4
_rlnDefocusU #5
_rlnDefocusV #6
_rlnDefocusAngle #7
_rlnOriginXAngst #8
_rlnOriginYAngst #9
_rlnOpticsGroup #10
"""
ROWS = """000002@stacks/a.mrcs "mics/a b.mrc" 10.25 20.5 12000.0 11000.0 30.0 1.5 -0.5 1
000001@stacks/b.mrcs mics/b.mrc 30.0 40.0 9000.0 9500.0 -70.0 0.0 0.25 2
000001@stacks/a.mrcs "mics/a b.mrc" 50.0 60.0 12000.0 11000.0 30.0 0.0 0.0 1
"""


@pytest.fixture
def images():
    return np.random.default_rng(0).normal(size=(3, 16, 16)).astype(np.float32)


@pytest.fixture
def star(tmp_path, images):
    (tmp_path / "stacks").mkdir()
    for name, own in (("a", images[:2]), ("b", images[2:])):
        with mrcfile.new(tmp_path / "stacks" / f"{name}.mrcs") as mrc:
            mrc.set_data(own)
            mrc.set_image_stack()
    path = tmp_path / "job" / "particles.star"
    path.parent.mkdir()
    path.write_text(OPTICS + HEAD + ROWS)
    return path


def test_each_row_has_its_image(star, images):
    particles = read_particles(star)
    assert np.array_equal(read_images(particles, np.arange(3)), images[[1, 2, 0]])
    assert np.array_equal(read_images(particles, np.array([2, 0])), images[[0, 1]])
    assert np.array_equal(read_images(particles.of(np.array([1])), np.array([0])), images[[2]])
    assert [len(batch) for batch in batches(particles, 2)] == [2, 1]


def test_a_pipe_in_place_of_a_stack_is_refused_not_waited_for(star):
    stack = star.parents[1] / "stacks" / "b.mrcs"
    stack.unlink()
    os.mkfifo(stack)
    with pytest.raises(PicksError, match="it is no file"):
        read_images(read_particles(star), np.arange(3))


def test_a_ctf_is_that_of_the_simulator_in_its_own_optics_group(star):
    particles = read_particles(star)
    assert particles.ctf is not None
    made = ctfs(particles.ctf, particles.box_px, particles.pixel_size_A).numpy()
    groups = [Optics(300.0, 2.7, 0.1), Optics(200.0, 1.2, 0.07), Optics(300.0, 2.7, 0.1)]
    places = [(12000.0, 11000.0, 30.0), (9000.0, 9500.0, -70.0), (12000.0, 11000.0, 30.0)]
    for one, optics, place in zip(made, groups, places, strict=True):
        assert np.allclose(one, transfer(Microscope(optics, Defocus(*place), 3.0), (16, 16)), atol=2e-5)


def test_what_is_written_is_what_was_read_and_the_columns_given(star, tmp_path):
    particles = read_particles(star)
    written = tmp_path / "classes.star"
    write_particles(
        written, particles, {"rlnClassNumber": np.array([3, 1, 2]), "rlnOriginXAngst": np.array([0.5, 0, 1])}
    )
    before, after = starfile.read(star), starfile.read(written)
    assert after["optics"].equals(before["optics"])
    assert list(after["particles"]["rlnClassNumber"]) == [3, 1, 2]
    assert list(after["particles"]["rlnOriginXAngst"]) == [0.5, 0, 1]
    same = [name for name in before["particles"] if name != "rlnOriginXAngst"]
    assert after["particles"][same].equals(before["particles"][same])
    again = read_particles(written)
    assert np.array_equal(again.origin_A[:, 1], [-0.5, 0.25, 0.0])
    assert again.micrographs == ["mics/a b.mrc", "mics/b.mrc", "mics/a b.mrc"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("000002@stacks/a", "000000@stacks/a", "NUMBER@STACK"),
        ("000002@stacks/a", "000003@stacks/a", "names number 3"),
        ("@stacks/b.mrcs", "@stacks/missing.mrcs", "no stack"),
        ("3.0 16 2\n2", "2.0 16 2\n2", "rlnImagePixelSize"),
        ("16 2\n", "18 2\n", "expected 18 x 18"),
        ("16 2\n", "15 2\n", "even number"),
        ("12000.0", "nan", "not finite"),
        ("12000.0", "far", "no number"),
        ("_rlnImageName", "_rlnOtherName", "cryopick extract"),
        ("300.0", "-1", "rlnVoltage"),
    ],
)
def test_what_cannot_be_is_refused_by_name(star, old, new, told):
    star.write_text(star.read_text().replace(old, new))
    with pytest.raises(PicksError, match=told):
        read_images(read_particles(star), np.arange(3))


def test_without_a_defocus_there_is_no_ctf_and_it_is_told(star):
    star.write_text(star.read_text().replace("_rlnDefocusU", "_rlnOther"))
    particles = read_particles(star)
    assert particles.ctf is None
    assert any("CTF" in note for note in particles.notes)
