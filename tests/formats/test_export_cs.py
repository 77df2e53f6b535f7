import numpy as np
import pytest

from cryopick_ray.errors import PicksError
from cryopick_ray.formats.coordinates import picked
from cryopick_ray.formats.cs import write_cs


def read(path):
    return np.load(path, allow_pickle=False)


def test_fractions_of_width_and_height_give_the_centres_back(tmp_path, mixed):
    write_cs(picked(mixed), tmp_path)
    table = read(tmp_path / "particles.cs")
    assert len(table) == sum(one.picked.sum() for one in mixed)
    for one in mixed[:2]:
        rows = table[table["location/micrograph_path"] == one.micrograph.relion_name.encode()]
        height, width = rows["location/micrograph_shape"].T
        assert (height == 1240).all()
        assert (width == 1200).all()
        np.testing.assert_allclose(rows["location/center_x_frac"] * width, one.x_px[one.picked], atol=1e-3)
        np.testing.assert_allclose(rows["location/center_y_frac"] * height, one.y_px[one.picked], atol=1e-3)
        np.testing.assert_array_equal(rows["pick_stats/ncc_score"], one.score[one.picked])
        assert (rows["location/micrograph_psize_A"] == 1.5).all()
        assert len(np.unique(rows["location/micrograph_uid"])) == 1


def test_corners_of_the_largest_detector_survive_single_precision(tmp_path, make_picks):
    one = make_picks("x.mrc", 2, picked=2, shape=(8184, 11520))
    one.x_px[:], one.y_px[:] = (0, 11519), (0, 8183)
    write_cs(picked([one]), tmp_path)
    table = read(tmp_path / "particles.cs")
    assert table["location/center_x_frac"][0] == table["location/center_y_frac"][0] == 0
    assert abs(table["location/center_x_frac"][1].astype(float) * 11520 - 11519) < 1e-3
    assert abs(table["location/center_y_frac"][1].astype(float) * 8184 - 8183) < 1e-3


def test_identifiers_are_unique_and_the_same_in_every_run(tmp_path, mixed):
    write_cs(picked(mixed), tmp_path / "1")
    write_cs(picked(mixed), tmp_path / "2")
    table = read(tmp_path / "1/particles.cs")
    assert len(np.unique(table["uid"])) == len(table)
    assert len(np.unique(table["location/micrograph_uid"])) == 2
    assert (tmp_path / "1/particles.cs").read_bytes() == (tmp_path / "2/particles.cs").read_bytes()


def test_types_are_those_of_real_files(tmp_path, real_data, mixed):
    write_cs(picked(mixed), tmp_path)
    written = read(tmp_path / "particles.cs").dtype
    real = read(real_data / "formats/cs/cryosparc_J2_particles_exported.cs").dtype
    assert written["uid"] == real["uid"]
    assert written["location/micrograph_path"].kind == real["blob/path"].kind == "S"
    assert written["location/micrograph_shape"] == real["blob/shape"]
    assert written["location/micrograph_psize_A"] == real["blob/psize_A"]


def test_fields_and_types_are_those_of_cryosparcs_own_particles(tmp_path, mixed):
    # Names and types of the empty particle data set that cryosparc-tools' own tests carry.
    cryosparc = [
        ("uid", "<u8"),
        ("location/micrograph_uid", "<u8"),
        ("location/exp_group_id", "<u4"),
        ("location/micrograph_shape", "<u4", (2,)),
        ("location/center_x_frac", "<f4"),
        ("location/center_y_frac", "<f4"),
        ("location/micrograph_psize_A", "<f4"),
        ("pick_stats/ncc_score", "<f4"),
    ]
    write_cs(picked(mixed), tmp_path)
    fields = read(tmp_path / "particles.cs").dtype.descr
    assert [field for field in fields if field[0] != "location/micrograph_path"] == cryosparc


def test_no_picks_give_an_empty_table(tmp_path, make_picks):
    write_cs(picked([make_picks(status="failed"), make_picks("y.mrc", 0)]), tmp_path)
    assert len(read(tmp_path / "particles.cs")) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["particles.cs"]


def test_a_micrograph_without_a_pixel_size_is_refused(tmp_path, make_picks):
    with pytest.raises(PicksError, match="`pixel_size_A`"):
        write_cs(picked([make_picks(pixel_size_A=None)]), tmp_path)
    assert list(tmp_path.iterdir()) == []
