"""Particles whose true poses are known, as those of simulated micrographs are."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import PicksError, UsageError
from cryopick_ray.formats.export_paths import bare_name
from cryopick_ray.formats.known import NamesAlike
from cryopick_ray.formats.reading import read_coordinates
from cryopick_ray.particles.particle_star import ANGLES, DEFOCUS, Particles
from cryopick_ray.picks.matching import FREE, match

SCORE = "rlnAutopickFigureOfMerit"


@dataclass(frozen=True, eq=False)
class TrueParticles:
    """True particles of a micrograph.

    Attributes
    ----------
    xy_px
        ``(m, 2)`` centres x, y in pixels of the micrograph.
    angles_deg
        ``(m, 3)`` rlnAngleRot, Tilt and Psi.
    defocus
        rlnDefocusU, V (angstroms) and Angle (degrees) of the micrograph; ``None`` if the truth has none.
    """

    xy_px: NDArray[np.float64]
    angles_deg: NDArray[np.float64]
    defocus: tuple[float, float, float] | None


def read_poses(where: str | Path) -> dict[str, TrueParticles]:
    """Return true particles by micrograph, those without particles left out.

    Raises
    ------
    UsageError
        There are no coordinates, or they have no angles.
    PicksError
        A micrograph's particles are there under two names.
    """
    found, names = dict[str, TrueParticles](), dict[str, str]()
    for one in read_coordinates(where).coordinates:
        if not len(one.x_px):
            continue
        if not all(name in one.columns for name in ANGLES):
            raise UsageError(
                f"`truth` {where} has no {', '.join(ANGLES)} for {one.micrograph.micrograph_id!r}; give "
                "poses, as simulated micrographs have them, or leave `truth` out: all are matched then"
            )
        own = one.micrograph.micrograph_id
        name = bare_name(own)
        if (other := names.setdefault(name, own)) != own:
            raise PicksError(
                f"`truth` {where} has the particles of {name!r} as {other!r} and as {own!r}; keep one of them"
            )
        has_ctf = all(name in one.columns for name in DEFOCUS)
        u_A, v_A, angle_deg = (float(one.columns[name][0]) if has_ctf else 0.0 for name in DEFOCUS)
        found[name] = TrueParticles(
            np.column_stack([one.x_px, one.y_px]).astype(np.float64),
            np.column_stack([one.columns[name] for name in ANGLES]).astype(np.float64),
            (u_A, v_A, angle_deg) if has_ctf else None,
        )
    return found


def known_poses(
    particles: Particles, truth: Mapping[str, TrueParticles], radius_px: float
) -> NDArray[np.float64]:
    """Return ``(n, 3)`` rlnAngleRot, Tilt and Psi of the true particles that picks find, else NaN.

    One-to-one and best scores first.

    Parameters
    ----------
    truth
        As :func:`read_poses` returns it.
    radius_px
        Largest distance of a pick to the particle that it finds, in pixels of the micrograph.

    Raises
    ------
    PicksError
        The particles have no coordinates or name no micrographs, or one that may be either of two of the
        truth.
    """
    angles = np.full((len(particles), 3), np.nan)
    score, xy_px = particles.numbers(SCORE, 0.0), _places(particles)
    for here, true in _by_micrograph(particles, truth):
        (x_px, y_px), (true_x_px, true_y_px) = xy_px[here].T, true.xy_px.T
        finds = match(x_px, y_px, score[here], true_x_px, true_y_px, radius_px)
        angles[here[finds != FREE]] = true.angles_deg[finds[finds != FREE]]
    return angles


def known_defocus(particles: Particles, truth: Mapping[str, TrueParticles]) -> dict[str, NDArray[np.float64]]:
    """Return rlnDefocusU, V and Angle ``(n,)`` of each micrograph's truth; nothing if it has none.

    Where only some micrographs have true particles, the others get NaN.
    """
    values = np.full((len(particles), len(DEFOCUS)), np.nan)
    for here, true in _by_micrograph(particles, truth):
        if true.defocus is not None:
            values[here] = true.defocus
    return {} if np.isnan(values).all() else dict(zip(DEFOCUS, values.T, strict=True))


def _places(particles: Particles) -> NDArray[np.float64]:
    if particles.xy_px is None:
        raise PicksError(f"{particles.path} has no coordinates in micrographs, which tell true particles")
    return particles.xy_px


def _by_micrograph(
    particles: Particles, truth: Mapping[str, TrueParticles]
) -> Iterator[tuple[NDArray[np.intp], TrueParticles]]:
    """Yield the particles of each micrograph, by their places, and the true ones."""
    if particles.micrographs is None:
        raise PicksError(f"{particles.path} names no micrographs, which tell true particles")
    names, micrographs = NamesAlike(truth), np.array(particles.micrographs)
    for micrograph in np.unique(micrographs):
        alike = names.find(str(micrograph))
        if len(alike) > 1:
            raise PicksError(
                f"true particles of {str(micrograph)!r} may be those of {alike[0]!r} or of {alike[1]!r}; "
                "give `truth` the micrographs' folders"
            )
        if alike:
            yield np.flatnonzero(micrographs == micrograph), truth[alike[0]]
