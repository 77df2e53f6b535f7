"""Fourier shell correlation: how far two maps agree, and what a mask has to do with it."""

import math
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from cryopick_ray.errors import UsageError

Map = NDArray[np.float32]
Curve = NDArray[np.float64]

RANDOMISED_BELOW = 0.8
"""Phases are randomised from the first shell on where maps without a mask agree less than this."""
SPARED = 2
"""Shells from there on that still count as they are: correlation falls within them."""


@dataclass(frozen=True, eq=False)
class HalfMapAgreement:
    """How two half maps agree, shell by shell; curves are ``(side // 2 + 1,)``, shell 0 first.

    Attributes
    ----------
    pixel_size_A, side_px
        Of the maps.
    unmasked, masked
        Correlation of the maps, and of the maps times the mask.
    randomised
        Of the maps times the mask, phases beyond :attr:`randomised_from` at random: what the mask alone makes
        agree. NaN before.
    corrected
        Correlation in the mask less what the mask makes (Chen et al. 2013, Ultramicroscopy 135:24).
    randomised_from
        Shell.
    """

    pixel_size_A: float
    side_px: int
    unmasked: Curve
    masked: Curve
    randomised: Curve
    corrected: Curve
    randomised_from: int

    @property
    def frequency_per_A(self) -> Curve:
        """Of each shell."""
        return np.arange(len(self.corrected)) / (self.side_px * self.pixel_size_A)

    def resolution_A(self, threshold: float) -> float:
        """Return where the corrected curve falls below a threshold, in angstroms."""
        return resolution_A(self.corrected, self.side_px * self.pixel_size_A, threshold)


def agreement(first: Map, second: Map, mask: Map, pixel_size_A: float, seed: int = 0) -> HalfMapAgreement:
    """Return how two half maps agree.

    Parameters
    ----------
    first, second
        ``(side, side, side)``.
    mask
        Likewise, from 0 to 1.
    seed
        Of the random phases.
    """
    side = first.shape[0]
    unmasked, masked = fsc(first, second), fsc(first * mask, second * mask)
    # Shell 0 is the mean, whose sign is chance.
    low = np.flatnonzero(unmasked[1:] < RANDOMISED_BELOW)
    start = int(low[0]) + 1 if len(low) else side // 2 + 1
    rng = np.random.default_rng(seed)
    blurred = (randomised_beyond(one, start, rng) * mask for one in (first, second))
    by_chance = fsc(*blurred)
    by_chance[:start] = np.nan
    corrected = masked.copy()
    late = slice(start + SPARED, None)
    corrected[late] = (masked[late] - by_chance[late]) / (1 - by_chance[late])
    return HalfMapAgreement(pixel_size_A, side, unmasked, masked, by_chance, corrected, start)


def fsc(first: Map, second: Map) -> Curve:
    """Return the correlation of two cubes' spectra in shells one step thick, ``(side // 2 + 1,)``.

    As RELION counts: frequencies of one half of the spectrum, by their rounded radius. Where a map has
    nothing it is 0.

    Raises
    ------
    UsageError
        They are no cubes of one size.
    """
    side = first.shape[0]
    if not first.shape == second.shape == (side, side, side):
        raise UsageError(f"maps of {first.shape} and {second.shape} voxels: expected cubes of one size")
    a, b = scipy.fft.rfftn(first), scipy.fft.rfftn(second)
    shell = shells(side)
    product, power_a, power_b = (
        np.bincount(shell, values.ravel())[: side // 2 + 1].astype(np.float64)
        for values in ((a * b.conj()).real, np.abs(a) ** 2, np.abs(b) ** 2)
    )
    norm = np.sqrt(power_a * power_b)
    return np.divide(product, norm, out=np.zeros_like(norm), where=norm > 0)


def resolution_A(curve: Curve, box_A: float, threshold: float) -> float:
    """Return where a curve first falls below a threshold, linear between shells, in angstroms.

    Parameters
    ----------
    curve
        ``(n,)`` from shell 0 on.
    box_A
        Side of the map: shell ``s`` is at ``box_A / s``.

    Returns
    -------
    The last shell's resolution if it does not fall below before; infinity if shell 1 is below.
    """
    below = np.flatnonzero(curve[1:] < threshold)
    if not len(below):
        return box_A / (len(curve) - 1)
    at = int(below[0]) + 1
    if at == 1:
        return math.inf
    part = (curve[at - 1] - threshold) / (curve[at - 1] - curve[at])
    return float(box_A / (at - 1 + part))


def randomised_beyond(volume: Map, shell: int, rng: np.random.Generator) -> Map:
    """Return a map with its amplitudes and, from a shell on, random phases."""
    spectrum = scipy.fft.rfftn(volume)
    turned = (shells(len(volume)) >= shell).reshape(spectrum.shape)
    phases = rng.uniform(0, 2 * np.pi, int(turned.sum())).astype(np.float32)
    spectrum[turned] = np.abs(spectrum[turned]) * np.exp(1j * phases)
    return np.asarray(scipy.fft.irfftn(spectrum, volume.shape), np.float32)


def shells(side: int) -> NDArray[np.int64]:
    """Return the flattened shell numbers of a cube's half spectrum."""
    along = scipy.fft.fftfreq(side, 1 / side)
    half = np.arange(side // 2 + 1)
    radius = np.sqrt(along[:, None, None] ** 2 + along[:, None] ** 2 + half**2)
    return np.rint(radius).astype(np.int64).ravel()
