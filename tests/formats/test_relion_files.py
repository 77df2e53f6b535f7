"""RELION's own files of coordinates, read."""

import numpy as np
import pytest
import starfile

from cryopick_ray.errors import CryoPickError, PicksError
from cryopick_ray.formats.coordinates import picked
from cryopick_ray.formats.format import ExportSettings
from cryopick_ray.formats.reading import read_coordinates
from cryopick_ray.formats.star import read_star_file, write_star

PROJECT = "formats/relion5-project"


def xy(micrograph_picks):
    return np.column_stack([micrograph_picks.x_px, micrograph_picks.y_px])


def theirs(table):
    return table[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy(float)


def read(path, say=None):
    """Return the micrographs of one file, as the table of formats reads it."""
    return list(read_star_file(path, path.name.removesuffix(".star"), say or [].append))


def test_automatic_picks_of_a_micrograph(real_data):
    path = real_data / PROJECT / "AutoPick/job008/Movies/20170629_00028_frameImage_autopick.star"
    (coordinates,) = read_coordinates(path).coordinates
    table = starfile.read(path)
    assert coordinates.micrograph.micrograph_id == "20170629_00028_frameImage"
    np.testing.assert_array_equal(xy(coordinates), theirs(table))
    np.testing.assert_array_equal(coordinates.score, table["rlnAutopickFigureOfMerit"])
    assert coordinates.columns["rlnClassNumber"].dtype == np.int64


def test_picks_by_hand_have_no_score(real_data):
    path = real_data / PROJECT / "ManualPick/job006/Movies/20170629_00021_frameImage_manualpick.star"
    (coordinates,) = read_coordinates(path).coordinates
    assert len(coordinates.score) == 13
    assert np.isnan(coordinates.score).all()


@pytest.mark.parametrize("place", ["AutoPick/job008/autopick.star", "AutoPick/job008"])
def test_a_list_and_its_job_are_the_files_that_it_names(real_data, place):
    path = real_data / PROJECT / place
    found = read_coordinates(path).coordinates
    assert len(found) == 10
    for coordinates in found:
        name = coordinates.micrograph.relion_name
        stem = name.removeprefix("MotionCorr/job002/").removesuffix(".mrc")
        table = starfile.read(real_data / PROJECT / f"AutoPick/job008/{stem}_autopick.star")
        np.testing.assert_array_equal(xy(coordinates), theirs(table))


def test_extracted_particles_of_a_job_without_its_table(real_data):
    found = read_coordinates(real_data / PROJECT / "Extract/job009").coordinates
    assert len(found) == 10
    assert found[0].micrograph.micrograph_id == "MotionCorr/job002/Movies/20170629_00021_frameImage.mrc"
    assert found[0].columns["rlnDefocusU"][0] == pytest.approx(37034.929688)


def test_refined_particles_are_where_they_were_moved_to(real_data):
    path = real_data / "formats/relion-optics/relion31.6opticsgroups.star"
    blocks = starfile.read(path)
    table = blocks["particles"].merge(blocks["optics"][["rlnOpticsGroup", "rlnMicrographPixelSize"]])
    moved = (
        theirs(table)
        - table[["rlnOriginXAngst", "rlnOriginYAngst"]].to_numpy()
        / table[["rlnMicrographPixelSize"]].to_numpy()
    )
    found = {micrograph_picks.micrograph.micrograph_id: micrograph_picks for micrograph_picks in read(path)}
    assert sum(len(micrograph_picks.x_px) for micrograph_picks in found.values()) == len(table)
    for name, rows in table.groupby("rlnMicrographName"):
        ours, them = xy(found[name]), moved[table.index.get_indexer(rows.index)]
        np.testing.assert_allclose(np.sort(ours, 0), np.sort(them, 0), atol=1e-6)
    assert found["MotionCorr/job002/Micrographs/0003.mrc"].micrograph.pixel_size_A == 1.035


SCALED = """
data_optics

loop_
_rlnOpticsGroup #1
_rlnMicrographOriginalPixelSize #2
_rlnImagePixelSize #3
{more}
1 0.8 3.2 {size}

data_particles

loop_
_rlnCoordinateX #1
_rlnCoordinateY #2
_rlnMicrographName #3
_rlnOriginXAngst #4
_rlnOriginYAngst #5
_rlnOpticsGroup #6
100 200 a.mrc 8 -4 1
"""
V30 = """
data_

loop_
_rlnCoordinateX #1
_rlnCoordinateY #2
_rlnImageName #3
_rlnOriginX #4
_rlnOriginY #5
100 200 000001@Extract/job003/Movies/a_particles.mrcs 2.5 -1
"""


def test_origins_are_in_pixels_of_the_micrograph_however_images_were_scaled(tmp_path):
    path, told = tmp_path / "run_data.star", []
    path.write_text(SCALED.format(more="_rlnMicrographPixelSize #4", size="1.6"))
    (item,) = read(path, told.append)
    assert xy(item).tolist() == [[95, 202.5]]
    assert not told
    path.write_text(SCALED.format(more="", size=""))
    (item,) = read(path, told.append)
    assert xy(item).tolist() == [[90, 205]]
    assert "pixels of 0.8 A" in told[0]


def test_origins_of_relion_3_0_are_in_pixels(tmp_path):
    path = tmp_path / "Class2D/job004/run_it025_data.star"
    path.parent.mkdir(parents=True)
    path.write_text(V30)
    (coordinates,) = read_coordinates(tmp_path / "Class2D/job004").coordinates
    assert xy(coordinates).tolist() == [[97.5, 201]]
    assert coordinates.micrograph.micrograph_id == "Extract/job003/Movies/a"


def test_what_we_write_we_read_as_list_table_and_files(tmp_path, mixed):
    told = []
    write_star(picked(mixed), tmp_path / "out", ExportSettings(tmp_path, say=told.append))
    (tmp_path / "default_pipeline.star").touch()
    listed = {
        micrograph_picks.micrograph.relion_name: micrograph_picks
        for micrograph_picks in read(tmp_path / "out/autopick.star")
    }
    table = {
        micrograph_picks.micrograph.relion_name: micrograph_picks
        for micrograph_picks in read(tmp_path / "out/particles.star")
    }
    for micrograph_picks in picked(mixed[:3]):
        name = micrograph_picks.micrograph.relion_name
        (alone,) = read(tmp_path / f"out/star/{micrograph_picks.micrograph.micrograph_id}.star")
        for other in (listed[name], alone, *([table[name]] if len(micrograph_picks.x_px) else [])):
            np.testing.assert_allclose(
                xy(other), np.column_stack([micrograph_picks.x_px, micrograph_picks.y_px]), atol=1e-3
            )
            np.testing.assert_allclose(other.score, micrograph_picks.score, rtol=1e-6)
    assert table["Micrographs/a/x.mrc"].micrograph.pixel_size_A == 1.5
    assert listed["Micrographs/a/x.mrc"].micrograph.pixel_size_A is None


def test_files_of_a_list_may_be_of_other_programs_and_must_be_there(tmp_path):
    path = tmp_path / "autopick.star"
    path.write_text(
        "data_x\nloop_\n_rlnMicrographName\n_rlnMicrographCoordinates\na.mrc a.box\nb.mrc b.txt\n"
    )
    with pytest.raises(PicksError, match=r"a\.box"):
        read(path)
    (tmp_path / "a.box").write_text("10 20 4 4\n")
    (tmp_path / "b.txt").write_text("30 40\n50 60\n")
    found = {
        micrograph_picks.micrograph.relion_name: xy(micrograph_picks).tolist()
        for micrograph_picks in read(path)
    }
    assert found == {"a.mrc": [[12, 22]], "b.mrc": [[30, 40], [50, 60]]}


@pytest.mark.parametrize(
    "text",
    ["", "data_\nloop_\n_rlnCoordinateX\n1\n", "data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n1 nan\n"],
)
def test_files_without_coordinates_are_refused_by_name(tmp_path, text):
    (tmp_path / "x.star").write_text(text)
    with pytest.raises(CryoPickError, match=r"x\.star"):
        read_coordinates(tmp_path / "x.star")
