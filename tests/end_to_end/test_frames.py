"""The same picture in several kinds of file, as RELION shows it: the same coordinates in every format."""

import numpy as np
import pytest
import starfile
import tifffile
from micrograph_files import LOG, PIXEL_SIZE_A, phantom, write_mrc

NAMES = ("a.mrc", "b.tif", "c.tif")


@pytest.fixture
def run(cryopick, tmp_path):
    """A run over one picture as MRC, TIFF and a movie of two equal pages; a TIFF has the last row first."""
    folder = tmp_path / "pictures"
    made = phantom(3)
    write_mrc(folder / "a.mrc", made.pixels)
    tifffile.imwrite(folder / "b.tif", made.pixels[::-1])
    tifffile.imwrite(folder / "c.tif", np.stack([made.pixels[::-1]] * 2), photometric="minisblack")
    given = ["--pixel-size", PIXEL_SIZE_A, "--set", "movies.align=false", "--engine", "serial"]
    status, output, error = cryopick("run", folder, *LOG, *given, "--out", tmp_path / "run")
    assert status == 0, output + error
    return tmp_path / "run", made


def test_mrc_tiff_and_movie_of_one_picture_have_the_same_coordinates(run, cryopick, tmp_path):
    folder, made = run
    for form in ("star", "box", "cbox"):
        assert cryopick("export", folder, "--format", form, "--out", tmp_path / form)[0] == 0
    mrc, tiff, movie = (starfile.read(tmp_path / "star" / "star" / f"{name}.star") for name in NAMES)
    nearest = np.hypot(
        mrc.rlnCoordinateX.to_numpy()[:, None] - made.x_px, mrc.rlnCoordinateY.to_numpy()[:, None] - made.y_px
    ).min(1)
    assert np.median(nearest) < 2
    assert mrc.equals(tiff)
    np.testing.assert_allclose(movie[["rlnCoordinateX", "rlnCoordinateY"]], mrc.iloc[:, :2], atol=0.1)
    for form in ("box", "cbox"):
        mrc, tiff = (next((tmp_path / form).rglob(f"{name}*.{form}")).read_text() for name in "ab")
        assert mrc == tiff


def test_so_have_those_for_cryosparc(run, cryopick, tmp_path):
    folder, _ = run
    assert cryopick("export", folder, "--format", "cs", "--out", tmp_path / "cs")[0] == 0
    rows = np.load(next((tmp_path / "cs").rglob("*.cs")))
    paths = np.char.decode(rows["location/micrograph_path"])
    mrc, tiff = (rows[np.char.endswith(paths, name)] for name in ("a.mrc", "b.tif"))
    assert len(mrc) > 0
    for column in ("location/center_x_frac", "location/center_y_frac"):
        np.testing.assert_array_equal(mrc[column], tiff[column])
