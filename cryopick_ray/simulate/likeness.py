"""Similarity of two kinds of micrographs: distance of spectra, and matched-filter signal-to-noise ratio."""

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cryopick_ray.simulate.spectrum import radial_power

Curve = NDArray[np.float64]
FEWEST = 4
"""Fewest particles: half of them make a template."""


def spectral_distance(
    frequency_per_A: Curve, log_power: Curve, other: Curve, finest_A: float | None = None
) -> float:
    """Return the root mean square of ``ln(power / other's power)`` over frequencies.

    Parameters
    ----------
    frequency_per_A, log_power, other
        ``(n,)`` each, evenly spaced.
    finest_A
        Leave out what is finer; ``None`` for all.
    """
    kept = frequency_per_A <= (np.inf if finest_A is None else 1 / finest_A)
    return float(np.sqrt(np.mean((log_power - other)[kept] ** 2)))


def matched_filter_snr(
    image: NDArray[np.float32], x_px: NDArray[np.floating], y_px: NDArray[np.floating], radius_px: float
) -> float | None:
    """Measure how far a matched filter lifts particles out of the noise, in standard deviations of it.

    The image is whitened by its own radial power and correlated with the rotational average of its
    particles; the answer is the mean response at particles over that of the ground, divided by the
    ground's standard deviation. Half of the particles make the template for the other half, so
    noise alone has 0. Ground is what is three quarters of a diameter from every centre.

    Parameters
    ----------
    image
        ``(h, w)``.
    x_px, y_px
        ``(n,)`` centres of all its particles.
    radius_px
        Half a particle's diameter.

    Returns
    -------
    ``None`` with fewer than four particles inside the image, or without ground between them.
    """
    white = whitened(image)
    reach = int(np.ceil(1.5 * radius_px))
    centres = np.rint(np.column_stack([y_px, x_px])).astype(np.intp)
    last = np.array(image.shape) - 1
    inside = centres[((centres >= reach) & (centres <= last - reach)).all(axis=1)]
    grid = np.mgrid[reach : last[0] - reach + 1 : 4, reach : last[1] - reach + 1 : 4].reshape(2, -1).T
    ground = grid[cKDTree(centres).query(grid)[0] > 1.5 * radius_px] if len(centres) and len(grid) else grid
    if len(inside) < FEWEST or len(ground) < FEWEST:
        return None
    lifts = []
    for half in (0, 1):
        response = _correlated(white, _template(white, inside[half::2], reach))
        at, away = (response[tuple(places.T)] for places in (inside[1 - half :: 2], ground))
        lifts.append((at.mean() - away.mean()) / away.std())
    return float(np.mean(lifts))


def whitened(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return an ``(h, w)`` image whose power is 1 at every frequency, averaged over rings."""
    bins = max(1, min(image.shape) // 8)
    frequency, power = radial_power(image, 1.0, bins)
    is_defined = np.isfinite(power) & (power > 0)
    spectrum = scipy.fft.rfft2(image - image.mean())
    radius = np.hypot(scipy.fft.fftfreq(image.shape[0])[:, None], scipy.fft.rfftfreq(image.shape[1]))
    spectrum /= np.sqrt(np.interp(radius, frequency[is_defined], power[is_defined]))
    return np.asarray(scipy.fft.irfft2(spectrum, s=image.shape), np.float32)


def _template(image: NDArray[np.float32], centres: NDArray[np.intp], reach: int) -> NDArray[np.float64]:
    """Return the rotational average of the crops around ``(n, 2)`` rows and columns, its mean 0."""
    span = slice(-reach, reach + 1)
    rows, columns = np.mgrid[span, span]
    mean = np.mean([image[row + rows, column + columns] for row, column in centres], axis=0, dtype=np.float64)
    ring = np.rint(np.hypot(rows, columns)).astype(np.intp)
    average = (np.bincount(ring.ravel(), mean.ravel()) / np.bincount(ring.ravel()))[ring]
    inside = ring <= reach
    return np.where(inside, average - average[inside].mean(), 0.0)


def _correlated(image: NDArray[np.float32], template: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the correlation of an image with a centred template, which wraps at the borders."""
    padded = np.zeros(image.shape)
    padded[: template.shape[0], : template.shape[1]] = template
    padded = np.roll(padded, (-(template.shape[0] // 2), -(template.shape[1] // 2)), axis=(0, 1))
    return np.asarray(
        scipy.fft.irfft2(scipy.fft.rfft2(image) * scipy.fft.rfft2(padded).conj(), s=image.shape)
    )
