"""Images whose defocus is known: white noise through a microscope, and the detector's own on top."""

import numpy as np
import scipy.fft

from cryopick_ray.simulate.optics import Defocus, Microscope, transfer
from cryopick_ray.units import Optics

SHAPE = (1024, 1024)
OPTICS = Optics()


def thon(defocus, *, pixel_size_A=1.5, optics=OPTICS, shape=SHAPE, noise=1.2, b_factor_A2=60.0, seed=0):
    """Return an image of white phase noise; it wraps round, so nothing of the rings is lost at its edges."""
    rng = np.random.default_rng(seed)
    microscope = Microscope(optics, defocus, pixel_size_A, b_factor_A2)
    spectrum = scipy.fft.rfft2(rng.standard_normal(shape, np.float32)) * transfer(microscope, shape)
    image = scipy.fft.irfft2(spectrum, s=shape) + noise * rng.standard_normal(shape, np.float32)
    return np.asarray(image, np.float32)


def turn_deg(fit, angle_deg):
    """Return how far a fitted angle is from another: directions half a turn apart are one."""
    return abs((fit.defocus_angle_deg - angle_deg + 90) % 180 - 90)


LENSES = [
    Defocus(5_600, 5_000, 20),
    Defocus(10_500, 9_700, 75),
    Defocus(21_000, 20_000, 130),
    Defocus(30_400, 29_800, -15),
    Defocus(40_700, 39_900, 100),
]
