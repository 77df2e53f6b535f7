"""RELION extracts particles from what we write: the crops at our coordinates, their groups, their names."""

import json
import subprocess

import mrcfile
import numpy as np
import pytest
import starfile
import tifffile

from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.formats.format import ExportSettings
from cryopick_ray.formats.formats import write
from cryopick_ray.formats.reading import read_coordinates
from cryopick_ray.formats.star import write_star
from cryopick_ray.micrographs.star_blocks import read_star
from cryopick_ray.micrographs.star_list import read_star_list
from cryopick_ray.picks.schema import PickedMicrograph

SIDE, SHAPE = 32, (200, 256)
GROUPS = ("shot_A", "shot_B", "shot_C")
LIST = """
# version 30001

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
{groups}

# version 30001

data_micrographs

loop_
_rlnMicrographName #1
_rlnOpticsGroup #2
_rlnDefocusU #3
_rlnDefocusV #4
_rlnDefocusAngle #5
{micrographs}
"""


@pytest.fixture(params=["mrc", "tif"])
def project(request, tmp_path, relion):
    """A RELION project: a list of micrographs in groups that differ by name and beam tilt, and our picks."""
    return Project(tmp_path, request.param, relion)


class Project:
    def __init__(self, folder, suffix, environment):
        self.folder, self.suffix, self.environment = folder, suffix, environment
        rng = np.random.default_rng(0)
        (folder / "Mic").mkdir()
        self.pixels, self.picks = {}, {}
        names = [f"Mic/{group}.{suffix}" for group in GROUPS]
        for name in names:
            pixels = rng.normal(size=SHAPE).astype(np.float32)
            if suffix == "mrc":
                with mrcfile.new(folder / name) as mrc:
                    mrc.set_data(pixels)
                    mrc.voxel_size = 1.5
            else:
                tifffile.imwrite(folder / name, pixels[::-1])  # its last row is row 0
            self.pixels[name] = pixels
            self.picks[name] = rng.uniform(SIDE, np.array(SHAPE)[::-1] - SIDE, (5, 2))
        groups = "".join(f"{group} {n} 0.75 1.5 200 1.4 0.07 {n / 10}\n" for n, group in enumerate(GROUPS, 1))
        rows = "".join(f"{name} {n} {10000 + n} 9000 12\n" for n, name in enumerate(names, 1))
        (folder / "mics.star").write_text(LIST.format(groups=groups, micrographs=rows))

    def write(self, **options):
        """Write our picks of the list's micrographs."""
        listed = read_star_list(self.folder / "mics.star", self.folder)
        picks = [
            Coordinates(
                PickedMicrograph(
                    one.name,
                    "mics",
                    one.name,
                    SHAPE,
                    1.5,
                    one.optics,
                    "complete",
                    "",
                    one.optics_group,
                    one.listed,
                ),
                *self.picks[one.name].T,
                np.arange(5.0),
            )
            for one in listed
        ]
        write(picks, "star", self.folder / "run/coordinates", ExportSettings(self.folder, **options))

    def extract(self, *options):
        """Let RELION extract; return its tables."""
        command = ["relion_preprocess", "--i", "mics.star", "--extract", "--extract_size", str(SIDE)]
        command += ["--part_star", "Extract/particles.star", "--part_dir", "Extract/", *options]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, text=True, capture_output=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return starfile.read(self.folder / "Extract/particles.star")

    def check(self, blocks):
        """Hold what RELION extracted against our coordinates."""
        particles = blocks["particles"]
        assert len(particles) == sum(map(len, self.picks.values()))
        names = blocks["optics"].set_index("rlnOpticsGroup")["rlnOpticsGroupName"]
        for name, rows in particles.groupby("rlnMicrographName"):
            assert {f"Mic/{names[group]}.{self.suffix}" for group in rows["rlnOpticsGroup"]} == {name}
            stack = mrcfile.read(self.folder / rows["rlnImageName"].iloc[0].split("@")[1])
            centres = np.floor(self.picks[name] + 0.5).astype(int)
            for image, (x, y) in zip(stack, centres, strict=True):
                crop = self.pixels[name][y - SIDE // 2 : y + SIDE // 2, x - SIDE // 2 : x + SIDE // 2]
                np.testing.assert_array_equal(image, crop)


def test_extracted_particles_are_the_crops_at_our_coordinates(project):
    project.write(whole_px=True)
    where = ("--coord_dir", "run/coordinates/star/", "--coord_suffix", f".{project.suffix}.star")
    project.check(project.extract(*where))


def test_particles_are_extracted_again_in_their_groups(project):
    project.write(whole_px=True)
    ours = starfile.read(project.folder / "run/coordinates/particles.star")
    assert ours["particles"]["rlnDefocusU"].unique().tolist() == [10001, 10002, 10003]
    assert ours["optics"]["rlnOpticsGroupName"].tolist() == list(GROUPS)
    project.check(project.extract("--reextract_data_star", "run/coordinates/particles.star"))


def test_particles_extracted_by_relion_are_read_where_we_put_them(project):
    project.write()
    project.extract("--reextract_data_star", "run/coordinates/particles.star", "--scale", "16")
    for one in read_coordinates(project.folder / "Extract/particles.star").coordinates:
        np.testing.assert_allclose(
            np.column_stack([one.x_px, one.y_px]), project.picks[one.micrograph.relion_name], atol=1e-3
        )


NAMES = (
    *("a.mrc", "a b.mrc", "a#1.mrc", "a _1 #2.mrc", "data_1.mrc", "loop_.mrc", " x.mrc", "[1].mrc"),
    *("é ü.mrc", "a\u00a0b\u3000.mrc", "<x>.mrc", "a;b.mrc", "nan.mrc", "stop_", "data_particles"),
)


@pytest.fixture
def written_again(tmp_path, relion):
    """Let RELION read our particles, write them, and read what it wrote."""

    def written_again(name, group=""):
        one = PickedMicrograph("x.mrc", "d", name, SHAPE, 1.5, None, "complete", "", group)
        write_star([Coordinates(one, *np.full((2, 1), 50.0), np.ones(1))], tmp_path, ExportSettings(tmp_path))
        for source, target in (("particles.star", "one.star"), ("one.star", "two.star")):
            command = ["relion_star_handler", "--i", source, "--o", target]
            command += ["--select", "rlnCoordinateX", "--minval", "0"]
            subprocess.run(command, cwd=tmp_path, env=relion, check=True, capture_output=True, timeout=60)
        return read_star(tmp_path / "two.star")

    return written_again


@pytest.mark.parametrize("name", NAMES)
def test_names_come_back_from_relion(written_again, name):
    assert written_again(name)["particles"]["rlnMicrographName"] == [name]


def test_groups_with_what_relion_knows_and_does_not_know_come_back(written_again):
    group = {
        "rlnOpticsGroup": "3",
        "rlnOpticsGroupName": "it's mine",
        "rlnOddZernike": "[0.1,-2e-3,0]",
        "rlnOfTomorrow": "y z",
    }
    optics = written_again("a.mrc", json.dumps(group))["optics"]
    assert {name: optics[name] for name in ("rlnOpticsGroupName", "rlnOfTomorrow")} == {
        "rlnOpticsGroupName": ["it's mine"],
        "rlnOfTomorrow": ["y z"],
    }
    assert [float(one) for one in optics["rlnOddZernike"][0].strip("[]").split(",")] == [0.1, -2e-3, 0]
