"""Particles whose true poses are known, as those of simulated micrographs are."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import PicksError, UsageError
from cryopick_ray.formats.files import bare_name
from cryopick_ray.formats.known import NamesAlike
from cryopick_ray.formats.reading import read_coordinates
from cryopick_ray.particles.particles import ANGLES, Particles
from cryopick_ray.picks.matching import FREE, match

SCORE = "rlnAutopickFigureOfMerit"


@dataclass(frozen=True, eq=False)
class KnownPoses:
    """Views of ``n`` particles.

    Attributes
    ----------
    angles_deg
        ``(n, 3)`` rlnAngleRot, Tilt and Psi; NaN where they are not known.
    off_A
        ``(n,)`` distances from the true centre in angstroms; NaN where there is no particle.
    """

    angles_deg: NDArray[np.float64]
    off_A: NDArray[np.float64]

    @property
    def is_known(self) -> NDArray[np.bool_]:
        """``(n,)`` which particles have a true pose."""
        return np.isfinite(self.angles_deg[:, 0])


def read_poses(where: str | Path) -> dict[str, NDArray[np.float64]]:
    """Return ``(m, 5)`` x, y in pixels and three angles in degrees of true particles, by micrograph.

    Raises
    ------
    UsageError
        There are no coordinates, or they have no angles.
    """
    found = {}
    for one in read_coordinates(where).coordinates:
        if len(one.x_px) and not all(name in one.columns for name in ANGLES):
            raise UsageError(
                f"`truth` {where} has no {', '.join(ANGLES)} for {one.micrograph.micrograph_id!r}; give "
                "poses, as simulated micrographs have them, or leave `truth` out: all are matched then"
            )
        if len(one.x_px):
            columns = [one.x_px, one.y_px, *(one.columns[name] for name in ANGLES)]
            found[bare_name(one.micrograph.micrograph_id)] = np.column_stack(columns).astype(np.float64)
    return found


def known_poses(
    particles: Particles, truth: Mapping[str, NDArray[np.float64]], radius_px: float, pixel_size_A: float
) -> KnownPoses:
    """Return the poses of the true particles that picks find, one-to-one and best scores first.

    A pick is where its picker put it: the pose has no shift towards the true centre.

    Parameters
    ----------
    truth
        As :func:`read_poses` returns it.
    radius_px
        Largest distance of a pick to the particle that it finds, in pixels of the micrograph.
    pixel_size_A
        Of the micrographs.

    Raises
    ------
    PicksError
        The particles have no coordinates or name no micrographs.
    """
    if particles.xy_px is None or particles.micrographs is None:
        raise PicksError(f"{particles.path} has no coordinates in micrographs, which tell true particles")
    angles, off_A = np.full((len(particles), 3), np.nan), np.full(len(particles), np.nan)
    score = particles.numbers(SCORE, 0.0)
    names = NamesAlike(truth)
    micrographs = np.array(particles.micrographs)
    for micrograph in np.unique(micrographs):
        alike = names.find(str(micrograph))
        if len(alike) != 1:
            continue
        here, true = np.flatnonzero(micrographs == micrograph), truth[alike[0]]
        x, y = particles.xy_px[here].T
        finds = match(x, y, score[here], true[:, 0], true[:, 1], radius_px)
        hit = here[finds != FREE]
        which = true[finds[finds != FREE]]
        angles[hit] = which[:, 2:]
        off_A[hit] = np.linalg.norm(particles.xy_px[hit] - which[:, :2], axis=1) * pixel_size_A
    return KnownPoses(angles, off_A)
