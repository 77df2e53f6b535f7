"""Defocus and astigmatism whose rings fit a power spectrum best."""

import math
from dataclasses import dataclass

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from cryopick_ray.micrographs.ctf.flat_spectrum import FlatSpectrum
from cryopick_ray.micrographs.ctf.lens import Lens
from cryopick_ray.micrographs.ctf.phase import RingPhase

FloatArray = NDArray[np.float64]
FALLS_A2 = 30.0, 100.0, 300.0, 800.0
"""How fast rings may fade, ``exp(-B k^2 / 2)``: detector, motion, and what the specimen has of them."""
STEP_A = 50.0
ASTIGMATISM_STEP_A, LARGEST_ASTIGMATISM_A = 200.0, 1_000.0
CORRELATED = 2.0
"""Cells that share one independent number: a taper's spectrum reaches into its neighbours."""
FIRST_MOVE_A = 60.0


@dataclass(frozen=True, eq=False)
class DefocusSearch:
    """The evidence for each mean defocus, with the astigmatism and the fall that suit it best.

    Attributes
    ----------
    defocus_A, evidence
        ``(z,)``.
    best, fall_A2
        Where the evidence is largest.
    """

    defocus_A: FloatArray
    evidence: FloatArray
    best: Lens
    fall_A2: float


def search(flat: FlatSpectrum, phase: RingPhase, defocus_range_A: tuple[float, float]) -> DefocusSearch:
    """Search the range for the best defocus, at every astigmatism up to 2,000 angstroms."""
    least, most = defocus_range_A
    margin = math.ceil(LARGEST_ASTIGMATISM_A / STEP_A)
    count = math.floor((most - least) / STEP_A) + 1
    defocus_A = np.asarray(least + STEP_A * np.arange(-margin, count + margin), np.float64)
    table = np.stack([_correlations(flat, phase, defocus_A, fall) for fall in FALLS_A2], axis=1)
    table /= math.sqrt(len(table))  # of all sectors together, the rings have length 1 again
    evidence, lenses, falls = np.full(count, -np.inf), np.zeros((count, 2)), np.zeros(count, np.intp)
    for along_x, diagonal in _astigmatisms():
        wave = Lens(0.0, along_x, diagonal)
        shifts = margin + np.rint(wave.defocus_A(flat.angle_rad) / STEP_A).astype(np.intp)
        total = sum(row[:, shift : shift + count] for row, shift in zip(table, shifts.tolist(), strict=True))
        fall = np.argmax(total, axis=0)
        gained = _gain(total[fall, np.arange(count)]) - wave.unlikely
        better = gained > evidence
        evidence[better], falls[better], lenses[better] = gained[better], fall[better], (along_x, diagonal)
    defocus_A = defocus_A[margin : margin + count]
    top = int(np.argmax(evidence))
    best = Lens(float(defocus_A[top]), float(lenses[top, 0]), float(lenses[top, 1]))
    return DefocusSearch(defocus_A, evidence, best, FALLS_A2[falls[top]])


def refine(flat: FlatSpectrum, phase: RingPhase, found: DefocusSearch) -> tuple[Lens, float]:
    """Return the lens of the largest evidence near the best of a search, and that evidence."""
    fall = flat.weight * np.exp(-found.fall_A2 / 2 * flat.k2)

    def loss(lens: FloatArray) -> float:
        tried = Lens(*lens.tolist())
        rings = phase.rings(flat.k2, tried.defocus_A(flat.angle_rad)[:, None]) * fall
        rings -= (rings @ flat.background) @ flat.background.T
        along = float(np.vdot(rings, flat.residual)) / math.sqrt(np.vdot(rings, rings))
        return tried.unlikely - float(_gain(along))

    start = np.array(found.best)
    simplex = start + FIRST_MOVE_A * np.vstack([np.zeros(3), np.eye(3)])
    done = scipy.optimize.minimize(
        loss,
        start,
        method="Nelder-Mead",
        options={"initial_simplex": simplex, "xatol": 1.0, "fatol": 1e-3, "maxiter": 200},
    )
    return Lens(*done.x.tolist()), -float(done.fun)


def _correlations(flat: FlatSpectrum, phase: RingPhase, defocus_A: FloatArray, fall_A2: float) -> FloatArray:
    """Return ``(s, z)``: how far each sector goes along the rings of each defocus."""
    rings = phase.rings(flat.k2[:, None], defocus_A)
    rings *= (flat.weight * np.exp(-fall_A2 / 2 * flat.k2))[:, None]
    rings -= flat.background @ (flat.background.T @ rings)
    rings /= np.sqrt(np.square(rings).sum(axis=0))
    return flat.residual @ rings


def _astigmatisms() -> list[tuple[float, float]]:
    steps = np.arange(-LARGEST_ASTIGMATISM_A, LARGEST_ASTIGMATISM_A + 1, ASTIGMATISM_STEP_A).tolist()
    return [(a, b) for a in steps for b in steps if math.hypot(a, b) <= LARGEST_ASTIGMATISM_A]


def _gain(along: FloatArray | float) -> FloatArray:
    """Return the log likelihood that a length along rings in noise of strength 1 brings; none if negative."""
    return np.square(np.maximum(along, 0)) / (2 * CORRELATED)
