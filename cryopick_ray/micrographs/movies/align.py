"""Where the specimen lies in each frame: every frame against the sum of the others."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import make_smoothing_spline
from torch import Tensor

from cryopick_ray.micrographs.movies.shift import add_shifted, cropped, phase_ramps
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
MOST_ROUNDS = 12
RING_WIDTH = 4  # of Fourier components over the short side, whose signal is estimated together
LEAST_POWER = 1e-30
FEWEST_TO_SMOOTH = 6


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

    def transform(self) -> Tensor:
        """Return the ``(n, h, w // 2 + 1)`` spectra of the images, without their means and tapered; once."""
        across, down = (_taper(side, self._spectra.device) for side in self.shape[::-1])
        # Squares of what some detectors count overflow.
        largest = max(float(self[number].abs().max()) for number in range(len(self))) or 1.0
        for number in range(len(self)):
            image = self[number] / largest
            image = (image - image.mean()) * across * down[:, None]
            self._spectra[number] = torch.fft.rfft2(image, norm="forward")
        return self._spectra


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
    shifts, moving = _search(spectra, images.shape, b_factor_px2)
    return shifts, max(moving, _error(spectra, images.shape, b_factor_px2))


def _search(spectra: Tensor, shape: Shape, b_factor_px2: float) -> tuple[NDArray[np.float64], float]:
    """Return the shifts of spectra, large drift found first, and by how much the last round moved them."""
    shifts = np.zeros((len(spectra), 2))
    reach = int(FARTHEST * min(shape))
    if min(shape) > COARSE_PX:
        coarse, coarse_shape, scale = _reduced(spectra, shape, COARSE_PX)
        shifts, _ = _settle(coarse, coarse_shape, shifts, int(FARTHEST * COARSE_PX), COARSE_B_PX2)
        shifts *= scale
        reach = FINE_REACH_PX
    return _settle(spectra, shape, shifts, reach, b_factor_px2)


def _error(spectra: Tensor, shape: Shape, b_factor_px2: float) -> float:
    """Return the standard deviation in pixels of the path found from spectra.

    Every other Fourier component is aligned without those between, and they without it. Noise differs in the
    two halves, so that a path found in both is the specimen's. Each path has twice the variance of the one
    found from all components, and their difference four times.
    """
    paths = []
    for parity in (0, 1):
        half, small, scale = _reduced(spectra, shape, CHECKED_PX)
        half *= _checkerboard(small, spectra.device) == parity
        path, _ = _search(half, small, b_factor_px2 * (min(small) / min(shape)) ** 2)
        paths.append(path * scale)
    return float(np.sqrt(((paths[0] - paths[1]) ** 2).sum(1).mean())) / 2


def _reduced(spectra: Tensor, shape: Shape, side_px: int) -> tuple[Tensor, Shape, NDArray[np.float64]]:
    """Return copies of spectra cropped to those of images of this short side at most.

    Their shape and how many pixels, in x and y, one of theirs is, come second and third.
    """
    shrink = min(shape) / side_px
    small = (2 * round(shape[0] / shrink / 2), 2 * round(shape[1] / shrink / 2)) if shrink > 1 else shape
    scale = np.array([shape[1] / small[1], shape[0] / small[0]])
    return torch.stack([cropped(spectrum, small) for spectrum in spectra]), small, scale


def _checkerboard(shape: Shape, device: torch.device) -> Tensor:
    """Return 0 or 1 for each component of a half spectrum, the same for those conjugate to each other."""
    rows = torch.arange(shape[0], device=device)
    rows = torch.minimum(rows, shape[0] - rows)
    return (rows[:, None] + torch.arange(shape[1] // 2 + 1, device=device)) % 2


def _settle(
    spectra: Tensor, shape: Shape, shifts: NDArray[np.float64], reach: int, b_factor_px2: float
) -> tuple[NDArray[np.float64], float]:
    """Correct the shifts of spectra until they stay; return by how much they did not."""
    # The others' mean is as far on the other side of the mean of all.
    share = 1 - 1 / len(spectra)
    band, rings = _band(shape, b_factor_px2, spectra.device), _rings(shape, spectra.device)
    noise = torch.stack([_power(spectrum, rings) for spectrum in spectra]).sum(0).clamp(min=LEAST_POWER)
    moving = 0.0
    for _ in range(MOST_ROUNDS):
        ramps = [phase_ramps(shape, x, y, spectra.device) for x, y in shifts]
        total = torch.zeros_like(spectra[0])
        for spectrum, ramp in zip(spectra, ramps, strict=True):
            add_shifted(total, spectrum, ramp, 1.0)
        excess = (_power(total, rings) / noise - 1).clamp(min=0)
        weights = band * (excess / (1 + excess))[rings]
        found = np.empty_like(shifts)
        for number, (spectrum, (down, across)) in enumerate(zip(spectra, ramps, strict=True)):
            moved = spectrum * across
            moved *= down[:, None]
            others = total - moved
            others.conj_physical_()
            moved *= others
            moved *= weights
            found[number] = _peak(torch.fft.irfft2(moved, s=shape), reach)
        previous = shifts
        shifts = smooth(shifts + share * found)
        shifts -= shifts.mean(0)
        moving = float(np.abs(shifts - previous).max())
        if moving < SETTLED_PX:
            break
    return shifts, moving


def smooth(shifts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a path with as much noise taken out as generalised cross-validation advises.

    Parameters
    ----------
    shifts
        ``(n, 2)``; fewer than six stay as they are.
    """
    if len(shifts) < FEWEST_TO_SMOOTH:
        return shifts
    time = np.arange(len(shifts), dtype=float)
    return np.stack([_spline(time, axis) for axis in shifts.T], axis=1)


def _spline(time: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    spread = float(np.ptp(values))
    if spread == 0:
        return values
    smoothed: NDArray[np.float64] = make_smoothing_spline(time, values / spread)(time)
    return smoothed * spread


def _peak(correlation: Tensor, reach: int) -> tuple[float, float]:
    """Return x and y of the highest value within ``reach`` of the origin, refined by parabolas."""
    height, width = correlation.shape
    offsets = torch.arange(-reach - 1, reach + 2, device=correlation.device)
    window = correlation[(offsets % height)[:, None], offsets % width].cpu().numpy().astype(np.float64)
    row, column = np.unravel_index(np.argmax(window[1:-1, 1:-1]), (2 * reach + 1, 2 * reach + 1))
    near = window[row : row + 3, column : column + 3]
    return float(column) - reach + _vertex(near[1]), float(row) - reach + _vertex(near[:, 1])


def _vertex(three: NDArray[np.float64]) -> float:
    before, at, after = three.tolist()
    bend = before - 2 * at + after
    return max(-0.5, min(0.5, (before - after) / (2 * bend))) if bend < 0 else 0.0


def _band(shape: Shape, b_factor_px2: float, device: torch.device) -> Tensor:
    """Return the weights of frequencies: no slow variation, and less of fine detail, which is noise."""
    k_y = torch.fft.fftfreq(shape[0], device=device)[:, None] ** 2
    k_x = torch.fft.rfftfreq(shape[1], device=device) ** 2
    slow = (FIELD_PARTS / min(shape)) ** 2
    return torch.exp(-b_factor_px2 / 4 * (k_y + k_x)) * -torch.expm1(-(k_y + k_x) / (2 * slow))


def _rings(shape: Shape, device: torch.device) -> Tensor:
    """Return which ring each component of a half spectrum lies in, counted from the lowest frequency."""
    k_y = torch.fft.fftfreq(shape[0], device=device)[:, None]
    k = torch.hypot(k_y, torch.fft.rfftfreq(shape[1], device=device))
    return (k * min(shape) / RING_WIDTH).to(torch.int64)


def _power(spectrum: Tensor, rings: Tensor) -> Tensor:
    """Return the power in each ring."""
    squares = spectrum.real**2 + spectrum.imag**2
    return torch.bincount(rings.flatten(), weights=squares.flatten())


def _taper(side: int, device: torch.device) -> Tensor:
    """Return a window that is 1 but falls to 0 at both ends as a cosine."""
    distance = torch.arange(side, device=device, dtype=torch.float32) + 0.5
    distance = torch.minimum(distance, side - distance) / (TAPER * side)
    return 0.5 - 0.5 * torch.cos(math.pi * distance.clamp(max=1))
