"""Dose weights of frames by frequency (Grant & Grigorieff 2015, eLife 4:e06980)."""

import numpy as np
import torch
from torch import Tensor

from cryopick_ray.units import Shape

VOLTAGES_KV = (100.0, 200.0, 300.0)
TOLERATED = (0.64, 0.8, 1.0)
"""Exposure that does the same damage, relative to 300 kV; in between by straight lines."""


def critical_exposure_e_A2(k_per_A: Tensor, voltage_kV: float) -> Tensor:
    """Return ``N_c(k) = 0.245 k^-1.665 + 2.81`` electrons per square angstrom, 0.8 of it at 200 kV.

    After it the signal's amplitude at that frequency is down to ``exp(-1/2)``. Infinite at 0.
    """
    scale = float(np.interp(voltage_kV, VOLTAGES_KV, TOLERATED))
    return scale * (0.245 * k_per_A**-1.665 + 2.81)


def dose_weights(
    shape: Shape,
    pixel_size_A: float,
    dose_per_frame_e_A2: float,
    count: int,
    voltage_kV: float,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Return the first frame's weights and what each next frame's are smaller by.

    Frame i is weighted by ``q_i = exp(-N_i / (2 N_c(k)))``, where ``N_i`` is the exposure at its end, over
    ``sqrt(count * sum_j q_j^2)``: at every frequency the average has the noise of the frames' plain mean, and
    the same image mean. The exposure before the first frame cancels.

    Parameters
    ----------
    shape, pixel_size_A
        Height and width of the average in pixels, and their size.
    dose_per_frame_e_A2
        The same for each frame.
    count
        Number of frames.

    Returns
    -------
    Two ``(h, w // 2 + 1)`` float32, in the layout of ``rfft2``: frame i has ``first * decay**i``.
    """
    k_y = torch.fft.fftfreq(shape[0], pixel_size_A, device=device)[:, None]
    k_x = torch.fft.rfftfreq(shape[1], pixel_size_A, device=device)
    used = dose_per_frame_e_A2 / critical_exposure_e_A2(torch.hypot(k_y, k_x), voltage_kV)
    squares = torch.expm1(-count * used) / torch.expm1(-used)  # of a geometric series
    squares[0, 0] = count
    return torch.rsqrt(count * squares), torch.exp(-used / 2)
