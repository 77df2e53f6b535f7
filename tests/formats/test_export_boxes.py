import numpy as np
import pytest
import starfile

from cryopick_ray.errors import UsageError
from cryopick_ray.formats.box import write_box
from cryopick_ray.formats.cbox import write_cbox
from cryopick_ray.formats.coordinates import picked
from cryopick_ray.formats.format import ExportSettings
from cryopick_ray.units import binned_to_source


def centres(micrograph_picks):
    return np.column_stack(
        [micrograph_picks.x_px[micrograph_picks.picked], micrograph_picks.y_px[micrograph_picks.picked]]
    )


@pytest.mark.parametrize("box_px", [None, 128])
def test_box_corners_and_sizes_give_the_centres_back(tmp_path, mixed, box_px):
    write_box(picked(mixed), tmp_path, ExportSettings(box_px=box_px))
    table = np.loadtxt(tmp_path / "b/x.box")
    # 120 A at 1.5 A/px are 80 px; the default box is half as large again.
    assert (table[:, 2:4] == (box_px or 120)).all()
    assert (table[:, :2] == np.rint(table[:, :2])).all()
    np.testing.assert_allclose(table[:, :2] + table[:, 2:4] / 2, centres(mixed[1]), atol=0.5)
    np.testing.assert_allclose(table[:, 4], mixed[1].score[mixed[1].picked], rtol=1e-6)
    assert (tmp_path / "b/empty.box").read_text() == ""
    assert not (tmp_path / "b/broken.box").exists()


def test_corners_are_those_of_topaz_convert(tmp_path, make_picks):
    # Topaz 0.3.20: `topaz convert --to box --boxsize 80` of (30, 270) and (786, 210).
    micrograph_picks = make_picks("x.mrc", 2, picked=2)
    micrograph_picks.x_px[:], micrograph_picks.y_px[:] = (30, 786), (270, 210)
    write_box(picked([micrograph_picks]), tmp_path, ExportSettings(box_px=80))
    assert np.loadtxt(tmp_path / "x.box")[:, :4].tolist() == [[-10, 230, 80, 80], [746, 170, 80, 80]]


def test_published_boxes_are_written_as_they_were_and_lie_on_labelled_particles(
    tmp_path, real_data, make_picks
):
    name = "Falcon_2012_06_12-14_33_35_0"
    golden = np.loadtxt(real_data / f"formats/repic-box/topaz/{name}.box")
    micrograph_picks = make_picks(f"{name}.mrc", len(golden), picked=len(golden))
    micrograph_picks.x_px[:], micrograph_picks.y_px[:] = (golden[:, :2] + 90).T
    write_box(picked([micrograph_picks]), tmp_path, ExportSettings(box_px=180))
    written = np.loadtxt(tmp_path / f"{name}.box")
    np.testing.assert_array_equal(written[:, :4], golden[:, :4])

    truth = starfile.read(real_data / f"betagal-10017/{name}.star")
    labels = binned_to_source(truth[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy(float), 2)
    offsets = (written[:, :2] + 90)[:, None] - labels
    near = offsets[np.hypot(*offsets.T).T < 12]
    assert len(near) > 200
    assert np.abs(near.mean(axis=0)).max() < 2


def test_cbox_reads_like_a_real_one(tmp_path, real_data, mixed):
    write_cbox(picked(mixed), tmp_path, ExportSettings())
    golden = starfile.read(real_data / "formats/cbox/2d_particles.cbox", always_dict=True)
    written = starfile.read(tmp_path / "b/x.cbox", always_dict=True)
    assert list(written) == list(golden)
    assert written["global"] == golden["global"]
    assert list(written["cryolo"].columns) == list(golden["cryolo"].columns)
    assert written["cryolo_include"].equals(golden["cryolo_include"])
    for column in ("EstWidth", "EstHeight", "NumBoxes", "Angle"):
        assert golden["cryolo"][column].isna().all()
        assert written["cryolo"][column].isna().all()
    assert (written["cryolo"]["CoordinateZ"] == golden["cryolo"]["CoordinateZ"].iloc[0]).all()


def test_cbox_corners_give_the_centres_back(tmp_path, mixed):
    write_cbox(picked(mixed), tmp_path, ExportSettings(box_px=64))
    table = starfile.read(tmp_path / "a/x.cbox")["cryolo"]
    corner = table[["CoordinateX", "CoordinateY"]].to_numpy(float)
    size = table[["Width", "Height"]].to_numpy(float)
    assert (size == 64).all()
    np.testing.assert_allclose(corner + size / 2, centres(mixed[0]), atol=1e-3)
    np.testing.assert_allclose(table["Confidence"], mixed[0].score[mixed[0].picked], rtol=1e-6)
    assert starfile.read(tmp_path / "b/empty.cbox")["cryolo"].shape == (0, 11)


@pytest.mark.parametrize("write", [write_box, write_cbox])
@pytest.mark.parametrize("box_px", [0, -2, 81])
def test_a_box_that_relion_cannot_halve_is_refused(tmp_path, mixed, write, box_px):
    with pytest.raises(UsageError, match=f"{box_px} px.*`box_px`"):
        write(mixed, tmp_path, ExportSettings(box_px=box_px))
