"""Our stacks are those that RELION extracts of the same micrographs: numbers, origins, optics, CTF."""

import shutil
import subprocess

import mrcfile
import numpy as np
import pytest
import starfile

from cryopick_ray.engine.events import SilentEvents
from cryopick_ray.engine.serial import SerialEngine
from cryopick_ray.particles.extract_settings import ExtractSettings
from cryopick_ray.runs.particles.extract_run import extract_particles

SHAPE, SIZE_A = (200, 256), 1.5
LIST = """
data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnMicrographOriginalPixelSize #3
_rlnMicrographPixelSize #4
_rlnVoltage #5
_rlnSphericalAberration #6
_rlnAmplitudeContrast #7
_rlnBeamTiltX #8
left 1 0.75 1.5 200 1.4 0.07 0.1
right 2 0.75 1.5 200 1.4 0.07 0.2

data_micrographs

loop_
_rlnMicrographName #1
_rlnOpticsGroup #2
_rlnDefocusU #3
_rlnDefocusV #4
_rlnDefocusAngle #5
Mic/a.mrc 1 10001 9000 12
Mic/b.mrc 2 10002 9000 12
"""
PLACES = """
data_

loop_
_rlnCoordinateX #1
_rlnCoordinateY #2
"""
REFINED = """
data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnMicrographOriginalPixelSize #3
_rlnMicrographPixelSize #4
_rlnVoltage #5
_rlnSphericalAberration #6
_rlnAmplitudeContrast #7
_rlnImagePixelSize #8
_rlnImageSize #9
_rlnImageDimensionality #10
left 1 0.75 1.5 200 1.4 0.07 1.5 48 2

data_particles

loop_
_rlnMicrographName #1
_rlnImageName #2
_rlnOpticsGroup #3
_rlnCoordinateX #4
_rlnCoordinateY #5
_rlnOriginXAngst #6
_rlnOriginYAngst #7
_rlnAngleRot #8
_rlnAngleTilt #9
_rlnAnglePsi #10
"""
OPTICS = (
    *("rlnOpticsGroupName", "rlnOpticsGroup", "rlnMicrographOriginalPixelSize", "rlnVoltage"),
    *("rlnSphericalAberration", "rlnAmplitudeContrast", "rlnBeamTiltX"),
    *("rlnImagePixelSize", "rlnImageSize", "rlnImageDimensionality"),
)
CTF = ("rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle")


@pytest.fixture(params=[np.float32, np.int16], ids=["float32", "int16"])
def project(request, tmp_path, monkeypatch):
    """Two micrographs with a ramp, and whole places in them, at the edges, too."""
    rng = np.random.default_rng(0)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Mic").mkdir()
    (tmp_path / "places").mkdir()
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    for name in "ab":
        pixels = rng.normal(1000, 20, SHAPE) + 0.2 * x - 0.1 * y
        with mrcfile.new(tmp_path / f"Mic/{name}.mrc") as mrc:
            mrc.set_data(pixels.astype(request.param))
            mrc.voxel_size = SIZE_A
        places = [(0, 0), (255, 199), (3, 120), (-10, 50), (270, 60), *rng.integers(30, 170, (10, 2))]
        text = "".join(f"{x} {y}\n" for x, y in places)
        (tmp_path / f"places/{name}.star").write_text(PLACES + text)
        (tmp_path / f"Mic/{name}_pick.star").write_text(PLACES + text)
    (tmp_path / "mics.star").write_text(LIST)
    return tmp_path


@pytest.fixture
def relion_extracts(project, relion):
    """Return tables and stacks of RELION's extraction."""

    def extracts(*options):
        command = ["relion_preprocess", "--i", "mics.star", "--extract", "--part_dir", "Extract/"]
        command += ["--part_star", "Extract/particles.star", *options]
        done = subprocess.run(command, cwd=project, env=relion, text=True, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return read(project / "Extract/particles.star")

    return extracts


def read(star):
    """Return a table of particles, of optics, and the images, as our convention of names sorts them."""
    blocks = starfile.read(star, always_dict=True)
    particles = blocks["particles"]
    places = particles["rlnImageName"].str.split("@", expand=True)
    stacks = {name: mrcfile.read(name) for name in places[1].unique()}
    images = np.stack([stacks[name][int(number) - 1] for number, name in places.to_numpy()])
    return particles, blocks["optics"], images


def ours(picks, **settings):
    made = ExtractSettings(picks=picks, micrographs="mics.star", **settings)
    shutil.rmtree("Ours", ignore_errors=True)
    outcome = extract_particles(made, "Ours", SerialEngine(), SilentEvents())
    assert outcome.failures == ()
    return read("Ours/particles.star")


def alike(one, other):
    return abs(one - other).max() / abs(other).max()


def replaced(before, after):
    """Return where images are other than a brightness and contrast of what they were."""
    found = []
    for one, other in zip(before, after, strict=True):
        usual = abs(one) < 2
        found.append(abs(np.polyval(np.polyfit(one[usual], other[usual], 1), one) - other) > 0.5)
    return np.array(found)


@pytest.mark.parametrize(
    ("box", "scale_to", "radius", "invert"), [(48, 48, 18, True), (64, 32, 12, True), (50, 30, 9, False)]
)
def test_stacks_are_those_of_relion(project, relion_extracts, box, scale_to, radius, invert):
    options = ["--norm", "--bg_radius", str(radius), "--scale", str(scale_to), "--extract_size", str(box)]
    options += ["--invert_contrast"] * invert
    theirs = relion_extracts("--coord_dir", "./", "--coord_suffix", "_pick.star", *options)
    more = {"background_radius_A": 9 * SIZE_A * 50 / 30} if radius == 9 else {}
    particles, optics, images = ours("places", box=[str(box)], scale_to=[scale_to], invert=invert, **more)
    assert len(images) == 30
    assert alike(images, theirs[2]) < 1e-5
    names = ["rlnCoordinateX", "rlnCoordinateY", "rlnOpticsGroup", *CTF]
    np.testing.assert_allclose(particles[names], theirs[0][names])
    assert particles["rlnMicrographName"].tolist() == theirs[0]["rlnMicrographName"].tolist()
    assert optics[[*OPTICS]].to_dict() == theirs[1][[*OPTICS]].to_dict()


def test_dust_is_where_relion_finds_it(project, relion_extracts):
    with mrcfile.open(project / "Mic/a.mrc", "r+") as mrc:
        mrc.data[60:160:9, 40:200:11] = 1400
        mrc.data[65:160:9, 45:200:11] = 700
    options = ["--norm", "--bg_radius", "18", "--extract_size", "48", "--invert_contrast"]
    options += ["--white_dust", "6", "--black_dust", "6"]
    theirs = relion_extracts("--coord_dir", "./", "--coord_suffix", "_pick.star", *options)[2]
    whole, dusted = (ours("places", box=["48"], **how)[2] for how in ({}, {"white_dust": 6, "black_dust": 6}))
    spikes = abs(whole) > 4.5
    gone, gone_there = (replaced(whole, one)[spikes] for one in (dusted, theirs))
    assert 100 < gone.sum() < spikes.sum() - 20
    assert (gone != gone_there).sum() < 0.03 * len(gone)  # noise may be as bright as dust


def test_origins_are_those_of_recentred_particles(project, relion_extracts):
    rng = np.random.default_rng(3)
    places, moves_A = rng.integers(40, 150, (20, 2)), rng.uniform(-9, 9, (20, 2)).round(3)
    rows = "".join(
        f"Mic/a.mrc {n:06d}@old.mrcs 1 {x} {y} {dx} {dy} {n} {2 * n} {3 * n}\n"
        for n, ((x, y), (dx, dy)) in enumerate(zip(places, moves_A, strict=True), 1)
    )
    (project / "refined.star").write_text(REFINED + rows)
    theirs = relion_extracts("--reextract_data_star", "refined.star", "--recenter", "--extract_size", "48")
    ours_too = ours("refined.star", box=["48"])
    names = ["rlnCoordinateX", "rlnCoordinateY", "rlnOriginXAngst", "rlnOriginYAngst"]
    names += ["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"]
    np.testing.assert_allclose(ours_too[0][names], theirs[0][names], atol=2e-3)


def test_relion_extracts_our_particles_again_where_they_are(project, relion_extracts):
    rng = np.random.default_rng(4)
    text = "".join(f"{x:.3f} {y:.3f}\n" for x, y in rng.uniform(40, 150, (10, 2)))
    for name in "ab":
        (project / f"places/{name}.star").write_text(PLACES + text)
    _, _, images = ours("places", box=["48"])
    options = ("--norm", "--bg_radius", "18", "--invert_contrast", "--extract_size", "48")
    theirs = relion_extracts("--reextract_data_star", "Ours/particles.star", *options)
    assert alike(images, theirs[2]) < 1e-5


def test_relion_classifies_our_particles(project, relion):
    ours("places", box=["48"], scale_to=[32])
    command = [
        "relion_refine",
        "--i",
        "Ours/particles.star",
        "--o",
        "./run",
        "--K",
        "2",
        "--iter",
        "2",
        "--ctf",
    ]
    command += ["--particle_diameter", "50", "--psi_step", "30", "--offset_range", "2", "--offset_step", "2"]
    command += ["--tau2_fudge", "2", "--zero_mask", "--norm", "--scale", "--oversampling", "0"]
    done = subprocess.run(command, cwd=project, env=relion, text=True, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert len(starfile.read(project / "run_it002_data.star")["particles"]) == 30
    assert np.isfinite(mrcfile.read(project / "run_it002_classes.mrcs")).all()
