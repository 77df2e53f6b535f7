"""Image formation: from the specimen's phase shift to the intensity on the detector, weak-phase contrast."""

import math
from dataclasses import dataclass

import numpy as np
import scipy.constants
import scipy.fft
from numpy.typing import NDArray
from torch_ctf import calculate_ctf_2d, calculate_relativistic_electron_wavelength

from cryopick_ray.errors import UsageError
from cryopick_ray.units import Optics, Shape, is_positive

LARGEST_DEFOCUS_A = 200_000.0
LARGEST_B_FACTOR_A2 = 10_000.0
LARGEST_DRIFT_A = 1000.0

SCATTERING_FACTOR_A = {"H": 0.5288, "C": 2.5090, "N": 2.2110, "O": 1.9834, "S": 5.1600}
"""Electron scattering factors of atoms at zero angle, in angstroms (Doyle & Turner 1968; Peng 1999)."""
RESIDUE_ATOMS = {"C": 4.92, "H": 7.75, "N": 1.35, "O": 1.47, "S": 0.04}
"""Atoms of a protein's average residue; its mass is 110.6 Da."""
RESIDUE_DA = 110.6
PROTEIN_A3_PER_DA = 1.23  # a density of 1.35 g/cm3
WATERS_PER_A3 = 0.0311  # low-density amorphous ice of 0.93 g/cm3


@dataclass(frozen=True)
class Defocus:
    """Defocus and astigmatism in RELION's terms.

    Attributes
    ----------
    u_A, v_A
        rlnDefocusU and rlnDefocusV: defocus along the two principal directions; positive is underfocus.
    angle_deg
        rlnDefocusAngle: from the x axis (columns) to the direction of ``u_A``, towards the y axis
        (increasing rows).
    """

    u_A: float
    v_A: float
    angle_deg: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a defocus or angle out of range."""
        principal = (self.u_A, self.v_A)
        if not (all(abs(z) <= LARGEST_DEFOCUS_A for z in principal) and math.isfinite(self.angle_deg)):
            raise UsageError(
                f"defocus of {self.u_A:g} and {self.v_A:g} A at {self.angle_deg:g} degrees: expected values "
                f"from {-LARGEST_DEFOCUS_A:g} to {LARGEST_DEFOCUS_A:g} A (`microscope.defocus_A`, "
                "positive is underfocus) and a finite angle"
            )


@dataclass(frozen=True)
class Microscope:
    """Optics, defocus, envelope and drift: the transfer from specimen to image, without the detector.

    Attributes
    ----------
    optics
        Voltage, spherical aberration, amplitude contrast.
    defocus
        Defocus and astigmatism.
    pixel_size_A
        At the specimen.
    b_factor_A2
        Of the envelope ``exp(-B k^2 / 4)`` that multiplies the amplitudes (RELION's convention;
        positive damps): partial coherence, charging, vibration, radiation damage in one number.
    drift_A
        Vector (x, y) of the specimen's uniform motion during the exposure.
    """

    optics: Optics
    defocus: Defocus
    pixel_size_A: float
    b_factor_A2: float = 0.0
    drift_A: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        if not is_positive(self.pixel_size_A):
            raise UsageError(
                f"a pixel size of {self.pixel_size_A:g} A: expected one above 0 (`pixel_size_A`)"
            )
        if not 0 <= self.b_factor_A2 <= LARGEST_B_FACTOR_A2:
            raise UsageError(
                f"a B-factor of {self.b_factor_A2:g} A2: expected 0 to {LARGEST_B_FACTOR_A2:g} "
                "(`microscope.b_factor_A2`)"
            )
        if not math.hypot(*self.drift_A) <= LARGEST_DRIFT_A:
            raise UsageError(
                f"a drift of {self.drift_A} A: expected a length of 0 to {LARGEST_DRIFT_A:g} A "
                "(`microscope.drift_A`)"
            )


def wavelength_A(voltage_kV: float) -> float:
    """Return the relativistic wavelength of electrons in angstroms."""
    return float(calculate_relativistic_electron_wavelength(voltage_kV * 1e3)) * 1e10


def phase_per_kDa_per_A2(voltage_kV: float) -> float:
    """Return the phase shift, in radians, of protein of 1 kDa per square angstrom in place of ice.

    A mean inner potential is ``h^2 / (2 pi m e)`` (47.88 V A2) times the atoms' scattering factors at
    zero angle per volume: 7.9 V for protein, 4.5 V for ice (isolated atoms superposed, as Vulovic et al.
    2013, J. Struct. Biol. 183:19, do). Protein takes the place of ice, so one dalton adds
    ``47.88 (f_protein / Da - V_Da n_ice f_water) = 4.2 V A3``; the phase shift is that times the
    interaction parameter (:func:`interaction_rad_per_V_A`): 2.7 rad kDa-1 A2 at 300 kV. Nucleic acid,
    denser and richer in phosphorus, gives 7 % more. Elastic scattering only: losses to inelastic
    scattering and radiation damage make real contrast smaller.
    """
    potential_V_A2 = scipy.constants.h**2 / (
        2 * math.pi * scipy.constants.electron_mass * scipy.constants.elementary_charge
    )
    factor = SCATTERING_FACTOR_A
    protein_A_per_Da = sum(factor[atom] * count for atom, count in RESIDUE_ATOMS.items()) / RESIDUE_DA
    ice_A_per_Da = PROTEIN_A3_PER_DA * WATERS_PER_A3 * (2 * factor["H"] + factor["O"])
    per_Da = potential_V_A2 * 1e20 * (protein_A_per_Da - ice_A_per_Da)
    return 1000 * per_Da * interaction_rad_per_V_A(voltage_kV)


def interaction_rad_per_V_A(voltage_kV: float) -> float:
    """Return the interaction parameter ``2 pi m e lambda / h^2`` (Kirkland 2020, eq. 5.6).

    0.653 mrad per V A at 300 kV; ``m`` is the relativistic mass.
    """
    rest_eV = scipy.constants.electron_mass * scipy.constants.c**2 / scipy.constants.elementary_charge
    energy_eV = voltage_kV * 1e3
    relativistic = (rest_eV + energy_eV) / (2 * rest_eV + energy_eV)
    return 2 * math.pi / (wavelength_A(voltage_kV) * energy_eV) * relativistic


def padded_shape(microscope: Microscope, shape: Shape) -> Shape:
    """Return the shape to compute :func:`transfer` at, so that no fringe wraps round the image.

    A component of frequency ``k`` lands ``|lambda defocus k - Cs lambda^3 k^3|`` from where it came
    from; twice that, for the highest frequency that the envelope passes, is added to each side, and
    the result is rounded up to an even size that transforms fast.
    """
    wavelength = wavelength_A(microscope.optics.voltage_kV)
    highest = 0.5 / microscope.pixel_size_A
    if microscope.b_factor_A2:
        highest = min(highest, math.sqrt(4 * math.log(100) / microscope.b_factor_A2))  # damped to 1 %
    k = np.linspace(0, highest, 100)
    aberration = microscope.optics.spherical_aberration_mm * 1e7 * (wavelength * k) ** 3
    defocus = microscope.defocus
    reach_A = max(np.abs(wavelength * k * z - aberration).max() for z in (defocus.u_A, defocus.v_A))
    margin = 2 * math.ceil(reach_A / microscope.pixel_size_A)
    height, width = (2 * scipy.fft.next_fast_len((side + margin + 1) // 2, real=True) for side in shape)
    return height, width


def transfer(microscope: Microscope, shape: Shape) -> NDArray[np.float32]:
    """Return the contrast transfer function with envelope and drift, in the layout of ``rfft2``.

    ``sin(pi lambda z k^2 - pi/2 Cs lambda^3 k^4 + asin(w)) exp(-B k^2 / 4) sinc(k . drift)``: RELION's
    sign, positive at low frequency for underfocus; the defocus ``z`` follows the direction of ``k``.

    Parameters
    ----------
    shape
        Height and width of the images it is for; see :func:`padded_shape`.

    Returns
    -------
    ``(h, w // 2 + 1)`` float32, unshifted.
    """
    optics, defocus = microscope.optics, microscope.defocus
    # torch-ctf takes the root of the astigmatism, so the larger defocus must come first
    turn_deg = 0.0 if defocus.u_A >= defocus.v_A else 90.0
    result: NDArray[np.float32] = calculate_ctf_2d(
        defocus=(defocus.u_A + defocus.v_A) / 2e4,
        astigmatism=abs(defocus.u_A - defocus.v_A) / 2e4,
        astigmatism_angle=defocus.angle_deg + turn_deg,
        voltage=optics.voltage_kV,
        spherical_aberration=optics.spherical_aberration_mm,
        amplitude_contrast=optics.amplitude_contrast,
        phase_shift=0.0,
        pixel_size=microscope.pixel_size_A,
        image_shape=shape,
        rfft=True,
        fftshift=False,
    ).numpy()
    k_y = scipy.fft.fftfreq(shape[0], microscope.pixel_size_A).astype(np.float32)[:, None]
    k_x = scipy.fft.rfftfreq(shape[1], microscope.pixel_size_A).astype(np.float32)
    result *= np.exp(-microscope.b_factor_A2 / 4 * k_y**2)
    result *= np.exp(-microscope.b_factor_A2 / 4 * k_x**2)
    if any(microscope.drift_A):
        drift_x, drift_y = (np.float32(part) for part in microscope.drift_A)
        result *= np.sinc(k_x * drift_x + k_y * drift_y)
    return result


def apply_transfer(phase: NDArray[np.float32], transfer: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the image of a weak phase object: ``1 - 2 F^-1[transfer F[phase]]``.

    First order in the phase, with amplitude contrast in the transfer: matter (positive phase) is
    dark at underfocus and the mean of the field stays ``1 - 2 w mean(phase)``. Where the transfer is
    larger than the image, the image is continued by its mirror, so an edge that meets the border
    makes no fringe there; where it is of the same size, borders wrap round.

    Parameters
    ----------
    phase
        ``(h, w)`` projected phase shift of the specimen relative to ice, in radians.
    transfer
        ``(h', w' // 2 + 1)`` from :func:`transfer`; ``h' >= h`` and an even ``w' >= w``, at most three
        times as large, or exactly the image's own shape.

    Returns
    -------
    ``(h, w)`` float32 intensity, in units of the intensity of bare ice.
    """
    height, width = phase.shape
    rows, columns = transfer.shape[0], 2 * (transfer.shape[1] - 1)
    if (rows, transfer.shape[1]) == (height, width // 2 + 1):
        columns = width
    if not (height <= rows <= 3 * height and width <= columns <= 3 * width):
        raise UsageError(
            f"a transfer for {rows} x {columns} pixels: expected {height} x {width} to three times as many "
            "pixels a side, as the phase has"
        )
    top, left = (rows - height) // 2, (columns - width) // 2
    around = ((top, rows - height - top), (left, columns - width - left))
    spectrum = scipy.fft.rfft2(np.pad(phase, around, "symmetric"), overwrite_x=True)
    spectrum *= transfer
    image = scipy.fft.irfft2(spectrum, s=(rows, columns), overwrite_x=True)
    image *= np.float32(-2)
    image += np.float32(1)
    return np.ascontiguousarray(image[top : top + height, left : left + width])
