"""Doubts about a fitted defocus."""

import numpy as np

from cryopick_ray.micrographs.ctf.lens import Lens
from cryopick_ray.micrographs.ctf.ring_quality import RingQuality
from cryopick_ray.micrographs.ctf.search import STEP_A, DefocusSearch

LEAST_EVIDENCE = 30.0
"""Noise alone reaches 13 in a range of 5 um."""
FEWEST_RINGS = 2.0
RIVAL = 0.6
"""Part of the best evidence from which another defocus fits nearly as well."""


def doubts_of(searched: DefocusSearch, lens: Lens, evidence: float, quality: RingQuality) -> tuple[str, ...]:
    """Return the doubts about a fit, empty if there are none.

    Parameters
    ----------
    searched
        The search that the fit began from.
    lens, evidence
        The fitted lens and its evidence.
    quality
        Quality of its rings.
    """
    if evidence < LEAST_EVIDENCE or quality.resolution_A is None or quality.rings < FEWEST_RINGS:
        return ("no rings are seen",)
    doubts = []
    rival_A, rivalling = rival(searched)
    if rivalling > RIVAL * float(searched.evidence.max()):
        doubts.append(f"several fit nearly as well: {lens.mean_A:.0f} and {rival_A:.0f} A")
    least, most = float(searched.defocus_A[0]), float(searched.defocus_A[-1])
    if not least + STEP_A < lens.mean_A < most - STEP_A:
        doubts.append(
            f"{lens.mean_A:.0f} A is at the end of the range searched, {least:.0f} to {most:.0f} A "
            "(`defocus_A`)"
        )
    return tuple(doubts)


def rival(searched: DefocusSearch) -> tuple[float, float]:
    """Return the best defocus of another peak, and its evidence.

    A peak reaches as far as the evidence falls, to less than half of it at least.
    """
    top = int(np.argmax(searched.evidence))
    below = searched.evidence < searched.evidence[top] / 2
    before, after = np.flatnonzero(below[:top]), np.flatnonzero(below[top:])
    others = searched.evidence.copy()
    others[before[-1] + 1 if len(before) else 0 : top + (after[0] if len(after) else len(below))] = -np.inf
    other = int(np.argmax(others))
    return float(searched.defocus_A[other]), float(others[other])
