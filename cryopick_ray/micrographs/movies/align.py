"""Where the specimen lies in each frame: every frame against the sum of the others."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cryopick_ray.micrographs.movies.path import smooth
from cryopick_ray.micrographs.movies.spectra import Spectra
from cryopick_ray.units import Shape

COARSE_PX = 256
"""Short side of the images that large drift is looked for in."""
COARSE_B_PX2 = 32.0
B_FACTOR_PX2 = 150.0
"""Low-pass ``exp(-B k^2 / 4)`` of what is compared, in pixels of the images that drift is looked for in, and
of the frames, as RELION and MotionCor2 have it."""
MOST_BINNING = 4
"""Frames binned by more are of super-resolution pixels, which are no reason to filter less."""
FIELD_PARTS = 4.0
"""What varies more slowly than so many times across the field is the beam, which does not drift."""
CHECKED_PX = 512
"""Short side, at most, of the images that two halves of the frequencies are aligned in, to be compared."""
TAPER = 1 / 16  # of a side, at each border
FARTHEST = 1 / 8  # of a side, that the specimen is looked for in one round
FINE_REACH_PX = 6
SETTLED_PX = 0.02
AT_REST_PX = 0.25
"""Who moves by less, and no less than in the round before, moves to and fro."""
ROUGHLY_PX = 0.1
"""Settled enough to go on in larger images."""
MOST_ROUNDS = 12
RING_WIDTH = 4  # of Fourier components over the short side, whose signal is estimated together
LEAST_POWER = 1e-30


class ImageStack:
    """Images to be aligned, which become their spectra in the memory that they have.

    Parameters
    ----------
    count
        Number of images, zero at first.
    shape
        Height and width of each in pixels.
    device
        Where they are.
    """

    def __init__(self, count: int, shape: Shape, device: torch.device) -> None:
        self.shape = shape
        self._spectra = torch.zeros(count, shape[0], shape[1] // 2 + 1, dtype=torch.complex64, device=device)

    def __len__(self) -> int:
        return len(self._spectra)

    def __getitem__(self, number: int) -> Tensor:
        """Return one image, ``(h, w)`` float32, to be written to."""
        return torch.view_as_real(self._spectra[number]).flatten(1)[:, : self.shape[1]]

    def transform(self) -> Spectra:
        """Return the spectra of the images, without their means and tapered; once."""
        across, down = (_taper(side, self._spectra.device) for side in self.shape[::-1])
        # Squares of what some detectors count overflow.
        largest = max(float(self[number].abs().max()) for number in range(len(self))) or 1.0
        for number in range(len(self)):
            image = self[number] / largest
            image -= image.mean()
            image *= across
            image *= down[:, None]
            self._spectra[number] = torch.fft.rfft2(image, norm="forward")
        return Spectra.whole(self._spectra, self.shape)


def estimate_motion(images: ImageStack, binning: int = 1) -> tuple[NDArray[np.float64], float]:
    """Return where the specimen lies in each image relative to the mean of all; the images are lost.

    Each image is correlated with the sum of the others, moved as known so far, until nothing moves any more;
    first at low resolution, where large drift cannot hide. Frequencies count by the share of signal in the
    sum, which is what its power exceeds that of noise added up by. After each round the path is smoothed by a
    cubic spline, as far as cross-validation finds that this predicts it better (Craven & Wahba 1978).

    Parameters
    ----------
    images
        At least two.
    binning
        How many times the frames were binned to make them.

    Returns
    -------
    ``(n, 2)`` x and y in pixels, of mean 0: what lies at ``p`` in the aligned sum lies at
    ``p + shift`` in the image. And by how many pixels they may be wrong: half of the root mean square
    distance of the paths found from two halves of the frequencies, which is the standard deviation; or what
    the last round still moved, if that is more.
    """
    spectra = images.transform()
    b_factor_px2 = B_FACTOR_PX2 / min(binning, MOST_BINNING) ** 2
    error = _error(spectra, b_factor_px2)
    shifts, moving = _search(spectra, b_factor_px2)
    return shifts, max(moving, error)


def _search(spectra: Spectra, b_factor_px2: float) -> tuple[NDArray[np.float64], float]:
    """Return the shifts of spectra, large drift found first, and by how much the last round moved them.

    The spectra are shifted back.
    """
    shifts, reach = np.zeros((len(spectra), 2)), int(FARTHEST * min(spectra.shape))
    for side_px in (COARSE_PX, CHECKED_PX):
        if min(spectra.shape) > side_px:
            coarse, scale = spectra.reduced(side_px)
            b_px2 = COARSE_B_PX2 if side_px == COARSE_PX else b_factor_px2 / scale.min() ** 2
            reach = min(reach, int(FARTHEST * side_px))
            shifts = _settle(coarse, shifts / scale, reach, b_px2, ROUGHLY_PX)[0] * scale
            reach = FINE_REACH_PX
    return _settle(spectra, shifts, reach, b_factor_px2, SETTLED_PX)


def _error(spectra: Spectra, b_factor_px2: float) -> float:
    """Return the standard deviation in pixels of the path found from spectra.

    Every other column of them is aligned without those between, and they without it. Noise differs in the
    two halves, so that a path found in both is the specimen's. Each path has twice the variance of the one
    found from all components, and their difference four times.
    """
    small, scale = spectra.reduced(CHECKED_PX)
    first, second = (_search(small.half(parity), b_factor_px2 / scale.min() ** 2)[0] for parity in (0, 1))
    return float(np.sqrt((((first - second) * scale) ** 2).sum(1).mean())) / 2


def _settle(
    spectra: Spectra, shifts: NDArray[np.float64], reach: int, b_factor_px2: float, settled_px: float
) -> tuple[NDArray[np.float64], float]:
    """Correct the shifts of spectra until they stay, shift them back; return by how much they did not."""
    # The others' mean is as far on the other side of the mean of all.
    share = 1 - 1 / len(spectra)
    frequencies = spectra.frequencies()
    band = _band(frequencies, b_factor_px2, min(spectra.shape))
    # Rings are counted from the lowest frequency.
    rings = (frequencies * min(spectra.shape) / RING_WIDTH).to(torch.int64)
    noise = _power(spectra.values, rings).clamp(min=LEAST_POWER)
    spectra.move(shifts)
    moving = math.inf
    for _ in range(MOST_ROUNDS):
        total = spectra.values.sum(0)
        excess = (_power(total[None], rings) / noise - 1).clamp(min=0)
        weights = band * (excess / (1 + excess))[rings]
        found = np.stack(
            [_peak(correlation) for correlation in spectra.correlations(total, weights, reach + 1)]
        )
        previous = shifts
        shifts = smooth(shifts + share * found)
        shifts -= shifts.mean(0)
        spectra.move(shifts - previous)
        before, moving = moving, float(np.abs(shifts - previous).max())
        if moving < settled_px or before < moving < AT_REST_PX:
            break
        # What is left is no farther than what was found.
        reach = min(reach, 1 + math.ceil(np.abs(found).max()))
    return shifts, moving


def _peak(correlations: NDArray[np.float64]) -> tuple[float, float]:
    """Return x and y of the highest value but for the border, from the middle, refined by parabolas."""
    inner = correlations[1:-1, 1:-1]
    row, column = np.unravel_index(np.argmax(inner), inner.shape)
    near = correlations[row : row + 3, column : column + 3]
    reach = len(inner) // 2
    return float(column) - reach + _vertex(near[1]), float(row) - reach + _vertex(near[:, 1])


def _vertex(three: NDArray[np.float64]) -> float:
    before, at, after = three.tolist()
    bend = before - 2 * at + after
    return max(-0.5, min(0.5, (before - after) / (2 * bend))) if bend < 0 else 0.0


def _band(frequencies: Tensor, b_factor_px2: float, side_px: int) -> Tensor:
    """Return the weights of frequencies: no slow variation, and less of fine detail, which is noise."""
    squares = frequencies.square()
    return torch.exp(-b_factor_px2 / 4 * squares) * -torch.expm1(-squares / 2 / (FIELD_PARTS / side_px) ** 2)


def _power(spectra: Tensor, rings: Tensor) -> Tensor:
    """Return the power in each ring, all spectra together."""
    squares = torch.zeros(rings.shape, device=rings.device)
    for spectrum in torch.view_as_real(spectra):
        squares += spectrum.square().sum(-1)
    return torch.bincount(rings.flatten(), weights=squares.flatten())


def _taper(side: int, device: torch.device) -> Tensor:
    """Return a window that is 1 but falls to 0 at both ends as a cosine."""
    distance = torch.arange(side, device=device, dtype=torch.float32) + 0.5
    distance = torch.minimum(distance, side - distance) / (TAPER * side)
    return 0.5 - 0.5 * torch.cos(math.pi * distance.clamp(max=1))
