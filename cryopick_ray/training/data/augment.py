"""Grey values changed as other microscopes, specimens and exposures would change them; places stay.

Every function takes an ``(h, w)`` float32 image and a generator and returns a new image of that shape
and type. What is random comes from the generator alone. None turns bright into dark: particles are dark
wherever a network sees them. Places (flips, turns, zoom) are changed by
:class:`~cryopick_ray.training.data.windows.Window`.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn, idctn, irfft2, rfft2
from scipy.ndimage import gaussian_filter, uniform_filter

Image = NDArray[np.float32]
Augmentation = Callable[[Image, np.random.Generator], Image]

BLUR_SIGMA_PX = (0.0, 3.0)
MEAN_SIZE_PX = (2, 6)
CONTRAST = (0.5, 2.0)
FACTOR = (0.5, 1.5)
DROPOUT = (0.01, 0.10)
NOISE = (0.1, 0.5)
"""Standard deviation of added noise in those of the image; crYOLO's paper gives no number."""
STRONG_NOISE = (0.3, 6.0)
"""Likewise, for training across molecules: thick ice, short exposures, single frames."""
FLATTENED_PX = (2.0, 12.0)
FLATTENED_DEPTH = (0.6, 1.0)
"""Sigma of the Gaussian that is taken away, and how much of it: low defocus, flattened and filtered input."""
DENOISED_PER_PX = (0.12, 0.45)
DENOISED_ORDER = 4
"""Where a steep low-pass cuts, and its order: denoised and binned input."""
CRYOLO_MOST = 3
"""Most changes that :func:`cryolo_chain` makes to one image."""

CUTOFF_PER_PX = (0.08, 0.5)
BAND_PER_PX = (0.02, 0.4)
BAND_OCTAVES = (0.5, 1.5)
BAND_GAIN = (0.4, 2.5)
OSCILLATIONS = (0.25, 3.0)
"""Half periods that :func:`defocus_like`'s transfer function makes up to the Nyquist frequency."""


def blur(image: Image, rng: np.random.Generator) -> Image:
    """Smooth by a Gaussian of sigma 0 to 3 px or by the mean of 2 to 6 px (crYOLO's paper)."""
    if rng.integers(2):
        return np.asarray(gaussian_filter(image, rng.uniform(*BLUR_SIGMA_PX)))
    return np.asarray(uniform_filter(image, int(rng.integers(*MEAN_SIZE_PX, endpoint=True))))


def add_noise(image: Image, rng: np.random.Generator) -> Image:
    """Add white Gaussian noise of 0.1 to 0.5 of the image's standard deviation (crYOLO's paper)."""
    sigma = np.float32(rng.uniform(*NOISE)) * image.std()
    return np.asarray(image + sigma * rng.standard_normal(image.shape, np.float32))


def add_strong_noise(image: Image, rng: np.random.Generator) -> Image:
    """Add white Gaussian noise of 0.3 to 6 of the image's standard deviation, as often weak as strong."""
    sigma = np.float32(_log_uniform(rng, *STRONG_NOISE)) * image.std()
    return np.asarray(image + sigma * rng.standard_normal(image.shape, np.float32))


def contrast(image: Image, rng: np.random.Generator) -> Image:
    """Stretch grey values about their mean by 0.5 to 2, as often below 1 as above (crYOLO's paper)."""
    mean = image.mean()
    return np.asarray(mean + np.float32(_log_uniform(rng, *CONTRAST)) * (image - mean))


def multiply(image: Image, rng: np.random.Generator) -> Image:
    """Multiply grey values, mean included, by 0.5 to 1.5 (crYOLO's paper)."""
    return image * np.float32(rng.uniform(*FACTOR))


def pixel_dropout(image: Image, rng: np.random.Generator) -> Image:
    """Give 1 to 10 % of the pixels the image's mean (crYOLO's paper)."""
    lost = rng.random(image.shape, np.float32) < rng.uniform(*DROPOUT)
    return np.where(lost, image.mean(), image)


def defocus_like(image: Image, rng: np.random.Generator) -> Image:
    """Change contrast from ring to ring of the Fourier transform, as another defocus does.

    The factor at spatial frequency s is ``1 - a + a cos(pi k (s / Nyquist)^2)``, the phase growing with
    s^2 as in a contrast transfer function; a in (0, 1), k of 0.25 to 3. Low frequencies keep their sign,
    so particles stay dark. Ours, for training across molecules.
    """
    depth, oscillations = rng.uniform(), rng.uniform(*OSCILLATIONS)
    return _filtered(image, lambda s2: 1 - depth + depth * np.cos(np.pi * oscillations * s2 / 0.25))


def reshape_spectrum(image: Image, rng: np.random.Generator) -> Image:
    """Change which frequencies are strong: a low-pass, a band raised or lowered, or both.

    The low-pass is a Gaussian of 0.08 to 0.5 per px, the band a bell over the logarithm of the frequency.
    Ours, for training across molecules: detectors, dose, ice and denoising differ in exactly this.
    """
    kind = rng.integers(3)
    cutoff, centre = _log_uniform(rng, *CUTOFF_PER_PX), _log_uniform(rng, *BAND_PER_PX)
    octaves, gain = rng.uniform(*BAND_OCTAVES), _log_uniform(rng, *BAND_GAIN)

    def response(s2: NDArray[np.float32]) -> NDArray[np.float32]:
        low_pass = np.exp(-s2 / np.float32(2 * cutoff**2)) if kind != 0 else np.float32(1)
        if kind == 1:
            return np.asarray(low_pass)
        from_centre = np.log2(np.maximum(s2, np.float32(1e-12)) / np.float32(centre**2)) / 2
        band = np.exp(-((from_centre / np.float32(octaves)) ** 2) / 2)
        return np.asarray(low_pass * (1 + np.float32(gain - 1) * band))

    return _filtered(image, response)


def flatten_out(image: Image, rng: np.random.Generator) -> Image:
    """Take low frequencies away, as low defocus and high-pass filters do: particles lose their dark bodies.

    What goes is 0.6 to 1 of a Gaussian of sigma 2 to 12 px. Ours, for training across molecules.
    """
    cutoff = 1 / (2 * np.pi * _log_uniform(rng, *FLATTENED_PX))
    depth = np.float32(rng.uniform(*FLATTENED_DEPTH))
    return _filtered(image, lambda s2: np.asarray(1 - depth * np.exp(-s2 / np.float32(2 * cutoff**2))))


def denoise(image: Image, rng: np.random.Generator) -> Image:
    """Take away all above 0.12 to 0.45 per px, steeply. Ours, for training across molecules."""
    cutoff = _log_uniform(rng, *DENOISED_PER_PX)
    return _filtered(image, lambda s2: np.asarray(1 / (1 + (s2 / np.float32(cutoff**2)) ** DENOISED_ORDER)))


def scramble(image: Image, rng: np.random.Generator) -> Image:
    """Return noise with the image's own power spectrum, mean and spread: every phase is drawn anew.

    Texture of ice and carbon stays what it is; particles, which their phases make, are gone. Ours, for
    training across molecules: such noise must not be taken for particles.
    """
    phases = rfft2(rng.standard_normal(image.shape, np.float32))
    phases /= np.maximum(np.abs(phases), np.float32(1e-12))
    mean = image.mean()
    noise = irfft2(np.abs(rfft2(image - mean)) * phases, s=image.shape)
    return np.asarray(noise + mean, np.float32)


CRYOLO: tuple[Augmentation, ...] = (blur, add_noise, contrast, multiply, pixel_dropout)
GENERAL: tuple[tuple[Augmentation, float], ...] = (
    (add_strong_noise, 0.5),
    (flatten_out, 0.35),
    (reshape_spectrum, 0.4),
    (defocus_like, 0.4),
    (denoise, 0.1),
    (add_noise, 0.2),
)
"""With the chance of each, in the order of a microscope: noise before a filter is coloured by it."""


def cryolo_chain(image: Image, rng: np.random.Generator) -> Image:
    """Make none to three of crYOLO's changes, in any order (Wagner et al. 2019, Commun. Biol. 2:218)."""
    for index in rng.permutation(len(CRYOLO))[: rng.integers(CRYOLO_MOST, endpoint=True)]:
        image = CRYOLO[index](image, rng)
    return image


def general_chain(image: Image, rng: np.random.Generator) -> Image:
    """Make each change of :data:`GENERAL` with its chance: for training across molecules."""
    for change, chance in GENERAL:
        if rng.uniform() < chance:
            image = change(image, rng)
    return image


def _filtered(image: Image, response: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> Image:
    """Multiply an image's spectrum by ``response(s^2)``, s in cycles per px; keep its mean and spread.

    The image is mirrored at its edges (a cosine transform), so that nothing wraps round. Every picker
    normalises what it sees, hence the standard deviation is kept.
    """
    rows, columns = ((np.arange(side, dtype=np.float32) / (2 * side)) ** 2 for side in image.shape)
    spectrum = dctn(image, norm="ortho")
    mean, spectrum[0, 0] = spectrum[0, 0], 0
    before = np.linalg.norm(spectrum)
    spectrum *= response(rows[:, None] + columns)
    after = np.linalg.norm(spectrum)
    spectrum *= np.float32(before / after) if after > 0 else 1
    spectrum[0, 0] = mean
    return np.asarray(idctn(spectrum, norm="ortho", overwrite_x=True), np.float32)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
