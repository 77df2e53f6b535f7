"""Laws of the fit: what turns, scales or hides an image does so to its defocus."""

import numpy as np
import pytest
import scipy.fft
from scipy.ndimage import gaussian_filter

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.ctf.fit import fit_ctf
from cryopick_ray.micrographs.ctf.phase import RingPhase, wavelength_A
from cryopick_ray.micrographs.no_data import NoData
from cryopick_ray.simulate import optics as simulated
from cryopick_ray.simulate.optics import Defocus, Microscope, transfer
from cryopick_ray.units import Optics
from tests.ctf.ctf_images import LENSES, OPTICS, SHAPE, thon, turn_deg


@pytest.fixture(scope="module")
def astigmatic():
    """An image of 2 um, and its fit."""
    image = thon(Defocus(20_800, 19_400, 30))
    return image, fit_ctf(image, 1.5, OPTICS)


@pytest.mark.parametrize("lens", LENSES, ids=lambda lens: f"{lens.u_A:g}")
def test_defocus_and_astigmatism_are_recovered(lens):
    fit = fit_ctf(thon(lens), 1.5, OPTICS)
    assert not fit.doubts
    assert abs(fit.defocus_u_A - lens.u_A) < 100
    assert abs(fit.defocus_v_A - lens.v_A) < 100
    assert turn_deg(fit, lens.angle_deg) < 6
    assert 0.5 < fit.score <= 1


@pytest.mark.parametrize(
    ("optics", "pixel_size_A"),
    [(Optics(200.0, 2.7, 0.07), 1.0), (Optics(120.0, 2.0, 0.1), 2.5), (Optics(300.0, 0.01, 0.2), 1.1)],
)
def test_any_microscope_and_pixel_size_will_do(optics, pixel_size_A):
    lens = Defocus(15_400, 14_700, 60)
    fit = fit_ctf(thon(lens, optics=optics, pixel_size_A=pixel_size_A), pixel_size_A, optics)
    assert not fit.doubts
    assert abs(fit.defocus_u_A - lens.u_A) < 120
    assert abs(fit.defocus_v_A - lens.v_A) < 120
    assert turn_deg(fit, lens.angle_deg) < 8


def test_turning_the_image_turns_the_angle(astigmatic):
    image, fit = astigmatic
    quarter = fit_ctf(np.ascontiguousarray(np.rot90(image)), 1.5, OPTICS)
    assert turn_deg(quarter, fit.defocus_angle_deg + 90) < 1
    assert quarter.defocus_u_A == pytest.approx(fit.defocus_u_A, abs=15)
    mirrored = fit_ctf(np.ascontiguousarray(image[::-1]), 1.5, OPTICS)
    assert turn_deg(mirrored, -fit.defocus_angle_deg) < 1
    swapped = fit_ctf(np.ascontiguousarray(image.T), 1.5, OPTICS)
    assert turn_deg(swapped, 90 - fit.defocus_angle_deg) < 1


def test_grey_values_do_not_matter(astigmatic):
    image, fit = astigmatic
    other = fit_ctf(-40 * image + 1000, 1.5, OPTICS)
    assert other.defocus_u_A == pytest.approx(fit.defocus_u_A, abs=5)
    assert other.defocus_v_A == pytest.approx(fit.defocus_v_A, abs=5)


def test_without_aberration_the_pixel_size_scales_the_defocus():
    optics = Optics(spherical_aberration_mm=0)
    image = thon(Defocus(9_000, 9_000), optics=optics, pixel_size_A=1.5)
    fine, coarse = (fit_ctf(image, size_A, optics) for size_A in (1.5, 2.0))
    assert coarse.defocus_A == pytest.approx(fine.defocus_A * (2.0 / 1.5) ** 2, rel=0.01)


def test_equal_images_give_equal_fits(astigmatic):
    image, fit = astigmatic
    assert fit_ctf(image.copy(), 1.5, OPTICS) == fit


def test_areas_without_data_are_left_out(astigmatic):
    image, fit = astigmatic
    spoilt = np.concatenate(
        [image, np.tile(np.sin(np.arange(600) / 3), (1024, 1)).astype(np.float32)], axis=1
    )
    empty = NoData(((1024, 0, 1624, 1024),))
    seen = fit_ctf(spoilt, 1.5, OPTICS, no_data=empty)
    assert seen.defocus_u_A == pytest.approx(fit.defocus_u_A, abs=100)
    with pytest.raises(MicrographError, match="hold no data"):
        fit_ctf(image, 1.5, OPTICS, no_data=NoData(((0, 0, 1024, 1024),)))


def test_noise_is_doubted():
    for seed in range(12):
        noise = np.random.default_rng(seed).standard_normal((512, 512), np.float32)
        assert fit_ctf(noise, 1.5, OPTICS).doubts == ("no rings are seen",)
        smooth = noise + 20 * gaussian_filter(noise, 1 + seed / 2)
        assert fit_ctf(smooth, 1.5, OPTICS).doubts


def test_a_defocus_beyond_the_range_is_not_believed():
    image = thon(Defocus(21_000, 20_500, 10))
    assert fit_ctf(image, 1.5, OPTICS, (24_000.0, 50_000.0)).doubts
    assert fit_ctf(image, 1.5, OPTICS, (3_000.0, 17_000.0)).doubts
    (doubt,) = fit_ctf(image, 1.5, OPTICS, (20_800.0, 50_000.0)).doubts
    assert "end of the range" in doubt


@pytest.mark.parametrize("others_A", [(12_000, 26_000), (15_000, 20_000)])
def test_two_lenses_in_one_image_are_told(others_A):
    image = sum(thon(Defocus(one_A, one_A), seed=seed) for seed, one_A in enumerate(others_A))
    (doubt,) = fit_ctf(image, 1.5, OPTICS).doubts
    assert doubt.startswith("several fit nearly as well")
    told_A = sorted(float(word) for word in doubt.split() if word.isdigit())
    assert told_A == pytest.approx(others_A, abs=200)


def test_rings_are_followed_as_far_as_they_go():
    near, far = (
        fit_ctf(thon(Defocus(15_000, 15_000), noise=1, b_factor_A2=b), 1.2, OPTICS) for b in (400, 40)
    )
    assert near.resolution_A is not None
    assert far.resolution_A is not None
    assert far.resolution_A < 0.8 * near.resolution_A


def test_an_ice_ring_is_seen_where_pixels_allow():
    image = thon(Defocus(15_000, 15_000), pixel_size_A=1.2)
    k = np.hypot(scipy.fft.fftfreq(SHAPE[0], 1.2)[:, None], scipy.fft.rfftfreq(SHAPE[1], 1.2))
    ring = 1 + 0.5 * (np.abs(1 / np.maximum(k, 1e-3) - 3.67) < 0.15)
    icy = scipy.fft.irfft2(scipy.fft.rfft2(image) * ring, s=SHAPE).astype(np.float32)
    plain, crystalline = (fit_ctf(one, 1.2, OPTICS).ice_ring for one in (image, icy))
    assert plain == pytest.approx(0, abs=0.03)
    assert crystalline > 0.3
    assert fit_ctf(thon(Defocus(15_000, 15_000), pixel_size_A=2.0), 2.0, OPTICS).ice_ring is None


@pytest.mark.parametrize(
    ("shape", "pixel_size_A", "words"),
    [((100, 900), 1.5, "too few"), ((512, 512), 12.0, "too coarse")],
)
def test_what_can_show_no_rings_is_refused(shape, pixel_size_A, words):
    image = np.random.default_rng(0).standard_normal(shape, np.float32)
    with pytest.raises(MicrographError, match=words):
        fit_ctf(image, pixel_size_A, OPTICS)


def test_the_rings_are_those_of_the_simulated_transfer():
    optics, shape = Optics(200.0, 2.7, 0.07), (128, 128)
    lens = Defocus(15_400, 14_700, 60)
    contrast = transfer(Microscope(optics, lens, 1.5), shape)
    k_y, k_x = scipy.fft.fftfreq(shape[0], 1.5)[:, None], scipy.fft.rfftfreq(shape[1], 1.5)
    along = np.cos(2 * (np.arctan2(k_y, k_x) - np.radians(lens.angle_deg)))
    rings = RingPhase.of(optics).rings(k_y**2 + k_x**2, 15_050 + 350 * along)
    np.testing.assert_allclose(rings, 2 * contrast.astype(np.float64) ** 2 - 1, atol=2e-3)


def test_the_wavelength_is_the_textbooks():
    assert wavelength_A(300) == pytest.approx(0.019687, abs=1e-6)
    assert wavelength_A(200) == pytest.approx(simulated.wavelength_A(200), rel=1e-6)


def test_real_apoferritin_has_one_astigmatism(real_data):
    """The microscope is the same in all micrographs: a right fit finds its axis again."""
    from cryopick_ray.micrographs.preprocess import prepare
    from cryopick_ray.micrographs.reader import read_micrograph

    fits = []
    for path in sorted((real_data / "apoferritin-10146").glob("*.mrc"))[:4]:
        image = read_micrograph(path)
        fits.append(fit_ctf(prepare(image.pixels, image.shape).pixels, 1.5, OPTICS))
    assert not [doubt for fit in fits for doubt in fit.doubts]
    assert all(10_000 < fit.defocus_v_A < 30_000 for fit in fits)
    assert all(turn_deg(fit, 127) < 8 for fit in fits)
