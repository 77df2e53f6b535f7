import numpy as np
import pytest
import starfile
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.errors import PicksError
from cryopick_ray.formats.coordinates import picked
from cryopick_ray.formats.format import ExportSettings
from cryopick_ray.formats.formats import write
from cryopick_ray.formats.star import write_star
from cryopick_ray.formats.star_text import loop, quoted
from cryopick_ray.micrographs.star_blocks import read_star
from cryopick_ray.units import Optics


def xy(table):
    return table[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy(float)


def expected(one):
    return np.column_stack([one.x_px[one.picked], one.y_px[one.picked]])


def test_coordinates_come_back_per_micrograph_and_in_one_file(tmp_path, mixed):
    write_star(picked(mixed), tmp_path, ExportSettings())
    blocks = starfile.read(tmp_path / "particles.star")
    for one in mixed[:2]:
        alone = starfile.read(tmp_path / "star" / f"{one.micrograph.micrograph_id}.star")
        together = blocks["particles"].query("rlnMicrographName == @one.micrograph.relion_name")
        for table in (alone, together):
            np.testing.assert_allclose(xy(table), expected(one), atol=1e-3)
            np.testing.assert_allclose(table["rlnAutopickFigureOfMerit"], one.score[one.picked], rtol=1e-6)
    assert len(blocks["particles"]) == sum(one.picked.sum() for one in mixed)


def test_a_micrograph_without_picks_has_a_valid_empty_file(tmp_path, mixed):
    write_star(picked(mixed), tmp_path, ExportSettings())
    table = starfile.read(tmp_path / "star/b/empty.mrc.star")
    assert table.shape == (0, 3)
    assert list(table.columns) == ["rlnCoordinateX", "rlnCoordinateY", "rlnAutopickFigureOfMerit"]


def test_a_failed_micrograph_has_no_file_and_nothing_is_left_aside(tmp_path, mixed):
    write_star(picked(mixed), tmp_path, ExportSettings())
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {
        "autopick.star",
        "particles.star",
        "star/a/x.mrc.star",
        "star/b/x.mrc.star",
        "star/b/empty.mrc.star",
    }


def test_autopick_names_files_as_relion_sees_them_from_its_project(tmp_path, mixed):
    out = tmp_path / "project" / "picks" / "coordinates"
    write_star(picked(mixed), out, ExportSettings(relion_project=tmp_path / "project"))
    table = starfile.read(out / "autopick.star", always_dict=True)["coordinate_files"]
    assert table["rlnMicrographName"].tolist() == [one.micrograph.relion_name for one in mixed[:3]]
    assert table["rlnMicrographCoordinates"].tolist()[0] == "picks/coordinates/star/a/x.mrc.star"
    for path in table["rlnMicrographCoordinates"]:
        assert (tmp_path / "project" / path).is_file()


def test_files_outside_the_relion_project_are_named_in_full(tmp_path, mixed):
    write_star(picked(mixed), tmp_path / "elsewhere", ExportSettings(relion_project=tmp_path / "project"))
    table = starfile.read(tmp_path / "elsewhere/autopick.star")
    assert table["rlnMicrographCoordinates"][0] == str(tmp_path.resolve() / "elsewhere/star/a/x.mrc.star")


def test_one_optics_group_for_each_data_set_and_pixel_size(tmp_path, make_picks):
    picks = [
        make_picks("1.mrc", dataset="10017", pixel_size_A=1.77),
        make_picks("2.mrc", dataset="10146", pixel_size_A=1.5),
        make_picks("3.mrc", dataset="10146", pixel_size_A=1.5 + 1e-7),
        make_picks("4.mrc", dataset="10146", pixel_size_A=0.75),
    ]
    write_star(picked(picks), tmp_path, ExportSettings(optics=Optics(voltage_kV=200.0)))
    blocks = starfile.read(tmp_path / "particles.star", parse_as_string=["rlnOpticsGroupName"])
    optics, particles = blocks["optics"], blocks["particles"]
    assert optics["rlnOpticsGroup"].tolist() == [1, 2, 3]
    assert optics["rlnOpticsGroupName"].tolist() == ["10017", "10146", "10146_0.7500A"]
    assert optics["rlnMicrographPixelSize"].tolist() == [1.77, 1.5, 0.75]
    assert optics["rlnMicrographOriginalPixelSize"].tolist() == [1.77, 1.5, 0.75]
    assert optics["rlnVoltage"].tolist() == [200.0] * 3
    assert optics["rlnSphericalAberration"].tolist() == [2.7] * 3
    assert optics["rlnAmplitudeContrast"].tolist() == [0.1] * 3
    assert particles.groupby("rlnMicrographName")["rlnOpticsGroup"].first().tolist() == [1, 2, 2, 3]


def test_a_table_without_complete_micrographs_is_still_a_star_file(tmp_path, make_picks):
    write_star(picked([make_picks(status="failed")]), tmp_path, ExportSettings())
    blocks = starfile.read(tmp_path / "particles.star")
    assert blocks["optics"].shape == (0, 7)
    assert blocks["particles"].shape == (0, 5)
    assert list(blocks) == ["particles", "optics"]  # Topaz reads the first alone


def test_names_with_blanks_come_back(tmp_path, make_picks):
    names = ["my data/x 1.mrc", "x#1.mrc", "data_1.mrc", "x.mrc"]
    write_star(picked([make_picks(name, 4, relion_name=name) for name in names]), tmp_path, ExportSettings())
    particles = starfile.read(tmp_path / "particles.star")["particles"]
    files = starfile.read(tmp_path / "autopick.star")
    assert particles["rlnMicrographName"].unique().tolist() == names
    assert files["rlnMicrographName"].tolist() == names


legal = st.text(st.characters(exclude_categories=["C"], exclude_characters="\u2028\u2029"), min_size=1)


@given(
    legal | st.sampled_from(["nan", "NaN", "<NA>", "NA", "_x", "data_x", "loop_", "#x", "x#", " x", "it's"])
)
def test_every_name_comes_back_or_is_refused(tmp_path_factory, name):
    path = tmp_path_factory.mktemp("names") / "x.star"
    if {"'", '"'} & set(name) or name[0] in "_#;" or "  " in name or name in ("nan", "NaN", "<NA>"):
        with pytest.raises(PicksError, match="rename"):
            quoted(name)
        return
    path.write_text(
        loop("x", ("rlnMicrographName", "rlnVoltage")) + f"{quoted(name)} 300\na.mrc 300\n", "utf-8"
    )
    assert read_star(path)["x"]["rlnMicrographName"] == [name, "a.mrc"]
    assert starfile.read(path)["rlnMicrographName"].tolist() == [name, "a.mrc"]


@pytest.mark.parametrize("name", ["a\nb.mrc", "a\0b.mrc", "a\tb.mrc"])
def test_names_that_break_lines_are_refused(name):
    with pytest.raises(PicksError, match="control character"):
        quoted(name)


def test_a_micrograph_whose_name_is_refused_keeps_its_file_and_the_others_are_listed(tmp_path, make_picks):
    told = []
    picks = [make_picks("it's.mrc", 4), make_picks("b.mrc", 4)]
    write_star(picked(picks), tmp_path, ExportSettings(say=told.append))
    assert starfile.read(tmp_path / "particles.star")["particles"]["rlnMicrographName"].unique() == [
        "Micrographs/b.mrc"
    ]
    assert (tmp_path / "star/it's.mrc.star").is_file()
    assert "it's.mrc" in told[0]
    assert "rename" in told[0]


def test_whole_pixels_are_the_nearest_ones(tmp_path, make_picks):
    one = make_picks("x.mrc", 40, picked=40)
    write(picked([one]), "star", tmp_path, ExportSettings(whole_px=True))
    written = xy(starfile.read(tmp_path / "star/x.mrc.star"))
    assert (written % 1 == 0).all()
    assert np.abs(written - expected(one)).max() <= 0.5
    assert abs((written - expected(one)).mean()) < 0.15


def test_paths_out_of_the_project_are_told(tmp_path, make_picks):
    told = []
    write_star(
        picked([make_picks("x.mrc")]), tmp_path / "out", ExportSettings(tmp_path / "project", say=told.append)
    )
    assert "RELION 5 skips" in told[0]
    assert "`relion_project`" in told[0]
    told.clear()
    write_star(
        picked([make_picks("x.mrc")]),
        tmp_path / "project/out",
        ExportSettings(tmp_path / "project", say=told.append),
    )
    assert not told


def test_equal_picks_give_equal_files(tmp_path, mixed):
    for run in "12":
        write_star(picked(mixed), tmp_path / run, ExportSettings(relion_project=tmp_path / run))
    for name in ("particles.star", "autopick.star", "star/a/x.mrc.star"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_picks_are_read_one_micrograph_at_a_time(tmp_path, make_picks):
    def stream():
        for number in range(5):
            yield make_picks(f"{number}.mrc")
            # Asked for the next one: this one is on the disk already.
            assert (tmp_path / "star" / f"{number}.mrc.star").is_file()

    write_star(picked(stream()), tmp_path, ExportSettings())


def test_an_error_half_way_publishes_no_list(tmp_path, make_picks):
    with pytest.raises(PicksError, match="distinct"):
        write_star(picked([make_picks("1.mrc"), make_picks("1.mrc")]), tmp_path, ExportSettings())
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"1.mrc.star"}


def test_coordinates_read_from_real_labels_are_written_unchanged(tmp_path, real_data, make_picks):
    truth = starfile.read(real_data / "apoferritin-10146/May08_03_05_02.star")
    one = make_picks("x.mrc", len(truth), picked=len(truth))
    one.x_px[:], one.y_px[:] = xy(truth).T
    write_star(picked([one]), tmp_path, ExportSettings())
    np.testing.assert_allclose(xy(starfile.read(tmp_path / "star/x.mrc.star")), xy(truth), atol=1e-3)


def test_loop_heads_number_their_columns():
    assert loop("optics", ("rlnA", "rlnB")) == "\ndata_optics\n\nloop_\n_rlnA #1\n_rlnB #2\n"


def test_without_pixel_sizes_there_are_coordinates_and_no_optics(tmp_path, make_picks):
    write_star(picked([make_picks("1.mrc")]), tmp_path, ExportSettings())
    assert (tmp_path / "particles.star").is_file()
    notes = []
    picks = [make_picks("1.mrc"), make_picks("2.mrc", pixel_size_A=None)]
    write_star(picked(picks), tmp_path, ExportSettings(say=notes.append))
    assert [path.name for path in sorted(tmp_path.rglob("*.star"))] == [
        "autopick.star",
        "1.mrc.star",
        "2.mrc.star",
    ]
    assert any("'2.mrc'" in note and "`pixel_size_A`" in note for note in notes)
