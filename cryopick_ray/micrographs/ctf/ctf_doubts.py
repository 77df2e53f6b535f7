"""Why a fitted defocus may be wrong."""

import numpy as np

from cryopick_ray.micrographs.ctf.lens import Lens
from cryopick_ray.micrographs.ctf.ring_quality import Quality
from cryopick_ray.micrographs.ctf.search import STEP_A, DefocusSearch

LEAST_EVIDENCE = 30.0
"""Noise alone reaches 13 in a range of 5 um."""
FEWEST_RINGS = 2.0
RIVAL = 0.6
"""Part of the best evidence from which another defocus fits nearly as well."""


def doubts_of(found: DefocusSearch, lens: Lens, evidence: float, seen: Quality) -> tuple[str, ...]:
    """Return them, empty if there are none.

    Parameters
    ----------
    found
        Where it was searched for.
    lens, evidence
        What came out.
    seen
        How far its rings were followed.
    """
    if evidence < LEAST_EVIDENCE or seen.resolution_A is None or seen.rings < FEWEST_RINGS:
        return ("no rings are seen",)
    doubts = []
    rival_A, rivalling = rival(found)
    if rivalling > RIVAL * float(found.evidence.max()):
        doubts.append(f"several fit nearly as well: {lens.mean_A:.0f} and {rival_A:.0f} A")
    least, most = float(found.defocus_A[0]), float(found.defocus_A[-1])
    if not least + STEP_A < lens.mean_A < most - STEP_A:
        doubts.append(
            f"{lens.mean_A:.0f} A is at the end of the range searched, {least:.0f} to {most:.0f} A "
            "(`defocus_A`)"
        )
    return tuple(doubts)


def rival(found: DefocusSearch) -> tuple[float, float]:
    """Return the best defocus of another peak, and its evidence.

    A peak reaches as far as the evidence falls, to less than half of it at least.
    """
    top = int(np.argmax(found.evidence))
    below = found.evidence < found.evidence[top] / 2
    before, after = np.flatnonzero(below[:top]), np.flatnonzero(below[top:])
    others = found.evidence.copy()
    others[before[-1] + 1 if len(before) else 0 : top + (after[0] if len(after) else len(below))] = -np.inf
    other = int(np.argmax(others))
    return float(found.defocus_A[other]), float(others[other])
