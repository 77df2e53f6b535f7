"""What a file is, told from names as detectors and programs write them."""

import numpy as np
import pytest

from cryopick_ray.empiar.checks import (
    decide_declared_pixel_size,
    looks_like_gain,
    orientation_note,
)
from cryopick_ray.empiar.entry import ImageSet
from cryopick_ray.micrographs.roles import exposure_of, gains_are_credible, role_of


@pytest.mark.parametrize(
    ("path", "frames", "role"),
    [
        ("data/Falcon_2012_06_12-14_33_35_0.mrc", 1, "micrograph"),
        ("data/FoilHole_1_Data_2_3_20200304_153825_fractions.mrc", None, "movie"),
        ("data/FoilHole_1_Data_2_3_20200304_153825_Fractions.tiff", 40, "movie"),
        ("data/FoilHole_1_Data_2_3_20200304_153825_fractions_DW.mrc", 40, "micrograph"),
        ("data/14sep05c_c_00003gr_00014sq_00011hl_00004es.frames.tif", None, "movie"),
        ("data/mic_001.tif", 38, "movie"),
        ("data/mic_001.tif", None, "micrograph"),
        ("data/mic_001.mrc.bz2", None, "micrograph"),
        ("data/mic_001_patch_aligned_doseweighted.mrc", 38, "micrograph"),
        ("data/mic_001_sum.mrc", 20, "micrograph"),
        ("data/mic_001.eer", None, "movie"),
        ("data/mic_001.mrcs", 24, "movie"),
        ("data/particles_001.mrcs", 1, "other"),
        ("data/SuperRef_TMV_001_Sep18.dm4", None, "gain"),
        ("data/CountRef_26_000_Oct04_16.13.54.mrc", None, "gain"),
        ("data/gain.mrc", None, "gain"),
        ("data/K3-12345_GainRef_x1.tif", None, "gain"),
        ("data/20200304_153825_EER_GainReference.gain", None, "gain"),
        ("data/norm-amibox05-0.mrc", None, "gain"),
        ("data/gainRefer/ref.mrc", None, "gain"),
        ("data/gain_reference/x.mrc", None, "gain"),
        ("data/again_001.mrc", None, "micrograph"),
        ("data/bargain_001.mrc", None, "micrograph"),
        ("data/m1_gain_corrected.mrc", None, "micrograph"),
        ("data/m1_no_gain.mrc", None, "micrograph"),
        ("data/gain_readme.txt", None, "other"),
        ("data/all.tar.gz", None, "archive"),
        ("data/all.zip", None, "archive"),
        ("data/shiny.star", None, "other"),
        ("data/mic_001.png", None, "other"),
    ],
)
def test_roles(path, frames, role):
    assert role_of(path, frames=frames) == role


def test_a_format_that_the_entry_declares_is_an_image():
    assert role_of("data/a.png", data_format="PNG") == "micrograph"
    assert role_of("data/a.dm4", data_format="DM4") == "other"
    assert role_of("data/a.dm4", data_format="TIFF") == "gain"


def test_gains_are_few():
    assert gains_are_credible(1, 0)
    assert gains_are_credible(40, 1000)
    assert not gains_are_credible(40, 5)


@pytest.mark.parametrize(
    ("names", "key"),
    [
        (["d/a_DW.mrc", "d/a.mrc", "d/a_noDW.mrc", "d/a_fractions.tif"], "d/a"),
        (["d/a_fractions_DW.mrc", "d/a_fractions_non-DW.mrc", "d/a_fractions.eer"], "d/a"),
        (["d/a_patch_aligned_doseweighted.mrc", "d/a_patch_aligned.mrc"], "d/a"),
    ],
)
def test_images_of_one_exposure_share_its_key_and_the_best_comes_first(names, key):
    found = [exposure_of(name) for name in names]
    assert {exposure for exposure, _ in found} == {key}
    assert [preference for _, preference in found] == sorted(preference for _, preference in found)
    assert found[0][1] == 0


def test_equal_names_in_two_folders_are_two_exposures():
    assert exposure_of("x/a.mrc")[0] != exposure_of("y/a.mrc")[0]


SHAPE = (3838, 3710)


@pytest.mark.parametrize(
    ("declared", "header_A", "expected_A", "is_told"),
    [
        (ImageSet(pixel_size_A=1.31, width_px=3710), 1.31, 1.31, False),
        (ImageSet(pixel_size_A=1.31, width_px=3710), 1.3099, 1.3099, False),
        (ImageSet(pixel_size_A=1.31, width_px=3710), None, 1.31, False),
        (ImageSet(pixel_size_A=1.31, width_px=3710), 1.0, 1.31, False),
        (ImageSet(pixel_size_A=0.655, width_px=7420), 1.31, 1.31, False),
        (ImageSet(pixel_size_A=0.655, width_px=7420), None, 1.31, True),
        (ImageSet(pixel_size_A=0.655, width_px=3710), 1.31, 1.31, True),
        (ImageSet(pixel_size_A=0.655), 1.31, 1.31, True),
        (ImageSet(), 1.31, 1.31, False),
        (ImageSet(), None, None, False),
    ],
)
def test_the_field_of_view_tells_a_super_resolution_pixel_size(declared, header_A, expected_A, is_told):
    pixel_size_A, told = decide_declared_pixel_size(declared, header_A, SHAPE)
    assert pixel_size_A == pytest.approx(expected_A)
    assert bool(told) is is_told
    assert not told or "`pixel_size_A`" in told


def test_a_gain_reference_is_told_from_counts_and_from_normalised_images():
    rng = np.random.default_rng(0)
    gain = rng.normal(1, 0.05, (600, 700)).astype(np.float32)
    gain[10:20, 10:20] = 0  # dead pixels
    assert looks_like_gain(gain)
    assert not looks_like_gain(rng.poisson(1, (600, 700)).astype(np.float32))
    assert not looks_like_gain(rng.poisson(30, (600, 700)).astype(np.float32))
    assert not looks_like_gain(rng.normal(0, 1, (600, 700)).astype(np.float32))
    assert not looks_like_gain(np.ones((600, 700), np.int16))
    assert not looks_like_gain(np.full((600, 700), np.nan, np.float32))
    assert not looks_like_gain(np.ones((3, 600, 700), np.float32))


def test_what_is_said_of_orientation_is_found():
    details = "Movies are LZW TIFF. Use gain.mrc with 90 degree rotation and flip upside down. Dose 50."
    assert orientation_note(details) == "Use gain.mrc with 90 degree rotation and flip upside down."
    assert orientation_note("Nothing to say.") == ""
