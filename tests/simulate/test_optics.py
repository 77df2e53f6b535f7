import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.constants
from hypothesis import given, settings
from hypothesis import strategies as st

from cryopick_ray.errors import UsageError
from cryopick_ray.simulate.optics import (
    Defocus,
    Microscope,
    apply_transfer,
    interaction_rad_per_V_A,
    padded_shape,
    phase_per_kDa_per_A2,
    transfer,
    wavelength_A,
)
from cryopick_ray.units import Optics

PIXEL_A = 1.5
SHAPE = (256, 256)
UNDERFOCUS = Microscope(Optics(300, 2.7, 0.1), Defocus(18_000, 18_000), PIXEL_A)


def frequencies(shape, pixel_size_A=PIXEL_A):
    return np.fft.fftfreq(shape[0], pixel_size_A)[:, None], np.fft.rfftfreq(shape[1], pixel_size_A)[None]


def relativistic_wavelength_A(voltage_kV):
    momentum_eV = math.sqrt(voltage_kV * 1e3 * (voltage_kV * 1e3 + 2 * 510_998.95))
    return 12_398.419843 / momentum_eV


def relion_ctf(optics, defocus, k_y, k_x):
    wavelength = relativistic_wavelength_A(optics.voltage_kV)
    turn = np.arctan2(k_y, k_x) - math.radians(defocus.angle_deg)
    z = (defocus.u_A + defocus.v_A) / 2 + (defocus.u_A - defocus.v_A) / 2 * np.cos(2 * turn)
    k2 = k_x**2 + k_y**2
    phase = math.pi * wavelength * z * k2
    phase = phase - math.pi / 2 * optics.spherical_aberration_mm * 1e7 * wavelength**3 * k2**2
    return np.sin(phase + math.asin(optics.amplitude_contrast))


def test_wavelength_is_relativistic():
    assert wavelength_A(300) == pytest.approx(0.0197, abs=5e-5)
    assert wavelength_A(200) == pytest.approx(0.0251, abs=5e-5)
    for voltage_kV in (80, 120, 200, 300, 1000):
        assert wavelength_A(voltage_kV) == pytest.approx(relativistic_wavelength_A(voltage_kV), rel=1e-5)


@settings(max_examples=30, deadline=None)
@given(
    st.floats(-30_000, 50_000),
    st.floats(-30_000, 50_000),
    st.floats(-180, 180),
    st.sampled_from([80, 200, 300]),
    st.sampled_from([(64, 64), (48, 65), (33, 50)]),
)
def test_transfer_is_relions(u_A, v_A, angle_deg, voltage_kV, shape):
    microscope = Microscope(Optics(voltage_kV, 2.7, 0.07), Defocus(u_A, v_A, angle_deg), 2.0)
    theory = relion_ctf(microscope.optics, microscope.defocus, *frequencies(shape, 2.0))
    # float32 phases of up to a thousand radians, and torch-ctf's softened direction near the origin
    np.testing.assert_allclose(transfer(microscope, shape), theory, atol=0.01)


def test_zeros_lie_where_the_phase_is_a_multiple_of_pi():
    shape = (16, 4096)
    row = transfer(UNDERFOCUS, shape)[0]
    k = np.fft.rfftfreq(shape[1], PIXEL_A)
    crossed = np.flatnonzero(np.diff(np.sign(row)))
    found = k[crossed] + (k[1] - k[0]) * row[crossed] / (row[crossed] - row[crossed + 1])
    wavelength, aberration_A = relativistic_wavelength_A(300), 2.7e7
    a, b = -math.pi / 2 * aberration_A * wavelength**3, math.pi * wavelength * 18_000
    order = np.arange(1, len(found) + 1)
    constant = math.asin(0.1) - math.pi * order
    expected = np.sqrt((-b + np.sqrt(b**2 - 4 * a * constant)) / (2 * a))
    assert len(found) > 10
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_scherzer_focus_passes_a_wide_band_of_one_sign():
    wavelength, aberration_A = wavelength_A(300), 2.7e7
    scherzer_A = 1.2 * math.sqrt(aberration_A * wavelength)
    microscope = Microscope(Optics(300, 2.7, 0), Defocus(scherzer_A, scherzer_A), 0.7)
    row = transfer(microscope, (16, 4096))[0]
    k = np.fft.rfftfreq(4096, 0.7)
    first_zero = k[np.flatnonzero(row[1:] < 0)[0]]
    # 1.5 (Cs lambda^3)^(-1/4) up to the constants different authors choose
    assert first_zero == pytest.approx(1.5 * (aberration_A * wavelength**3) ** -0.25, rel=0.05)
    assert row[(k > 0.4 * first_zero) & (k < 0.85 * first_zero)].min() > 0.5


def test_without_astigmatism_transfer_depends_on_the_radius_alone():
    values = transfer(UNDERFOCUS, SHAPE)
    for a, b, c, d in ((0, 50, 30, 40), (0, 65, 33, 56), (0, 100, 60, 80)):
        assert values[a, b] == pytest.approx(values[c, d], abs=2e-3)
        assert values[b, a] == pytest.approx(values[-c, d], abs=2e-3)


def test_astigmatism_turns_with_its_angle():
    stigmatic = replace(UNDERFOCUS, defocus=Defocus(20_000, 15_000, 0))
    along_x, along_y = transfer(stigmatic, SHAPE)[0, :128], transfer(stigmatic, SHAPE)[:128, 0]
    turned = replace(stigmatic, defocus=Defocus(20_000, 15_000, 90))
    np.testing.assert_allclose(transfer(turned, SHAPE)[:128, 0], along_x, atol=2e-3)
    np.testing.assert_allclose(transfer(turned, SHAPE)[0, :128], along_y, atol=2e-3)
    swapped = replace(stigmatic, defocus=Defocus(15_000, 20_000, 90))
    np.testing.assert_allclose(transfer(swapped, SHAPE), transfer(stigmatic, SHAPE), atol=2e-3)
    u_alone = replace(UNDERFOCUS, defocus=Defocus(20_000, 20_000))
    np.testing.assert_allclose(along_x[3:], transfer(u_alone, SHAPE)[0, 3:128], atol=0.01)


def test_envelope_damps_as_its_b_factor_says():
    damped = replace(UNDERFOCUS, b_factor_A2=80.0)
    k_y, k_x = frequencies(SHAPE)
    expected = transfer(UNDERFOCUS, SHAPE) * np.exp(-20 * (k_y**2 + k_x**2))
    np.testing.assert_allclose(transfer(damped, SHAPE), expected, atol=1e-5)
    assert math.exp(-20 * k_x[0, 96] ** 2) == pytest.approx(math.exp(-80 / 4 * 0.25**2))


def test_drift_blurs_along_its_direction_only():
    drifted = transfer(replace(UNDERFOCUS, drift_A=(12.0, 0.0)), SHAPE)
    still = transfer(UNDERFOCUS, SHAPE)
    np.testing.assert_allclose(drifted[:, 0], still[:, 0])
    np.testing.assert_allclose(drifted[0, 32], 0, atol=1e-6)  # a period of 12 A
    diagonal = transfer(replace(UNDERFOCUS, drift_A=(5.0, -5.0)), SHAPE)
    np.testing.assert_allclose(diagonal[20, 20], still[20, 20], rtol=1e-5)
    assert abs(diagonal[-20, 20]) < abs(still[-20, 20])


def test_matter_is_dark_at_underfocus_and_bright_at_overfocus():
    y, x = np.mgrid[:256, :256] - 128
    phase = (0.05 * np.exp(-(x**2 + y**2) / 2 / 20**2)).astype(np.float32)
    over = replace(UNDERFOCUS, defocus=Defocus(-18_000, -18_000), optics=Optics(300, 2.7, 0.0))
    assert apply_transfer(phase, transfer(UNDERFOCUS, SHAPE))[128, 128] < 0.995
    assert apply_transfer(phase, transfer(over, SHAPE))[128, 128] > 1.001


def test_mean_contrast_is_amplitude_contrast_and_a_wave_is_modulated_by_twice_the_transfer():
    values = transfer(UNDERFOCUS, SHAPE)
    flat = apply_transfer(np.full(SHAPE, 0.03, np.float32), values)
    np.testing.assert_allclose(flat, 1 - 2 * 0.1 * 0.03, rtol=1e-5)
    wave = np.cos(2 * math.pi * np.arange(256) * 9 / 256)[None].repeat(256, 0).astype(np.float32)
    np.testing.assert_allclose(apply_transfer(0.02 * wave, values), 1 - 0.04 * values[0, 9] * wave, atol=1e-6)


@pytest.mark.parametrize("shape", [(200, 256), (131, 97), (64, 65)])
def test_padding_keeps_shape_position_and_interior(shape):
    rng = np.random.default_rng(3)
    phase = rng.normal(scale=0.05, size=shape).astype(np.float32)
    small = replace(UNDERFOCUS, defocus=Defocus(3000, 3000), pixel_size_A=3.0, b_factor_A2=300.0)
    padded = padded_shape(small, shape)
    assert all(p >= s and p % 2 == 0 for p, s in zip(padded, shape, strict=True))
    mirrored = apply_transfer(phase, transfer(small, padded))
    wrapped = apply_transfer(phase, transfer(small, shape))
    assert mirrored.shape == shape
    inside = tuple(slice(24, side - 24) for side in shape)
    np.testing.assert_allclose(mirrored[inside], wrapped[inside], atol=2e-3)


def test_an_edge_that_meets_the_border_makes_no_fringe_there():
    carbon = np.zeros((128, 512), np.float32)
    carbon[:, :256] = 0.3  # a step in the middle; wrapped round, a second one at the border
    microscope = replace(UNDERFOCUS, pixel_size_A=3.0)
    wrapped = apply_transfer(carbon, transfer(microscope, carbon.shape))
    mirrored = apply_transfer(carbon, transfer(microscope, padded_shape(microscope, carbon.shape)))
    assert np.ptp(mirrored[:, -10:]) < 0.1 * np.ptp(wrapped[:, -10:])


def test_interaction_parameter_and_contrast_of_protein():
    assert interaction_rad_per_V_A(300) == pytest.approx(6.526e-4, rel=1e-3)  # Kirkland's table
    assert interaction_rad_per_V_A(100) == pytest.approx(9.244e-4, rel=1e-3)
    # sigma = 2 pi m e lambda / h^2, with the relativistic mass
    mass = scipy.constants.electron_mass * (1 + 200e3 / 510_998.95)
    sigma = 2 * math.pi * mass * scipy.constants.e * wavelength_A(200) * 1e-10 / scipy.constants.h**2
    assert interaction_rad_per_V_A(200) == pytest.approx(sigma * 1e-10, rel=1e-4)
    # 100 A of protein in place of ice: 3.4 V more, so 0.22 rad; 1 A3 of protein is 1 / 1.23 Da
    per_A2 = 100 / 1.23 / 1000
    assert phase_per_kDa_per_A2(300) * per_A2 == pytest.approx(3.4 * 100 * 6.526e-4, rel=0.02)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Defocus(math.nan, 1e4), "`microscope.defocus_A`"),
        (lambda: Defocus(1e4, math.nan), "`microscope.defocus_A`"),
        (lambda: Defocus(3e5, 1e4), "200000"),
        (lambda: Defocus(1e4, 1e4, math.inf), "degrees"),
        (lambda: replace(UNDERFOCUS, pixel_size_A=0.0), "`pixel_size_A`"),
        (lambda: replace(UNDERFOCUS, b_factor_A2=-1.0), "10000"),
        (lambda: replace(UNDERFOCUS, drift_A=(math.nan, 0.0)), "1000"),
        (lambda: apply_transfer(np.zeros((64, 64), np.float32), np.ones((60, 33), np.float32)), "64 x 64"),
        (lambda: apply_transfer(np.zeros((8, 8), np.float32), np.ones((64, 33), np.float32)), "8 x 8"),
    ],
)
def test_impossible_values_are_refused(make, named):
    with pytest.raises(UsageError, match=named):
        make()
