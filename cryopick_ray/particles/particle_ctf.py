"""The contrast transfer function of each particle, in RELION's terms."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch_ctf import calculate_ctf_2d

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CtfParameters:
    """What decides the transfer function of ``n`` particles; arrays are ``(n,)``.

    Attributes
    ----------
    defocus_u_A, defocus_v_A, defocus_angle_deg
        As of :class:`~cryopick_ray.simulate.optics.Defocus`: underfocus is positive, the angle leads from x
        to the direction of ``u``, towards increasing rows.
    phase_shift_deg
        Of a phase plate.
    """

    defocus_u_A: Numbers
    defocus_v_A: Numbers
    defocus_angle_deg: Numbers
    phase_shift_deg: Numbers
    voltage_kV: Numbers
    spherical_aberration_mm: Numbers
    amplitude_contrast: Numbers

    def __len__(self) -> int:
        """Return the number of particles."""
        return len(self.defocus_u_A)

    def of(self, places: NDArray[Any] | slice) -> "CtfParameters":
        """Return those of some particles."""
        return CtfParameters(*(getattr(self, field.name)[places] for field in fields(self)))


def ctfs(parameters: CtfParameters, box_px: int, pixel_size_A: float) -> torch.Tensor:
    """Return ``(n, box_px, box_px // 2 + 1)`` float32 transfer functions, laid out as ``rfft2`` does.

    RELION's sign: positive at low frequency for underfocus, so particles of inverted images stay white. No
    envelope is in them.
    """
    count = len(parameters)
    if count == 0:
        return torch.zeros((0, box_px, box_px // 2 + 1))
    u_A, v_A = parameters.defocus_u_A, parameters.defocus_v_A
    # torch-ctf takes the root of the astigmatism, so the larger defocus must come first
    turn_deg = np.where(u_A >= v_A, 0.0, 90.0)
    made: torch.Tensor = calculate_ctf_2d(
        defocus=_tensor((u_A + v_A) / 2e4),
        astigmatism=_tensor(np.abs(u_A - v_A) / 2e4),
        astigmatism_angle=_tensor(parameters.defocus_angle_deg + turn_deg),
        voltage=_tensor(parameters.voltage_kV),
        spherical_aberration=_tensor(parameters.spherical_aberration_mm),
        amplitude_contrast=_tensor(parameters.amplitude_contrast),
        phase_shift=_tensor(parameters.phase_shift_deg),
        pixel_size=pixel_size_A,
        image_shape=(box_px, box_px),
        rfft=True,
        fftshift=False,
    )
    return made.reshape(count, box_px, box_px // 2 + 1).to(torch.float32)


def _tensor(values: Numbers) -> torch.Tensor:
    return torch.as_tensor(values, dtype=torch.float32)
