"""Picks find the true views of simulated particles, one to one."""

import mrcfile
import numpy as np
import pandas as pd
import pytest
import starfile

from cryopick_ray.errors import PicksError, UsageError
from cryopick_ray.particles.known_poses import known_defocus, known_poses, read_poses
from cryopick_ray.particles.particle_star import read_particles

RADIUS_PX, PIXEL_A = 10.0, 2.0
DEFOCUS = {"rlnDefocusU": [9000.0] * 3, "rlnDefocusV": [8500.0] * 3, "rlnDefocusAngle": [12.0] * 3}


def truth(folder, **more):
    folder.mkdir(exist_ok=True)
    rows = {
        "rlnMicrographName": ["micrographs/a.mrc"] * 3,
        "rlnCoordinateX": [20.0, 60.0, 100.0],
        "rlnCoordinateY": [30.0, 70.0, 110.0],
        **more,
    }
    starfile.write({"particles": pd.DataFrame(rows)}, folder / "a.star", overwrite=True)
    return folder


ANGLES = {"rlnAngleRot": [1.0, 2, 3], "rlnAngleTilt": [11.0, 12, 13], "rlnAnglePsi": [21.0, 22, 23]}


@pytest.fixture
def particles(tmp_path):
    """Two picks of the first true particle, the second best first; one of the third; one of none."""
    with mrcfile.new(tmp_path / "s.mrcs") as mrc:
        mrc.set_data(np.zeros((4, 8, 8), np.float32))
    rows = {
        "rlnImageName": [f"{n}@s.mrcs" for n in range(1, 5)],
        "rlnMicrographName": ["elsewhere/a.mrc"] * 4,
        "rlnCoordinateX": [24.0, 21.0, 100.0, 60.0],
        "rlnCoordinateY": [30.0, 30.0, 106.0, 20.0],
        "rlnAutopickFigureOfMerit": [0.5, 0.9, 0.3, 1.0],
        "rlnOpticsGroup": [1] * 4,
    }
    optics = {
        "rlnOpticsGroup": [1], "rlnOpticsGroupName": ["x"], "rlnVoltage": [300.0],
        "rlnSphericalAberration": [2.7], "rlnAmplitudeContrast": [0.1],
        "rlnImagePixelSize": [PIXEL_A], "rlnImageSize": [8], "rlnImageDimensionality": [2],
    }  # fmt: skip
    path = tmp_path / "particles.star"
    starfile.write({"optics": pd.DataFrame(optics), "particles": pd.DataFrame(rows)}, path)
    return read_particles(path)


def test_the_better_of_two_picks_has_the_pose_and_false_ones_have_none(tmp_path, particles):
    found = known_poses(particles, read_poses(truth(tmp_path / "t", **ANGLES)), RADIUS_PX)
    assert np.isfinite(found).all(axis=1).tolist() == [False, True, True, False]
    assert found[1].tolist() == [1, 11, 21]
    assert found[2].tolist() == [3, 13, 23]


def test_the_truth_lends_its_defocus(tmp_path, particles):
    assert known_defocus(particles, read_poses(truth(tmp_path / "t", **ANGLES))) == {}
    found = known_defocus(particles, read_poses(truth(tmp_path / "t", **ANGLES, **DEFOCUS)))
    assert {name: values.tolist() for name, values in found.items()} == {
        name: [values[0]] * 4 for name, values in DEFOCUS.items()
    }


def test_truth_without_views_is_refused(tmp_path):
    with pytest.raises(UsageError, match="rlnAngleRot"):
        read_poses(truth(tmp_path / "t"))


def test_a_micrograph_without_true_particles_lends_no_defocus(tmp_path, particles):
    particles.rows["rlnMicrographName"][3] = "elsewhere/empty.mrc"
    found = known_defocus(particles, read_poses(truth(tmp_path / "t", **ANGLES, **DEFOCUS)))
    assert np.isnan(found["rlnDefocusU"]).tolist() == [False, False, False, True]


def in_two_folders(folder):
    """The truth of two micrographs of equal names: equal places, views that differ by 100 degrees."""
    for name, off in (("one", 0.0), ("two", 100.0)):
        angles = {key: [value + off for value in values] for key, values in ANGLES.items()}
        (folder / name).mkdir(parents=True)
        truth(folder / name, **angles, rlnMicrographName=[f"{name}/a.mrc"] * 3)
    return read_poses(folder)


def test_micrographs_of_equal_names_in_two_folders_keep_their_own_views(tmp_path, particles):
    both = in_two_folders(tmp_path / "t")
    particles.rows["rlnMicrographName"][1:3] = ["set/one/a.mrc", "set/two/a.mrc"]
    found = known_poses(particles.of(np.array([1, 2])), both, RADIUS_PX)
    assert found.tolist() == [[1, 11, 21], [103, 113, 123]]


def test_a_micrograph_that_may_be_either_of_two_is_refused(tmp_path, particles):
    with pytest.raises(PicksError, match=r"'elsewhere/a\.mrc' may be those of 'one/a' or of 'two/a'"):
        known_poses(particles, in_two_folders(tmp_path / "t"), RADIUS_PX)


def test_the_truth_of_a_micrograph_under_two_names_is_refused(tmp_path):
    folder = truth(tmp_path / "t", **ANGLES)
    truth(folder / "more", **ANGLES, rlnMicrographName=["micrographs/a.tif"] * 3)
    with pytest.raises(PicksError, match=r"as 'micrographs/a\.mrc' and as 'micrographs/a\.tif'"):
        read_poses(folder)
