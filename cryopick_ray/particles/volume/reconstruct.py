"""Images with poses -> two half maps and a map of all, batch by batch."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cryopick_ray.errors import PicksError
from cryopick_ray.formats.relion.particle_rows import ORIGINS_A
from cryopick_ray.particles.images import batches, read_images
from cryopick_ray.particles.particle_ctf import ctfs
from cryopick_ray.particles.particle_star import ANGLES, SUBSET, Particles
from cryopick_ray.particles.volume.gridding import solve
from cryopick_ray.particles.volume.insertion import SliceSums, tensor
from cryopick_ray.simulate.projection import rotations_to_euler

BATCH = 64
LARGEST_PX = 512  # 70 GB of memory

Map = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Poses:
    """How ``n`` particles lie in their images.

    Attributes
    ----------
    rotations
        ``(n, 3, 3)``, molecule to microscope.
    origin_A
        ``(n, 2)`` x, y that bring a particle to pixel ``box_px // 2``.
    """

    rotations: NDArray[np.float64]
    origin_A: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Maps:
    """What images came to: ``halves`` of ``counts`` particles, and ``whole`` of all."""

    halves: tuple[Map, Map]
    whole: Map
    counts: tuple[int, int]


def pose_columns(poses: Poses) -> dict[str, NDArray[Any]]:
    """Return poses as RELION's columns: angles in degrees and origins in angstroms."""
    angles = dict(zip(ANGLES, rotations_to_euler(poses.rotations).T, strict=True))
    return angles | dict(zip(ORIGINS_A, poses.origin_A.T, strict=True))


def reconstruct(
    particles: Particles,
    poses: Poses,
    half: NDArray[np.int64],
    symmetry: NDArray[np.float64],
    *,
    resolution_A: float | None = None,
    device: torch.device | None = None,
) -> Maps:
    """Return the maps that particles are images of, transfer functions corrected where they are known.

    Memory does not depend on the number of particles: 12 bytes x ``(2 box)^3`` for the sums of both halves,
    and about 65 in all while a map is made of them: 1 GB for a box of 128 pixels, 9 GB for 256.

    Parameters
    ----------
    half
        ``(n,)`` 1 or 2 from :func:`halves_of`.
    symmetry
        ``(s, 3, 3)`` rotations; see :func:`~.symmetry.rotations_of`.
    resolution_A
        Finest detail; default: as fine as pixels can show.

    Raises
    ------
    PicksError
        Boxes have more than :data:`LARGEST_PX` pixels a side.
    """
    first, second = added(particles, poses, half - 1, 2, symmetry, resolution_A=resolution_A, device=device)
    made = [solve(sums).cpu().numpy() for sums in (first, second, first + second)]
    return Maps((made[0], made[1]), made[2], (first.count, second.count))


def added(
    particles: Particles,
    poses: Poses,
    group: NDArray[np.int64],
    groups: int,
    symmetry: NDArray[np.float64],
    *,
    resolution_A: float | None = None,
    device: torch.device | None = None,
) -> list[SliceSums]:
    """Return what particles add up to, apart for each group of them.

    Parameters
    ----------
    group
        ``(n,)`` from 0 to ``groups - 1``.

    The others, and what is refused, are those of :func:`reconstruct`.
    """
    check_box(particles)
    radius = particles.box_px / 2
    if resolution_A is not None:
        radius = min(radius, particles.box_px * particles.pixel_size_A / resolution_A)
    made = [SliceSums.empty(particles.box_px, radius, device) for _ in range(groups)]
    turns = tensor(symmetry, device)
    for places in batches(particles, BATCH):
        for number, sums in enumerate(made):
            own = places[group[places] == number]
            if not len(own):
                continue
            transfer = None
            if particles.ctf is not None:
                transfer = ctfs(particles.ctf.of(own), particles.box_px, particles.pixel_size_A).to(device)
            sums.add(
                tensor(read_images(particles, own), device),
                tensor(poses.rotations[own], device)[:, None] @ turns,
                transfer,
                tensor(poses.origin_A[own] / particles.pixel_size_A, device),
            )
    return made


def check_box(particles: Particles) -> None:
    """Refuse boxes of more than :data:`LARGEST_PX` pixels a side, before room is made for maps of them."""
    if particles.box_px > LARGEST_PX:
        raise PicksError(
            f"{particles.path} has boxes of {particles.box_px} pixels, expected at most {LARGEST_PX}: "
            "extract the particles again at a smaller size"
        )


def halves_of(particles: Particles, seed: int) -> NDArray[np.int64]:
    """Return 1 or 2 for each particle, ``(n,)``: as the file says, else drawn, as many of each.

    Raises
    ------
    PicksError
        The file has other numbers, or a half is empty.
    """
    subset = particles.subset
    if subset is None:
        subset = np.random.default_rng(seed).permutation(np.arange(len(particles)) % 2 + 1)
    numbers = np.unique(subset).tolist()
    if numbers != [1, 2]:
        raise PicksError(f"{particles.path} has {SUBSET} {numbers}: expected particles of 1 and of 2")
    return subset
