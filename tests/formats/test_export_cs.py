from dataclasses import replace

import numpy as np
import pytest
import yaml

from cryopick_ray.errors import PicksError
from cryopick_ray.formats.coordinates import picked
from cryopick_ray.formats.cs import write_cs
from cryopick_ray.micrographs.cs_list import CsExposure
from cryopick_ray.micrographs.cs_table import read_table


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


def test_other_picks_on_the_same_micrograph_are_other_particles(tmp_path, make_picks):
    for n in (5, 6):
        write_cs(picked([make_picks("x.mrc", n, picked=n)]), tmp_path / str(n))
    one, other = (read(tmp_path / f"{n}/particles.cs")["uid"] for n in (5, 6))
    assert not set(one) & set(other)


def test_fields_and_types_are_those_of_cryosparcs_own_particles(tmp_path, real_data, mixed):
    write_cs(picked(mixed), tmp_path)
    ours = read(tmp_path / "particles.cs").dtype
    real = read(real_data / "formats/cs/4k_dataset.cs").dtype
    kinds = {name: real[name] for name in real.names if name.startswith(("uid", "location/", "pick_stats/"))}
    assert list(ours.names) == list(kinds)
    assert ours["location/micrograph_path"].kind == "S"
    assert all(ours[name] == kind for name, kind in kinds.items() if name != "location/micrograph_path")


def test_the_group_names_each_result_its_file_and_its_length(tmp_path, mixed):
    write_cs(picked(mixed), tmp_path)
    group = yaml.safe_load((tmp_path / "particles.csg").read_text())
    count = len(read(tmp_path / "particles.cs"))
    assert group["group"]["type"] == "particle"
    assert group["results"] == {
        name: {"metafile": ">particles.cs", "num_items": count, "type": f"particle.{name}"}
        for name in ("location", "pick_stats")
    }
    assert len(read_table(tmp_path / "particles.csg")) == count


def test_an_exposures_uid_group_and_path_are_written(tmp_path, make_picks):
    exposure, said = CsExposure(2**64 - 1, 9, ">J2/m/x_patch_aligned.mrc"), []
    one = make_picks("x.mrc", 4, picked=3)
    known = replace(one, micrograph=replace(one.micrograph, listed=exposure.to_text()))
    write_cs(picked([known]), tmp_path, say=said.append)
    table = read(tmp_path / "particles.cs")
    assert set(table["location/micrograph_uid"].tolist()) == {2**64 - 1}
    assert set(table["location/exp_group_id"].tolist()) == {9}
    assert set(table["location/micrograph_path"].tolist()) == {b"J2/m/x_patch_aligned.mrc"}
    assert (table["location/min_dist_A"] == 60).all()
    assert said == []


def test_a_made_up_uid_is_told(tmp_path, mixed):
    said = []
    write_cs(picked(mixed), tmp_path, say=said.append)
    [text] = said
    assert "3 of 3 micrographs have no uid" in text
    assert "`like`" in text


def test_no_picks_give_an_empty_table(tmp_path, make_picks):
    write_cs(picked([make_picks(status="failed"), make_picks("y.mrc", 0)]), tmp_path)
    assert len(read(tmp_path / "particles.cs")) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["particles.cs", "particles.csg"]


def test_a_micrograph_without_a_pixel_size_is_refused(tmp_path, make_picks):
    with pytest.raises(PicksError, match="`pixel_size_A`"):
        write_cs(picked([make_picks(pixel_size_A=None)]), tmp_path)
    assert list(tmp_path.iterdir()) == []
