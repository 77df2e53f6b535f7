"""What particles are worth in three dimensions: how far maps of them agree, and with what is true."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from cryopick_ray.errors import PicksError
from cryopick_ray.particles.particle_star import Particles
from cryopick_ray.particles.volume.fsc import Curve, Map, agreement, fsc, resolution_A
from cryopick_ray.particles.volume.gridding import solve
from cryopick_ray.particles.volume.reconstruct import Poses, added
from cryopick_ray.particles.volume.view_directions import sampling

QUARTERS = 4
WAYS = (1, 2, 3)
"""Quarters that the first may make a half with: three ways to halve, from one pass over the images."""
AGREED, TRUE = 0.143, 0.5


@dataclass(frozen=True, eq=False)
class Worth:
    """What particles came to.

    Attributes
    ----------
    particles
        How many.
    half_A
        Where the half maps' corrected correlation falls below .143, in angstroms, for each way to halve.
    reference_A
        Where the correlation of the map with the reference falls below a half.
    sampling, unseen
        See :func:`~cryopick_ray.particles.volume.view_directions.sampling`.
    frequency_per_A, halves, to_reference
        ``(side // 2 + 1,)`` curves by shell: of the half maps the mean over the ways.
    volume
        The map, ``(side, side, side)``.
    """

    particles: int
    half_A: tuple[float, ...]
    reference_A: float
    sampling: float
    unseen: float
    frequency_per_A: Curve
    halves: Curve
    to_reference: Curve
    volume: Map


def worth_of(
    particles: Particles,
    poses: Poses,
    symmetry: NDArray[np.float64],
    mask: Map,
    reference: Map,
    *,
    seed: int = 0,
    device: torch.device | None = None,
) -> Worth:
    """Reconstruct particles and say how far their maps agree.

    Parameters
    ----------
    poses
        Of all of them.
    symmetry
        ``(s, 3, 3)``; see :func:`~.symmetry.rotations_of`.
    mask, reference
        ``(box, box, box)``: from 0 to 1, and the molecule.
    seed
        Of the quarters and of random phases.

    Raises
    ------
    PicksError
        There are fewer than four particles.
    """
    count = len(particles)
    if count < QUARTERS:
        raise PicksError(
            f"{particles.path} has {count} particles to make a map of; expected {QUARTERS} or more"
        )
    quarter = np.random.default_rng(seed).permutation(np.arange(count) % QUARTERS)
    sums = added(particles, poses, quarter, QUARTERS, symmetry, device=device)
    found = []
    for way in WAYS:
        other = [sums[at] for at in range(1, QUARTERS) if at != way]
        first, second = (solve(a + b).cpu().numpy() for a, b in ((sums[0], sums[way]), other))
        found.append(agreement(first, second, mask, particles.pixel_size_A, seed))
    whole = solve(sums[0] + sums[1] + sums[2] + sums[3]).cpu().numpy()
    curve = fsc(whole * mask, reference * mask)
    return Worth(
        count,
        tuple(one.resolution_A(AGREED) for one in found),
        resolution_A(curve, particles.box_px * particles.pixel_size_A, TRUE),
        *sampling(poses.rotations, symmetry),
        found[0].frequency_per_A,
        np.mean([one.corrected for one in found], axis=0),
        curve,
        whole,
    )
