"""RELION takes filaments from our files, and the segments that it extracts lie along them."""

import subprocess
from dataclasses import replace
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import starfile

from cryopick_ray.engine.events import Silence
from cryopick_ray.engine.serial import SerialEngine
from cryopick_ray.filaments.segments import cut_segments
from cryopick_ray.filaments.trace import Trace
from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.formats.format import ExportSettings
from cryopick_ray.formats.formats import write
from cryopick_ray.particles.classes.classification_settings import ClassSettings
from cryopick_ray.particles.extract_settings import ExtractSettings
from cryopick_ray.picks.schema import PickedMicrograph
from cryopick_ray.runs.classified import classify2d
from cryopick_ray.runs.extracted import extract_particles

SHAPE, SIZE_A, WIDTH_A, BOX, RISE_A = (420, 512), 2.0, 40.0, 48, 24.0
MICROGRAPHS = """
data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnMicrographOriginalPixelSize #3
_rlnMicrographPixelSize #4
_rlnVoltage #5
_rlnSphericalAberration #6
_rlnAmplitudeContrast #7
one 1 2.0 2.0 200 1.4 0.07

data_micrographs

loop_
_rlnMicrographName #1
_rlnOpticsGroup #2
Mic/a.mrc 1
"""
STRAIGHT = ((60, 60, 440, 150), (70, 360, 300, 200), (460, 380, 460, 200))


def bent():
    angle = np.linspace(0.2, 1.5, 80)
    return Trace(np.column_stack([60 + 320 * np.cos(angle), 60 + 320 * np.sin(angle)]), 0.7)


def lines():
    return [Trace(np.reshape(ends, (2, 2)).astype(float), 0.9) for ends in STRAIGHT]


def draw(traces):
    """Return a micrograph with dark filaments in noise."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    pixels = np.random.default_rng(0).normal(size=SHAPE)
    distance = np.full(SHAPE, np.inf)
    for trace in traces:
        for at in trace.at(np.arange(0, trace.length_px, 4.0)):
            distance = np.minimum(distance, np.hypot(x - at[0], y - at[1]))
    return (pixels - 4 * (distance < WIDTH_A / SIZE_A / 2)).astype(np.float32)


@pytest.fixture(params=["straight", "bent"])
def traces(request):
    return lines() if request.param == "straight" else [bent()]


@pytest.fixture
def project(tmp_path, relion, traces):
    (tmp_path / "Mic").mkdir()
    with mrcfile.new(tmp_path / "Mic/a.mrc") as mrc:
        mrc.set_data(draw(traces))
        mrc.voxel_size = SIZE_A
    (tmp_path / "mics.star").write_text(MICROGRAPHS)
    return Project(tmp_path, relion, traces)


class Project:
    def __init__(self, folder, environment, traces):
        self.folder, self.environment, self.traces = folder, environment, traces
        found = cut_segments(traces, RISE_A / SIZE_A, 2 * RISE_A / SIZE_A)
        micrograph = PickedMicrograph("Mic/a.mrc", "m", "Mic/a.mrc", SHAPE, SIZE_A, None, "complete", "")
        more = {"filament": found.filament, "track_px": found.track_px, "angle_deg": found.psi_deg}
        self.segments = Coordinates(
            micrograph, found.x_px, found.y_px, found.score, diameter_A=WIDTH_A, more=more
        )

    def write(self, format):
        write([self.segments], format, self.folder / "picks", ExportSettings(self.folder, box_px=32))

    def extract(self, *options):
        """Let RELION extract helical segments; return its table and images."""
        command = ["relion_preprocess", "--i", "mics.star", "--extract", "--extract_size", str(BOX)]
        command += ["--part_star", "Extract/particles.star", "--part_dir", "Extract/", "--helix"]
        command += ["--helical_outer_diameter", str(WIDTH_A), *options]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, text=True, capture_output=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        rows = starfile.read(self.folder / "Extract/particles.star", always_dict=True)["particles"]
        return rows, mrcfile.read(self.folder / "Extract/Mic/a.mrcs")

    def check(self, rows, images, tolerance_px=0.05, tolerance_deg=0.5):
        """Hold segments against the filaments drawn: places, directions, what images show."""
        seen, dense = [], [trace.at(np.arange(0, trace.length_px, 0.05)) for trace in self.traces]
        for (_, row), image in zip(rows.iterrows(), images, strict=True):
            at = np.array([row["rlnCoordinateX"], row["rlnCoordinateY"]])
            distances = [np.hypot(*(points - at).T) for points in dense]
            nearest = int(np.argmin([distance.min() for distance in distances]))
            assert distances[nearest].min() < tolerance_px
            trace, track = self.traces[nearest], 0.05 * distances[nearest].argmin()
            direction = trace.direction_rad(np.array([track]), 2 * RISE_A / SIZE_A)[0]
            psi = row["rlnAnglePsiPrior"]
            assert abs((psi + np.degrees(direction) + 90) % 180 - 90) < tolerance_deg
            assert row["rlnAngleTiltPrior"] == 90
            seen.append(along_and_across(image, np.radians(-psi)))
        assert min(seen) > 0
        assert np.median(seen) > 1
        for _, tube in rows.groupby("rlnHelicalTubeID"):
            steps_A = np.hypot(*(np.diff(tube[f"rlnCoordinate{axis}"]) for axis in "XY")) * SIZE_A
            assert np.diff(tube["rlnHelicalTrackLengthAngst"]) == pytest.approx(steps_A, rel=0.01)


def along_and_across(image, direction):
    """Return by how much darker pixels are on a line through the middle than on the one across it.

    A filament as dark as drawn, wide as half of these lines, gives 2.
    """
    line = np.arange(-18, 19)
    on, off = (
        image[
            np.rint(BOX / 2 + line * np.sin(turn)).astype(int),
            np.rint(BOX / 2 + line * np.cos(turn)).astype(int),
        ].mean()
        for turn in (direction, direction + np.pi / 2)
    )
    return off - on


def test_segments_of_our_starfile_lie_along_the_filaments(project):
    project.write("star")
    rows, images = project.extract("--coord_dir", "picks/star/", "--coord_suffix", ".mrc.star")
    assert len(rows) == len(project.segments.x_px)
    assert rows["rlnHelicalTubeID"].nunique() == len(project.traces)
    np.testing.assert_allclose(rows["rlnAutopickFigureOfMerit"], project.segments.score)
    project.check(rows, images)


CUT = (
    "--helical_tubes",
    "--helical_cut_into_segments",
    "--helical_nr_asu",
    "1",
    "--helical_rise",
    str(RISE_A),
)


def test_segments_that_relion_cuts_between_our_ends_lie_along_the_filaments(project):
    project.write("star-ends")
    rows, images = project.extract("--coord_dir", "picks/star/", "--coord_suffix", ".mrc.star", *CUT)
    is_straight = len(project.traces) > 1
    assert len(rows) > 0.8 * len(project.segments.x_px)
    project.check(
        rows, images, 0.05 if is_straight else 0.1 * WIDTH_A / SIZE_A + 0.2, 0.5 if is_straight else 15
    )


def test_segments_in_our_box_file_of_eman_lie_along_the_filaments(project):
    project.write("box-segments")
    rows, images = project.extract("--coord_dir", "picks/", "--coord_suffix", ".box")
    assert len(rows) == len(project.segments.x_px)
    if len(project.traces) > 1:  # RELION gives all segments of a helix the direction of its ends
        project.check(rows, images)


def test_ends_in_our_box_file_of_eman_lie_along_the_filaments(project):
    project.write("box-ends")
    rows, images = project.extract("--coord_dir", "picks/", "--coord_suffix", ".box", *CUT)
    is_straight = len(project.traces) > 1
    assert len(rows) > 0.5 * len(project.segments.x_px)
    project.check(
        rows, images, 0.05 if is_straight else 0.1 * WIDTH_A / SIZE_A + 0.2, 0.5 if is_straight else 15
    )


def test_our_stack_of_segments_has_the_columns_of_relions(project, monkeypatch):
    monkeypatch.chdir(project.folder)
    project.write("star")
    where = ("--coord_dir", "picks/star/", "--coord_suffix", ".mrc.star")
    theirs, _ = project.extract(*where, "--helical_bimodal_angular_priors")
    wanted = ExtractSettings(picks="picks/star/Mic", box=[str(BOX)], micrographs="mics.star", invert=False)
    outcome = extract_particles(wanted, "ours", SerialEngine(), Silence())
    ours = starfile.read(outcome.files[0].star)["particles"]
    helical = [name for name in theirs if "Helical" in name or "Prior" in name or "Flip" in name]
    assert helical == [name for name in ours if "Helical" in name or "Prior" in name or "Flip" in name]
    for name in helical:
        np.testing.assert_allclose(ours[name], theirs[name], atol=0.1, err_msg=name)


def test_segments_of_two_micrographs_are_told_apart_by_micrograph_and_tube(tmp_path, monkeypatch, project):
    monkeypatch.chdir(project.folder)
    other = replace(
        project.segments,
        micrograph=replace(project.segments.micrograph, micrograph_id="Mic/b.mrc", relion_name="Mic/b.mrc"),
    )
    write([project.segments, other], "star", project.folder / "two", ExportSettings(project.folder))
    rows = starfile.read(project.folder / "two/particles.star")["particles"]
    tubes = rows.groupby(["rlnMicrographName", "rlnHelicalTubeID"]).ngroups
    assert tubes == 2 * len(project.traces)


@pytest.mark.parametrize("program", ["own", "relion"])
def test_classes_of_segments_show_the_filament_horizontally(project, monkeypatch, program):
    if len(project.traces) == 1:
        pytest.skip("one kind of filament is enough")
    monkeypatch.chdir(project.folder)
    for name in ("PATH", "LD_LIBRARY_PATH"):
        monkeypatch.setenv(name, project.environment.get(name, ""))
    project.write("star")
    wanted = ExtractSettings(picks="picks/star/Mic", box=[str(BOX)], micrographs="mics.star")
    star = Path(extract_particles(wanted, "ours", SerialEngine(), Silence()).files[0].star)
    settings = ClassSettings(particles=star, classes=1, iterations=4, program=program)
    classes = classify2d(settings, Path("classes"), SerialEngine(), Silence(), device="cpu").classes
    prior = starfile.read(star)["particles"]["rlnAnglePsiPrior"]
    off_deg = np.abs((classes.psi_deg - prior + 90) % 180 - 90)
    assert off_deg.max() < 20
    average = classes.averages[0]
    along, across = average[BOX // 2, 10:-10], average[10:-10, BOX // 2]
    assert along.mean() > 1.3 * across.mean() > 0
