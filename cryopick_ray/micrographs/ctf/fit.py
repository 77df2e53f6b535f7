"""The defocus of an image, and how far it can be believed."""

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.ctf.ctf_doubts import doubts_of
from cryopick_ray.micrographs.ctf.flat_spectrum import flatten
from cryopick_ray.micrographs.ctf.phase import RingPhase
from cryopick_ray.micrographs.ctf.power_spectrum import power_spectrum
from cryopick_ray.micrographs.ctf.result import CtfFit
from cryopick_ray.micrographs.ctf.ring_quality import ice_ring, judge
from cryopick_ray.micrographs.ctf.search import refine, search
from cryopick_ray.micrographs.no_data import NoData
from cryopick_ray.units import Optics

DEFOCUS_RANGE_A = 3_000.0, 50_000.0
COARSEST_A, FINEST_A = 30.0, 4.0
"""Particles' own shapes rule below, ice rings and noise above."""
SPAN = 5.0
"""How many times coarser than the finest the coarsest is at least: coarse pixels show few rings."""


def fit_ctf(
    image: NDArray[np.float32],
    pixel_size_A: float,
    optics: Optics,
    defocus_range_A: tuple[float, float] = DEFOCUS_RANGE_A,
    *,
    no_data: NoData | None = None,
) -> CtfFit:
    """Fit the rings of an image's power spectrum.

    A grid of defocus and astigmatism is searched at once: the correlation of each sector of the spectrum
    with the rings of each defocus is one product of matrices, and an astigmatic lens is a sum along a wave
    through that table. What is best is refined on all sectors together (maximum likelihood, with a prior on
    the astigmatism). There is no phase plate.

    Parameters
    ----------
    image
        ``(h, w)``, finite.
    defocus_range_A
        Least and largest mean defocus searched; positive is underfocus. One that would make less than one
        ring is not.
    no_data
        Areas, in pixels of the image, to leave out.

    Raises
    ------
    MicrographError
        The image is too small or too coarse, or holds no data.
    """
    spectrum = power_spectrum(image, pixel_size_A, no_data or NoData())
    phase = RingPhase.of(optics)
    finest_A = max(FINEST_A, float(spectrum.k2[-1]) ** -0.5)
    coarsest_A = max(COARSEST_A, SPAN * finest_A)
    flat = flatten(spectrum, coarsest_A, finest_A)
    least_A = max(defocus_range_A[0], phase.ring_defocus_A(flat.k2))
    if least_A >= defocus_range_A[1]:
        raise MicrographError(
            f"pixels of {pixel_size_A:.3g} A show no whole ring of a defocus below {least_A:.0f} A; expected "
            f"finer ones, or a larger range than up to {defocus_range_A[1]:.0f} A (`defocus_A`)"
        )
    found = search(flat, phase, (least_A, defocus_range_A[1]))
    lens, evidence = refine(flat, phase, found)
    seen = judge(spectrum, phase, lens, coarsest_A=coarsest_A)
    return CtfFit(
        defocus_u_A=lens.mean_A + lens.half_A,
        defocus_v_A=lens.mean_A - lens.half_A,
        defocus_angle_deg=lens.angle_deg,
        evidence=evidence,
        resolution_A=seen.resolution_A,
        score=seen.score,
        ice_ring=ice_ring(spectrum),
        doubts=doubts_of(found, lens, evidence, seen),
    )
