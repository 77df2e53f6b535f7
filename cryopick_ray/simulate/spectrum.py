"""Measurements on micrographs: power by frequency, grey values, signal-to-noise ratio."""

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cryopick_ray.errors import UsageError
from cryopick_ray.units import is_positive

QUANTILES = (0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999)


@dataclass(frozen=True)
class GreyStatistics:
    """The distribution of an image's grey values.

    Attributes
    ----------
    mean, sigma
        In the image's own units.
    skewness, excess_kurtosis
        Third and fourth standardised moments; both 0 for a normal distribution.
    quantiles
        Of ``(image - mean) / sigma``, at :data:`QUANTILES`.
    """

    mean: float
    sigma: float
    skewness: float
    excess_kurtosis: float
    quantiles: tuple[float, ...]


def radial_power(
    image: NDArray[np.float32], pixel_size_A: float, bins: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Measure the power of an image by spatial frequency, averaged over rings.

    Power is that of a periodogram, ``|F|^2 / (h w)`` with the mean taken off: white noise of
    variance ``v`` has power ``v`` in every ring, and the mean over all Fourier components is the
    image's variance (Parseval). Nothing is tapered, so what jumps from one border of the image to
    the opposite one leaks along the two axes. Frequencies beyond Nyquist (the corners) are left out.

    Parameters
    ----------
    image
        ``(h, w)``.
    bins
        Number of rings of equal width between 0 and the Nyquist frequency.

    Returns
    -------
    frequency_per_A, power
        ``(bins,)`` each: mean frequency and mean power of the components of a ring; NaN in a ring
        too narrow to hold any.

    Raises
    ------
    UsageError
        If the pixel size or the number of bins is not positive.
    """
    if not is_positive(pixel_size_A) or bins < 1:
        raise UsageError(
            f"a pixel size of {pixel_size_A} A and {bins} bins: expected a positive size and at least 1 bin"
        )
    height, width = image.shape
    spectrum = scipy.fft.rfft2(image - image.mean(dtype=np.float64).astype(np.float32))
    columns_f = scipy.fft.rfftfreq(width)
    twice = np.full(len(columns_f), 2.0)  # every column but the first and Nyquist's stands for a pair
    twice[0] = 1
    if width % 2 == 0:
        twice[-1] = 1
    count, frequency, power = np.zeros((3, bins + 1))
    for row_f, row in zip(scipy.fft.fftfreq(height), spectrum, strict=True):
        radius = np.hypot(columns_f, row_f)
        ring = np.where(radius <= 0.5, np.minimum(radius * 2 * bins, bins - 1), bins).astype(np.intp)
        weight = np.where(radius > 0, twice, 0)  # the mean is not part of the spectrum
        count += np.bincount(ring, weight, bins + 1)
        frequency += np.bincount(ring, weight * radius, bins + 1)
        power += np.bincount(ring, weight * (row.real**2 + row.imag**2), bins + 1)
    with np.errstate(invalid="ignore"):
        return (frequency / count)[:-1] / pixel_size_A, (power / count)[:-1] / image.size


def grey_statistics(image: NDArray[np.float32]) -> GreyStatistics:
    """Measure the distribution of an ``(h, w)`` image's grey values.

    Raises
    ------
    UsageError
        If the image is constant.
    """
    mean, sigma = float(image.mean(dtype=np.float64)), float(image.std(dtype=np.float64))
    if not is_positive(sigma):
        raise UsageError(f"the image is constant or not finite (standard deviation {sigma}): no statistics")
    values = (image - np.float32(mean)) / np.float32(sigma)
    squares = values * values
    return GreyStatistics(
        mean=mean,
        sigma=sigma,
        skewness=float((squares * values).mean(dtype=np.float64)),
        excess_kurtosis=float((squares * squares).mean(dtype=np.float64)) - 3,
        quantiles=tuple(float(value) for value in np.quantile(values, QUANTILES)),
    )


def particle_snr(
    image: NDArray[np.float32], x_px: NDArray[np.float64], y_px: NDArray[np.float64], radius_px: float
) -> float:
    """Measure the signal-to-noise ratio of particles: ``(V_particles - V_ice) / V_ice``.

    ``V`` is the variance of the pixels inside a disc about the disc's own mean, averaged over
    discs, so slow variations of the ice count in neither. Particle discs are those wholly inside
    the image. Ice discs have the same radius, touch no particle's disc, and lie on a grid of half
    a radius. Particles that nobody listed raise ``V_ice``: the ratio is then a lower bound.

    Parameters
    ----------
    image
        ``(h, w)``.
    x_px, y_px
        ``(n,)`` centres of all particles in the image.
    radius_px
        Of the discs: half a particle's diameter.

    Raises
    ------
    UsageError
        If no particle lies inside the image or no ice disc fits between the particles.
    """
    height, width = image.shape
    steps = [np.arange(radius_px, side - 1 - radius_px, radius_px / 2) for side in (width, height)]
    grid = np.stack(np.meshgrid(*steps), axis=-1).reshape(-1, 2)
    particles = np.column_stack([x_px, y_px])
    last = np.array([width - 1, height - 1])
    inside = ((particles >= radius_px) & (particles <= last - radius_px)).all(axis=1)
    ice = grid[cKDTree(particles).query(grid)[0] > 2 * radius_px] if len(particles) and len(grid) else grid
    if not inside.any() or not len(ice):
        raise UsageError(
            f"{int(inside.sum())} particles inside the image and {len(ice)} discs of ice of {radius_px:g} px "
            "between them: expected at least one of each; give a smaller radius or an emptier image"
        )
    noise = _mean_disc_variance(image, ice, radius_px)
    return (_mean_disc_variance(image, particles[inside], radius_px) - noise) / noise


def _mean_disc_variance(image: NDArray[np.float32], centres: NDArray[np.float64], radius_px: float) -> float:
    """Return the mean over ``(n, 2)`` centres (x, y) of the variance inside their discs."""
    reach = int(radius_px)
    span = np.arange(-reach, reach + 1)
    rows, columns = np.nonzero(np.hypot(span[:, None], span) <= radius_px)
    variances = [
        image[np.rint(y).astype(int) + rows - reach, np.rint(x).astype(int) + columns - reach].var(
            dtype=np.float64
        )
        for x, y in centres
    ]
    return float(np.mean(variances))
