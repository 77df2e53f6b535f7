"""Picks that a CryoSPARC project has of the same micrographs say what it calls them, and which way y goes."""

from dataclasses import replace

import numpy as np
import pytest

from cryopick_ray.errors import PicksError, UsageError
from cryopick_ray.formats.convert import CoordinateFrame, convert
from cryopick_ray.formats.coordinates import picked
from cryopick_ray.formats.cs import write_cs
from cryopick_ray.formats.cs_like import CsLike
from cryopick_ray.formats.format import ExportSettings
from cryopick_ray.formats.formats import export
from cryopick_ray.micrographs.cs_list import CsExposure
from tests.micrographs.cs_files import GROUPS, IMAGES, MICROSCOPE, UIDS, write_table

HEIGHT, WIDTH = 1200, 1600
NAMES = [f"J2/motioncorrected/{uid:021d}_m{i}_patch_aligned_doseweighted.mrc" for i, uid in enumerate(UIDS)]


@pytest.fixture
def ours(make_picks):
    """Four micrographs of 80 picks, by names of their own."""
    return [
        make_picks(f"raw/m{i}.tif", 80, picked=80, shape=(HEIGHT, WIDTH), pixel_size_A=1.0, diameter_A=60)
        for i in range(4)
    ]


def places(one):
    return one.x_px, one.y_px


def theirs(path, ours, *, mirrored, agree=1.0, names=NAMES):
    """Write the picks of another picker: some of ours, a few pixels off, some elsewhere; binned by two."""
    rng = np.random.default_rng(4)
    n = [len(our.x_px) for our in ours]
    x, y = (np.concatenate(all_) + rng.normal(0, 4, sum(n)) for all_ in zip(*map(places, ours), strict=True))
    elsewhere = rng.random(len(x)) > agree
    x[elsewhere] = rng.uniform(0, WIDTH, elsewhere.sum())
    y[elsewhere] = rng.uniform(0, HEIGHT, elsewhere.sum())
    row = np.repeat(np.arange(len(ours)), n)
    return write_table(
        path,
        {
            "uid": np.arange(len(row), dtype=np.uint64),
            "location/micrograph_uid": UIDS[row],
            "location/exp_group_id": GROUPS[row],
            "location/micrograph_path": np.array([name.encode() for name in names])[row],
            "location/micrograph_shape": np.tile(np.uint32([HEIGHT // 2, WIDTH // 2]), (len(row), 1)),
            "location/center_x_frac": (x / WIDTH).astype(np.float32),
            "location/center_y_frac": ((HEIGHT - 1 - y if mirrored else y) / HEIGHT).astype(np.float32),
            "location/micrograph_psize_A": np.full(len(row), 2, np.float32),
        },
    )


def written(ours, out, like):
    said = []
    export(ours, "cs", out, ExportSettings(like=like, say=said.append))
    return np.load(out / "particles.cs"), said


@pytest.mark.parametrize("mirrored", [False, True])
def test_names_and_the_way_of_y_are_those_of_the_projects_picks(tmp_path, ours, mirrored):
    table, said = written(
        ours, tmp_path, theirs(tmp_path / "P1/picks.cs", ours, mirrored=mirrored, agree=0.6)
    )
    for i, our in enumerate(ours):
        rows = table[table["location/micrograph_uid"] == UIDS[i]]
        y = rows["location/center_y_frac"] * HEIGHT
        np.testing.assert_allclose(HEIGHT - 1 - y if mirrored else y, our.y_px, atol=1e-3)
        np.testing.assert_allclose(rows["location/center_x_frac"] * WIDTH, our.x_px, atol=1e-3)
        assert set(rows["location/exp_group_id"].tolist()) == {GROUPS[i]}
        assert set(rows["location/micrograph_path"].tolist()) == {NAMES[i].encode()}
        assert (rows["location/micrograph_shape"] == [HEIGHT // 2, WIDTH // 2]).all()
        assert (rows["location/micrograph_psize_A"] == 2).all()
    [text] = said
    assert f"y is written from the {'last' if mirrored else 'first'} row" in text
    assert "of 320 picks in picks.cs" in text


@pytest.mark.parametrize("agree", [0.0, 0.02])
def test_picks_that_do_not_agree_decide_nothing(tmp_path, ours, agree):
    table, said = written(ours, tmp_path, theirs(tmp_path / "P1/picks.cs", ours, mirrored=True, agree=agree))
    first = table[table["location/micrograph_uid"] == UIDS[0]]
    np.testing.assert_allclose(first["location/center_y_frac"] * HEIGHT, ours[0].y_px, atol=1e-3)
    [text] = said
    assert "undecided" in text


def test_without_a_diameter_the_way_to_the_next_pick_serves(tmp_path, ours):
    like = CsLike(theirs(tmp_path / "P1/picks.cs", ours, mirrored=True))
    said = []
    write_cs((replace(one, diameter_A=None) for one in picked(ours)), tmp_path, like, said.append)
    assert "from the last row" in said[0]


def test_exposures_give_names_and_leave_y_undecided(tmp_path, ours):
    images = IMAGES | MICROSCOPE | {"micrograph_blob/path": np.array([name.encode() for name in NAMES])}
    table, said = written(ours, tmp_path, write_table(tmp_path / "P1/J3/exposures.cs", images))
    assert set(table["location/micrograph_uid"].tolist()) == set(UIDS.tolist())
    assert set(table["location/exp_group_id"].tolist()) == {5, 9}
    assert ["undecided" in text for text in said] == [True]


def test_exposures_give_the_shapes_that_coordinates_lack(tmp_path, ours):
    images = IMAGES | {"micrograph_blob/path": np.array([name.encode() for name in NAMES])}
    exposures = write_table(tmp_path / "P1/J3/exposures.cs", images)
    (tmp_path / "m2.coords").write_text("100 30\n")
    settings = ExportSettings(like=exposures)
    convert(tmp_path / "m2.coords", "cs", tmp_path / "out", settings=settings)
    [row] = np.load(tmp_path / "out/particles.cs")
    assert row["location/micrograph_uid"] == UIDS[2]
    assert row["location/micrograph_shape"].tolist() == [300, 400]
    assert (row["location/center_x_frac"], row["location/center_y_frac"]) == pytest.approx((0.25, 0.1))
    assert row["location/micrograph_psize_A"] == pytest.approx(1.315)
    with pytest.raises(PicksError, match=r"shape of 'm2' is missing.*`like`"):
        convert(tmp_path / "m2.coords", "cs", tmp_path / "out", frame=CoordinateFrame(pixel_size_A=1.0))


def test_micrographs_that_the_project_does_not_know_are_told(tmp_path, ours, make_picks):
    like = theirs(tmp_path / "P1/picks.cs", ours, mirrored=False)
    stranger = make_picks("other.mrc", 3, picked=3)
    _, said = written([*ours, stranger], tmp_path, like)
    assert "1 of 5 micrographs have no uid" in said[0]
    assert "'other.mrc'" in said[0]
    with pytest.raises(UsageError, match=r"knows none of the micrographs .*m0_patch"):
        written([stranger], tmp_path, like)


def test_two_that_may_be_meant_are_named(tmp_path, ours):
    names = [NAMES[0], NAMES[0].replace("J2", "J7"), *NAMES[2:]]
    like = theirs(tmp_path / "P1/picks.cs", ours, mirrored=False, names=names)
    with pytest.raises(PicksError, match=r"'raw/m0\.tif' may be .*J2.* or .*J7"):
        written(ours, tmp_path, like)


def test_the_uid_of_an_exposure_is_surer_than_a_name(tmp_path, ours):
    like = theirs(tmp_path / "P1/picks.cs", ours, mirrored=False)
    own = CsExposure(int(UIDS[3]), 1, "J9/m0.mrc").to_text()
    one = replace(ours[0], micrograph=replace(ours[0].micrograph, listed=own))
    table, _ = written([one], tmp_path, like)
    assert set(table["location/micrograph_uid"].tolist()) == {int(UIDS[3])}
