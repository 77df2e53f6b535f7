"""Filaments onto the micrograph: straight blocks of repeat units, one after another along the axis."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.filaments.trace import Trace
from cryopick_ray.simulate.drawn_ranges import draw
from cryopick_ray.simulate.filament_scene import Filament, FilamentScene
from cryopick_ray.simulate.helices import BLOCK, block, units_in
from cryopick_ray.simulate.molecule import Molecule
from cryopick_ray.simulate.projection import euler_to_rotations
from cryopick_ray.simulate.simulation_settings import SimulationSettings
from cryopick_ray.simulate.stamps import add_particles


def draw_filaments(
    rng: np.random.Generator,
    settings: SimulationSettings,
    molecules: Sequence[Molecule],
    scene: FilamentScene,
    potential: NDArray[np.float32],
) -> None:
    """Add the projected potential of all filaments, in V A, to ``(h, w)``."""
    exposure, count = settings.exposure, len(scene.filaments)
    spread = draw(rng, exposure.contrast_spread)
    contrast = draw(rng, exposure.contrast) * np.maximum(1 + spread * rng.standard_normal(count), 0.1)
    phases_deg, tilts_deg = rng.uniform(0, 360, count), scene.tilt_deg * rng.standard_normal(count)
    of = np.array([filament.molecule for filament in scene.filaments], np.int64)
    for number, molecule in enumerate(molecules):
        some = np.flatnonzero(of == number)
        add_filaments(
            potential,
            molecule,
            [scene.filaments[i] for i in some],
            *(phases_deg[some], tilts_deg[some], contrast[some]),
            settings.pixel_size_A,
        )


def add_filaments(
    image: NDArray[np.float32],
    molecule: Molecule,
    filaments: Sequence[Filament],
    phases_deg: NDArray[np.float64],
    tilts_deg: NDArray[np.float64],
    scale: NDArray[np.float64],
    pixel_size_A: float,
) -> None:
    """Add the projected potential (V A, times ``scale``) of one molecule's filaments to an image.

    Parameters
    ----------
    image
        ``(h, w)``, changed in place.
    phases_deg, tilts_deg, scale
        ``(n,)`` turn about the axis of the first block, angle of the axis out of the plane of the image,
        and a factor.
    """
    if not filaments:
        return
    units = units_in(molecule, BLOCK)
    parts = [
        _along(filament, molecule, units, phase, tilt, pixel_size_A)
        for filament, phase, tilt in zip(filaments, phases_deg, tilts_deg, strict=True)
    ]
    angles_deg, points = (np.concatenate(some) for some in zip(*parts, strict=True))
    scales = np.repeat(scale, [len(places) for _, places in parts])
    piece = block(molecule, units)
    x_px, y_px = points.T
    add_particles(image, piece, euler_to_rotations(angles_deg), x_px, y_px, scales, pixel_size_A)


def _along(
    filament: Filament, molecule: Molecule, units: int, phase_deg: float, tilt_deg: float, pixel_size_A: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return ``(n, 3)`` Euler angles and ``(n, 2)`` x, y of blocks from end to end of a filament.

    The molecule's z runs along the axis in the order of its points; ``R`` turns by minus the first angle
    about it.
    """
    helix = molecule.helix
    assert helix is not None
    axis = Trace(filament.points)
    length_px = units * helix.rise_A * np.cos(np.deg2rad(tilt_deg)) / pixel_size_A
    count = max(1, round(axis.length_px / length_px))
    track = axis.length_px / 2 + (np.arange(count) - (count - 1) / 2) * length_px
    direction_deg = np.rad2deg(axis.direction_rad(track, length_px))
    turn_deg = phase_deg + np.arange(count) * units * helix.twist_deg
    angles_deg = np.stack([-turn_deg, np.full(count, 90 - tilt_deg), 180 - direction_deg], axis=1)
    return angles_deg, axis.at(track)
