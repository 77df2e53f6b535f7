"""Detection: from the intensity of the image to a camera's counts, by dose, counting noise and blur."""

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from cryopick_ray.errors import UsageError
from cryopick_ray.units import Shape

DOSE_RANGE = (0.01, 1000.0)
PIXEL_SIZE_RANGE_A = (0.1, 100.0)
MANY_ELECTRONS = 400.0  # from here on a normal law has the skewness of Poisson's to 0.05
BLOCK_ROWS = 256  # numpy draws counts in 8 bytes; blocks keep that small


@dataclass(frozen=True)
class Detector:
    """A camera's DQE, MTF and noise power, as Gaussian fall-offs with frequency.

    The signal falls as the modulation transfer function ``MTF(k)``, the noise's power as ``NNPS(k)``,
    and ``DQE(k) = DQE(0) MTF^2 / NNPS`` (McMullan et al. 2014, Ultramicroscopy 147:156). Each of the
    three is its value at 0 times ``r^((k / Nyquist)^2)``, ``r`` being the ratio of its values at
    Nyquist and at 0; the blur of a square pixel, 0.64 at Nyquist, is such a curve within 0.03. The
    defaults are of the order of direct detectors at 300 kV.

    Attributes
    ----------
    dqe_zero
        Detective quantum efficiency at low frequency: the noise is that of so many electrons fewer.
    dqe_nyquist
        The same at the Nyquist frequency.
    mtf_nyquist
        Modulation transfer at the Nyquist frequency; 1 at low frequency.
    """

    dqe_zero: float = 0.8
    dqe_nyquist: float = 0.35
    mtf_nyquist: float = 0.6

    def __post_init__(self) -> None:
        """Refuse an impossible camera: one that gains information, or whose noise rises with frequency."""
        if not (
            0 < self.mtf_nyquist <= 1
            and 0 < self.dqe_nyquist <= self.dqe_zero <= 1
            and self.nnps_nyquist <= 1 + 1e-9
        ):
            raise UsageError(
                f"a detector with MTF {self.mtf_nyquist:g} at Nyquist and DQE {self.dqe_zero:g} falling to "
                f"{self.dqe_nyquist:g}: expected 0 < MTF <= 1, 0 < DQE(Nyquist) <= DQE(0) <= 1 and "
                "DQE(Nyquist) >= MTF^2 DQE(0) (`exposure.mtf_nyquist`, `exposure.dqe_zero`)"
            )

    @property
    def nnps_nyquist(self) -> float:
        """Normalised noise power at the Nyquist frequency; 1 at low frequency."""
        return self.mtf_nyquist**2 * self.dqe_zero / self.dqe_nyquist


def electrons_per_pixel(dose_e_per_A2: float, pixel_size_A: float) -> float:
    """Return the electrons that fall on a pixel at full transmission.

    Raises
    ------
    UsageError
        If the dose or pixel size is out of range.
    """
    for value, (low, high), name in (
        (dose_e_per_A2, DOSE_RANGE, "dose of {:g} e/A2: expected {:g} to {:g} (`exposure.dose_e_per_A2`)"),
        (pixel_size_A, PIXEL_SIZE_RANGE_A, "pixel size of {:g} A: expected {:g} to {:g} (`pixel_size_A`)"),
    ):
        if not low <= value <= high:
            raise UsageError("a " + name.format(value, low, high))
    return dose_e_per_A2 * pixel_size_A**2


def gaussian_falloff(shape: Shape, at_nyquist: float) -> NDArray[np.float32]:
    """Return ``at_nyquist^((k / Nyquist)^2)`` in the layout of ``rfft2``: ``(h, w // 2 + 1)`` float32."""
    down = at_nyquist ** ((2 * scipy.fft.fftfreq(shape[0])) ** 2)
    across = at_nyquist ** ((2 * scipy.fft.rfftfreq(shape[1])) ** 2)
    return np.outer(down.astype(np.float32), across.astype(np.float32))


def count(
    rng: np.random.Generator, expected: NDArray[np.float32], dqe_zero: float = 1.0
) -> NDArray[np.float32]:
    """Draw counts: mean ``expected``, variance ``expected / dqe_zero``, independent between pixels.

    Each pixel detects a Poisson number of electrons of mean ``dqe_zero * expected``, scaled back to
    the electrons that came (a normal number, of the same mean and variance, where an image's mean is
    above ``MANY_ELECTRONS``).

    Parameters
    ----------
    expected
        ``(h, w)`` electrons per pixel; negative values (beyond weak contrast) count as 0.
    """
    mean = np.maximum(expected, 0)
    if mean.mean(dtype=np.float64) * dqe_zero > MANY_ELECTRONS:
        counts = rng.standard_normal(mean.shape, np.float32)
        counts *= np.sqrt(mean * np.float32(1 / dqe_zero))
        counts += mean
        return counts
    for top in range(0, len(mean), BLOCK_ROWS):
        block = mean[top : top + BLOCK_ROWS]
        block[:] = rng.poisson(block * np.float32(dqe_zero))
    mean *= np.float32(1 / dqe_zero)
    return mean


def record(
    rng: np.random.Generator,
    intensity: NDArray[np.float32],
    dose_e_per_A2: float,
    pixel_size_A: float,
    detector: Detector,
) -> NDArray[np.float32]:
    """Record an image: expected electrons, counting noise, the blur of signal and of noise.

    Parameters
    ----------
    intensity
        ``(h, w)`` relative to the incident beam (1: every electron arrives).
    dose_e_per_A2
        Electrons that fall on the specimen per square angstrom over the whole exposure.

    Returns
    -------
    ``(h, w)`` float32 electrons per pixel: mean ``intensity * dose * pixel area``; the noise has power
    ``mean / DQE(0) * NNPS(k)``.
    """
    expected = np.maximum(intensity, 0)
    expected *= np.float32(electrons_per_pixel(dose_e_per_A2, pixel_size_A))
    noise = count(rng, expected, detector.dqe_zero)
    noise -= expected
    spectrum = scipy.fft.rfft2(expected, overwrite_x=True)
    spectrum *= gaussian_falloff(intensity.shape, detector.mtf_nyquist)
    noise_spectrum = scipy.fft.rfft2(noise, overwrite_x=True)
    noise_spectrum *= gaussian_falloff(intensity.shape, detector.nnps_nyquist**0.5)
    spectrum += noise_spectrum
    return np.asarray(scipy.fft.irfft2(spectrum, s=intensity.shape, overwrite_x=True))
