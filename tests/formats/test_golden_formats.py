"""Files that other programs wrote, read with the meaning that those programs give them."""

import shutil

import numpy as np
import pytest

from cryopick_ray.errors import PicksError, UsageError
from cryopick_ray.evaluation.truth import read_truth
from cryopick_ray.formats.convert import CoordinateFrame, convert
from cryopick_ray.formats.export_paths import bare_name
from cryopick_ray.formats.reading import UnclearFormatError, read_coordinates
from cryopick_ray.units import binned_to_source

FRAME = "Falcon_2012_06_12-14_33_35_0"


@pytest.fixture
def real(real_data):
    return real_data / "formats"


def places(found):
    return {
        bare_name(one.micrograph.micrograph_id): np.column_stack([one.x_px, one.y_px])
        for one in found.coordinates
    }


def test_what_topaz_converted_is_the_same_particles_in_every_format(real):
    # `topaz convert` wrote box, JSON and STAR of one table
    star = read_coordinates(real / "topaz-convert" / "a.star")
    box = read_coordinates(real / "topaz-convert" / "box")
    json = read_coordinates(real / "topaz-convert" / "json")
    assert (star.format, box.format, json.format) == ("star", "box", "eman2")
    assert sorted(places(star)) == sorted(places(box)) == sorted(places(json))
    for name, expected in places(star).items():
        np.testing.assert_array_equal(places(box)[name], expected)
        np.testing.assert_array_equal(places(json)[name], expected)
    first = star.coordinates[0]
    assert (first.x_px[0], first.y_px[0], first.score[0]) == (555, 628, 0.963945)
    assert not box.coordinates[0].is_scored


@pytest.mark.parametrize("program", ["crYOLO", "topaz", "deepPicker"])
def test_published_boxes_on_full_frames_lie_on_the_labels_of_binned_ones(real, real_data, program):
    labels = read_truth(real_data / "betagal-10017").particles
    for one in read_coordinates(real / "repic-box" / program).coordinates:
        assert one.is_scored
        assert (one.box_px == 180).all()
        binned = CoordinateFrame(binning=0.5).moved(one)
        found = np.column_stack([binned.x_px, binned.y_px])
        np.testing.assert_allclose(binned_to_source(found, 2), np.column_stack([one.x_px, one.y_px]))
        truth = labels[one.micrograph.micrograph_id]
        distance = np.linalg.norm(found[:, None] - truth[None], axis=2)
        shift = (found - truth[distance.argmin(axis=1)])[distance.min(axis=1) < 15]
        assert np.abs(shift.mean(axis=0)).max() < 3


def test_cryoppp_counts_rows_from_the_last(real, real_data, tmp_path):
    (one,) = read_coordinates(real / "csv").coordinates
    assert one.is_upside_down
    assert (one.box_px == 108).all()
    with pytest.raises(UsageError, match="`image_height`"):
        convert(real / "csv", "coords", tmp_path)
    convert(real / "csv", "coords", tmp_path, frame=CoordinateFrame(image_height=4096, binning=0.5))
    (found,) = places(read_coordinates(tmp_path)).values()
    truth = read_truth(real_data / "betagal-10017").particles[FRAME]
    distance = np.linalg.norm(found[:, None] - truth[None], axis=2).min(axis=1)
    assert np.percentile(distance, 95) < 0.6  # whole pixels of the full frame


def test_boxes_of_size_zero_hold_centres(real, tmp_path):
    for name in ("2d_left", "2d_center", "2d_empty", "2d_center_float"):
        shutil.copy(real / "box" / f"{name}.box", tmp_path)
    found = read_coordinates(tmp_path)
    assert places(found)["2d_left"].tolist() == [[24, 40], [36, 62], [78, 51]]
    assert places(found)["2d_center"].tolist() == [[24, 40], [36, 62], [78, 51]]
    assert places(found)["2d_center_float"][0].tolist() == [24.3, 40.7]
    boxes = {one.micrograph.micrograph_id: one.box_px for one in found.coordinates}
    assert boxes["2d_left"].tolist() == [[20, 10]] * 3
    assert boxes["2d_center"] is None


def test_cbox_holds_corners_with_and_without_a_head(real):
    (new,) = read_coordinates(real / "cbox" / "TcdA1-0018_frames_sum.cbox").coordinates
    assert (new.x_px[0], new.y_px[0]) == pytest.approx((3700.3671875 + 110, 3874.455551147461 + 110))
    assert new.score[0] == pytest.approx(0.6578449)
    (old,) = read_coordinates(real / "cbox" / "TcdA1-0010_frames_sum.cbox").coordinates
    assert (len(old.x_px), old.x_px[0], old.y_px[0]) == (133, 3483.5, 3985.5)
    assert old.score[0] == pytest.approx(0.86305755)
    (unscored,) = read_coordinates(real / "cbox" / "2d_particles.cbox").coordinates
    assert not unscored.is_scored
    (nothing,) = read_coordinates(real / "cbox" / "empty.cbox").coordinates
    assert len(nothing.x_px) == 0


def test_a_cbox_file_of_a_tomogram_is_refused(real):
    with pytest.raises(PicksError, match=r"3d_particle\.cbox.*several slices"):
        read_coordinates(real / "cbox" / "3d_particle.cbox")


STAR = "data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnAutopickFigureOfMerit\n3 4 -999\n"
POS = "# XMIPP_STAR_1 *\ndata_p\nloop_\n _enabled\n _xcoor\n _ycoor\n _cost\n 1 3 4 0.5\n -1 9 9 0\n"
VIA = "filename,region_shape_attributes\nx.png,"
CIRCLE = '"{""name"":""circle"",""cx"":3,""cy"":4,""r"":5}"\n'
RECT = '"{""name"":""rect"",""x"":1,""y"":2,""width"":4,""height"":4}"\n'


@pytest.mark.parametrize(
    ("name", "text", "expected", "score"),
    [
        ("x.box", "10 20 8 4 0.7\n", (14, 22), 0.7),
        ("x.box", "10 20 8 4 -3\n", (14, 22), None),  # EMAN's mark of a box that a person drew
        ("x_info.json", '{"ctf": 1, "boxes": [[3, 4, "auto_convnet", 0.5]]}', (3, 4), 0.5),
        ("p.txt", "image_name\tx_coord\ty_coord\tscore\nx\t3\t4\t-1.5\n", (3, 4), -1.5),
        ("p.txt", "image_name\tx_coord\ty_coord\nx\t3\t4\n", (3, 4), None),
        ("x.star", STAR, (3, 4), None),
        ("x.pos", POS, (3, 4), 0.5),
        ("x.coords", "x y score\n3 4 0.25\n", (3, 4), 0.25),
        ("x.coords", "3 4\n", (3, 4), None),
        ("x.txt", "3.5, 4\n", (3.5, 4), None),
        ("x.pt", "3.5 4.5 0\n", (3, 4), None),  # the first pixel's centre is 0.5 in IMOD
        ("x.pt", "1 1 3.5 4.5 0\n", (3, 4), None),
        ("v.csv", VIA + CIRCLE, (3, 4), None),
        ("v.csv", VIA + RECT, (3, 4), None),
        ("picks.csv", "micrograph_id,x_px,y_px,score,diameter_A\nx.mrc,3,4,0.5,120\n", (3, 4), 0.5),
    ],
)  # fmt: skip
def test_one_particle_as_each_format_has_it(tmp_path, name, text, expected, score):
    (tmp_path / name).write_text(text)
    (one,) = read_coordinates(tmp_path / name).coordinates
    assert bare_name(one.micrograph.micrograph_id) == "x"
    assert [(one.x_px[0], one.y_px[0])] == [expected]
    assert len(one.x_px) == 1
    assert (one.score[0] == score) if score is not None else np.isnan(one.score[0])


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("x.box", "1 2 9 9 -1\n5 5 9 9 -1\n", "-1 and -2 in turns"),
        ("x.box", "1 2 9 9\n1 2 9\n", "line 2"),
        ("x_info.json", '{"boxes": [[1, 2, "a"], [1]]}', "box 2"),
        ("x_info.json", '{"boxes": 3}', "list of boxes"),
        ("p.txt", "image_name\tx_coord\ty_coord\nx\t3\n", "line 2"),
        ("x.pt", "1 2 3\n1 2 4\n", "several sections"),
        ("x.coords", "1 2\n3 four\n", "line 2"),
        ("v.csv", 'filename,region_shape_attributes\nx.png,"{""name"":""polygon""}"\n', "line 2"),
        ("picks.csv", "micrograph_id,x_px,y_px\nx,1,two\n", "line 2"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(tmp_path, name, text, words):
    (tmp_path / name).write_text(text)
    with pytest.raises(PicksError, match=words) as caught:
        read_coordinates(tmp_path / name)
    assert name in str(caught.value)


def test_a_folder_is_of_one_format_unless_told(tmp_path):
    (tmp_path / "a.box").write_text("1 2 8 8\n")
    (tmp_path / "b.coords").write_text("1 2\n")
    with pytest.raises(UnclearFormatError, match=r"EMAN box, .*a\.box and plain text, .*b\.coords"):
        read_coordinates(tmp_path)
    assert list(places(read_coordinates(tmp_path, "box"))) == ["a"]


def test_content_goes_before_the_suffix_and_doubt_is_told(tmp_path):
    (tmp_path / "a.txt").write_text("data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n1 2\n")
    assert read_coordinates(tmp_path / "a.txt").format == "star"
    (tmp_path / "b.dat").write_text("1 2 8 8\n")
    with pytest.raises(UnclearFormatError, match="may be box or imod"):
        read_coordinates(tmp_path / "b.dat")
    with pytest.raises(UsageError, match="`from`"):
        convert(tmp_path / "b.dat", "star", tmp_path / "out")
    assert read_coordinates(tmp_path / "b.dat", "imod").coordinates[0].x_px.tolist() == [2 - 0.5]
