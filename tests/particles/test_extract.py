"""Extractions: what stacks and tables hold, what is left out, and what is refused."""

import mrcfile
import numpy as np
import pytest
import starfile
from made_extraction import EACH, PLACES, SIZE_A, extract, images_of

from cryopick_ray.errors import PicksError, UsageError
from cryopick_ray.particles.particle_star import read_particles


def test_particles_of_a_file_are_where_it_says(folder):
    outcome = extract()
    (made,) = outcome.files
    assert (made.particles, made.micrographs, outcome.failures) == (3 * EACH, 3, ())
    blocks = starfile.read(made.star)
    rows = blocks["particles"]
    for name, own in rows.groupby("rlnMicrographName"):
        said = starfile.read(folder / f"places/{name.split('/')[1][0]}.star")
        for axis in "XY":
            found = own[f"rlnCoordinate{axis}"] - own[f"rlnOrigin{axis}Angst"] / SIZE_A
            np.testing.assert_allclose(found, said[f"rlnCoordinate{axis}"], atol=1e-3)
        np.testing.assert_allclose(own["rlnAutopickFigureOfMerit"], said["rlnAutopickFigureOfMerit"])
        assert name.startswith("mics/")
    assert blocks["optics"]["rlnImagePixelSize"].tolist() == [SIZE_A]


def test_images_are_the_micrographs_negatives(folder):
    extract()
    rows = starfile.read(folder / "out/particles.star")["particles"].iloc[0]
    pixels = mrcfile.read(folder / rows["rlnMicrographName"])
    x, y = int(rows["rlnCoordinateX"]), int(rows["rlnCoordinateY"])
    image = images_of("out/particles.star")[0]
    crop = pixels[y - 12 : y + 12, x - 12 : x + 12]
    assert np.corrcoef(image.ravel(), crop.ravel())[0, 1] < -0.98
    extract("bright", invert=False)
    np.testing.assert_array_equal(images_of("bright/particles.star")[0], -image)


def test_half_precision_is_half_the_disk(folder):
    extract()
    extract("half", float16=True)
    whole, half = images_of("out/particles.star"), images_of("half/particles.star")
    assert half.dtype == np.float16
    np.testing.assert_allclose(half, whole, rtol=1e-3, atol=1e-6)


def test_several_sizes_come_of_one_reading(folder):
    outcome = extract(box=["32", "80A"], scale_to=[32, 20])
    assert [file.boxes_px for file in outcome.files] == [(32,), (20,)]
    assert [file.pixel_sizes_A for file in outcome.files] == [(2.0,), (4.0,)]
    extract("large", box=["32"])
    np.testing.assert_array_equal(images_of(outcome.files[0].star), images_of("large/particles.star"))
    assert images_of(outcome.files[1].star).shape == (3 * EACH, 20, 20)


def test_without_a_ctf_there_are_no_columns_of_it_and_it_is_said(folder):
    outcome = extract()
    assert not any("Defocus" in name for name in starfile.read("out/particles.star")["particles"])
    assert any("nothing is known of the CTF" in note for note in outcome.notes)
    assert any("are a guess" in note for note in outcome.notes)
    assert read_particles(folder / "out/particles.star").ctf is None


def test_the_ctf_of_some_micrographs_is_written_and_of_the_others_said(folder):
    rows = "mics/a.mrc 12000 11000 30\nmics/b.mrc 13000 12000 40\nmics/c.mrc nan nan nan\n"
    names = ("rlnMicrographName", "rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle")
    head = "".join(f"_{name} #{n}\n" for n, name in enumerate(names, 1))
    (folder / "mics.star").write_text(f"data_micrographs\n\nloop_\n{head}{rows}")
    outcome = extract(micrographs="mics.star")
    found = starfile.read("out/particles.star")["particles"].groupby("rlnMicrographName")["rlnDefocusU"]
    assert found.first().tolist() == [12000, 13000, 0]
    assert f"{EACH} particles have a defocus of 0: nothing is known of their CTF" in outcome.notes


def test_truth_of_simulations_keeps_poses_and_classes(folder):
    row = "mics/a.mrc 50.4 60.6 10 20 30 12000 11000 45 2 1\n"
    names = ["MicrographName", "CoordinateX", "CoordinateY", "AngleRot", "AngleTilt", "AnglePsi"]
    names += ["DefocusU", "DefocusV", "DefocusAngle", "ClassNumber", "OpticsGroup"]
    head = "".join(f"_rln{name} #{n}\n" for n, name in enumerate(names, 1))
    (folder / "truth.star").write_text(f"data_particles\n\nloop_\n{head}{row}")
    extract(picks="truth.star")
    (found,) = starfile.read("out/particles.star")["particles"].to_dict("records")
    said = {"rlnAngleRot": 10, "rlnAngleTilt": 20, "rlnAnglePsi": 30, "rlnClassNumber": 2}
    said |= {"rlnDefocusU": 12000, "rlnDefocusV": 11000, "rlnDefocusAngle": 45}
    assert {name: found[name] for name in said} == said
    assert found["rlnOriginXAngst"] == pytest.approx(-0.4 * SIZE_A)
    assert found["rlnOriginYAngst"] == pytest.approx(0.4 * SIZE_A)


def test_what_has_no_picture_is_left_out_and_said(folder):
    with mrcfile.open(folder / "mics/a.mrc", "r+") as mrc:
        mrc.data[:40, :40] = np.nan
        mrc.data[100:140, 100:150] = 7
    places = "20 20 1\n60 60 1\n120 120 1\n-20 50 1\n2 100 1\n"
    for name in "bc":
        (folder / f"places/{name}.star").unlink()
    (folder / "places/a.star").write_text(PLACES + places)
    (made,) = extract().files
    assert (made.particles, made.outside, made.without_data, made.beyond_edge) == (2, 1, 2, 1)
    assert starfile.read(made.star)["particles"]["rlnCoordinateX"].tolist() == [60, 2]
    assert np.isfinite(images_of(made.star)).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"box": ["25"]}, "even number"),
        ({"box": ["-3"]}, "even number"),
        ({"box": ["24", "30"], "scale_to": [12]}, "one each"),
        ({"scale_to": [13]}, "even number"),
        ({"micrographs": None}, "give `micrographs`"),
    ],
)
def test_wrong_settings_are_refused(folder, settings, message):
    with pytest.raises(ValueError, match=message):
        extract(**settings)
    assert not (folder / "out").exists()


def test_boxes_that_no_micrograph_has_fail_with_what_mends_it(folder):
    outcome = extract(box=["20"], scale_to=[24])
    assert len(outcome.failures) == 3
    assert "`scale_to`" in outcome.failures[0][1]
    outcome = extract("wide", background_radius_A=200)
    assert "`background_radius_A`" in outcome.failures[0][1]


def test_images_that_no_star_file_can_name_are_not_made(folder):
    outcome = extract("it's")
    assert len(outcome.failures) == 3
    assert "rename" in outcome.failures[0][1]
    assert not list((folder / "it's").rglob("*.mrcs"))


def test_names_with_blanks_are_one_word(folder):
    (folder / "mics/a.mrc").rename(folder / "mics/a b.mrc")
    (folder / "places/a.star").rename(folder / "places/a b.star")
    assert extract("my out").files[0].particles == 3 * EACH
    assert len(read_particles(folder / "my out/particles.star").files) == 3


def test_a_bucket_to_write_to_is_refused(folder):
    with pytest.raises(UsageError, match="bucket"):
        extract("s3://bucket/out")


def test_a_ctf_that_is_fitted_anew_in_the_same_list_is_taken(folder):
    head = "data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnDefocusU #2\n"
    for defocus_A in (12000, 15000):
        rows = "".join(f"mics/{name}.mrc {defocus_A}\n" for name in "abc")
        (folder / "ctf.star").write_text(head + rows)
        extract(micrographs="ctf.star", resume=defocus_A != 12000)
    assert set(starfile.read("out/particles.star")["particles"]["rlnDefocusU"]) == {15000}


def test_nothing_is_said_of_the_ctf_of_no_particles(folder):
    rows = "".join(f"mics/{name}.mrc 12000\n" for name in "abc")
    (folder / "ctf.star").write_text(
        f"data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnDefocusU #2\n{rows}"
    )
    outcome = extract(micrographs="ctf.star", box=["24"], scale_to=[26])
    assert len(outcome.failures) == 3
    assert not any("nothing is known of the CTF" in note for note in outcome.notes)


def two_data_sets(folder):
    """A particle in the middle of two micrographs, of equal size in angstroms, with unequal pixels."""
    (folder / "both").mkdir()
    (folder / "middles").mkdir()
    for name, size_A in (("fine", 2.0), ("coarse", 2.7)):
        y, x = (np.mgrid[:120, :120] - 60) * size_A
        blob = np.exp(-((x - 8) ** 2 + (y / 1.5) ** 2) / (2 * 9**2))
        with mrcfile.new(folder / f"both/{name}.mrc") as mrc:
            mrc.set_data((100 - blob + np.random.default_rng(1).normal(0, 1e-3, blob.shape)).astype("f4"))
            mrc.voxel_size = size_A
        (folder / f"middles/{name}.star").write_text(PLACES + "60 60 1\n60 70 1\n")
    return {"picks": "middles", "micrographs": "both"}


def test_scaled_boxes_in_angstroms_have_one_pixel_size_whatever_micrographs_have(folder):
    (made,) = extract(**two_data_sets(folder), box=["101A"], scale_to=[28]).files
    assert made.pixel_sizes_A == (round(101 / 28, 4),)
    assert read_particles(folder / "out/particles.star").pixel_size_A == pytest.approx(101 / 28, abs=1e-6)
    one, _, other, _ = images_of(made.star)
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.9999
    at = [np.unravel_index(image.argmax(), image.shape) for image in (one, other)]
    assert at == [(14, 14 + round(8 / (101 / 28)))] * 2


def test_unequal_pixel_sizes_are_told_and_refused_with_what_mends_it(folder):
    outcome = extract(**two_data_sets(folder), box=["101A"])
    assert any("2, 2.7 A" in note and "`scale_to`" in note for note in outcome.notes)
    with pytest.raises(PicksError, match="`box` in angstroms and one `scale_to`"):
        read_particles(folder / "out/particles.star")
