"""One simulated micrograph: settings and a number in, pixels and their truth out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import UsageError
from cryopick_ray.micrographs.junk import Junk
from cryopick_ray.simulate.contamination import Contamination, contaminate
from cryopick_ray.simulate.density import box_for
from cryopick_ray.simulate.detector import Detector, record
from cryopick_ray.simulate.drawn_ranges import draw, draw_log
from cryopick_ray.simulate.field import FieldOfView
from cryopick_ray.simulate.filament_scene import FilamentScene
from cryopick_ray.simulate.filament_stamps import draw_filaments
from cryopick_ray.simulate.laying import lay_filaments
from cryopick_ray.simulate.molecule import Molecule
from cryopick_ray.simulate.noise import (
    IceStructure,
    coloured_noise,
    ice_power,
    ice_thickness,
    ice_transmission,
)
from cryopick_ray.simulate.optics import (
    Defocus,
    Microscope,
    apply_transfer,
    interaction_rad_per_V_A,
    padded_shape,
    transfer,
)
from cryopick_ray.simulate.processing import draw_processing, process
from cryopick_ray.simulate.projection import preferred_rotations, random_rotations
from cryopick_ray.simulate.scene import Scene, place
from cryopick_ray.simulate.simulation_settings import (
    LARGEST_PX,
    SimulatedMicroscopeSettings,
    SimulationSettings,
)
from cryopick_ray.simulate.stain import draw_stain, stained, with_balls
from cryopick_ray.simulate.stamps import add_fragment, add_particles
from cryopick_ray.simulate.streaks import draw_widths, mark, streak
from cryopick_ray.simulate.variety import varied
from cryopick_ray.units import Optics, Shape

ICE_POTENTIAL_V = 3.5
"""Mean inner potential that contamination's ice-equivalent thickness is counted in."""


PARTICLES_LIE_ON = [Junk.NONE, Junk.LATTICE]

LEAST_INTENSITY = 0.02
"""Weak-phase contrast falls below zero in thick matter, where it does not hold; electrons never do."""


@dataclass(frozen=True)
class SimulatedMicrograph:
    """Pixels and what is true of them.

    Attributes
    ----------
    pixels
        ``(h, w)`` float32 electrons per pixel, or what processing makes of them; particles are darker
        than the ice.
    scene
        Where the particles lie and which molecule each is; what lies about free, beside filaments.
    filaments
        Where the filaments run; ``None`` if no molecule is one.
    rotations
        ``(n, 3, 3)`` molecule to microscope.
    microscope
        How the image was taken.
    mask
        ``(h, w)`` bool, true where no particle is picked: on contamination and bad ice, and on streaked
        borders.
    junk
        ``(h, w)`` uint8 codes of :class:`~cryopick_ray.micrographs.junk.Junk`: none under the mask is
        ``NONE``, for streaked borders count as ``CONTAMINATION``; members of clumps are ``AGGREGATE``
        and a ``LATTICE`` is told, though particles lie on both.
    """

    pixels: NDArray[np.float32]
    scene: Scene
    filaments: FilamentScene | None
    rotations: NDArray[np.float64]
    microscope: Microscope
    mask: NDArray[np.bool_]
    junk: NDArray[np.uint8]


def simulate(settings: SimulationSettings, molecules: Sequence[Molecule], number: int) -> SimulatedMicrograph:
    """Simulate the ``number``-th micrograph; what came before it does not matter.

    The phase of the exit wave (particles, contamination, structural ice noise) passes through the
    contrast transfer, uneven ice and contamination take their share of the electrons, and the camera
    counts the rest, and processing does what it is told. Each part has its own stream of random numbers.

    Parameters
    ----------
    molecules
        Those that ``settings`` names.
    """
    shape = settings.height_px, settings.width_px
    streams = np.random.default_rng([settings.seed, number]).spawn(13)
    molecules = [varied(molecule, streams[7], draw(streams[7], settings.variety)) for molecule in molecules]
    microscope = _microscope(streams[0], settings.microscope, settings.pixel_size_A)
    contamination = contaminate(streams[1], shape, settings.pixel_size_A, settings.contamination)
    view = FieldOfView(shape, settings.pixel_size_A)
    if (stain := draw_stain(streams[9], view, settings.stain)) is not None:
        contamination = with_balls(contamination, stain)
    widths = draw_widths(streams[8], shape, settings.exposure.streaks_px)
    mask = mark(contamination.mask, widths)
    filaments = lay_filaments(streams[11], view, settings.scene, molecules, contamination.mask, mask)
    singles = [molecule.helix.single if molecule.helix else molecule for molecule in molecules]
    diameters_A = [molecule.diameter_A for molecule in singles]
    scene = _place(streams[2], settings, diameters_A, filaments, mask)
    rotations = _rotations(streams[3], settings, len(scene))
    potential = _particles(streams[4], settings, singles, scene, rotations, shape)
    if filaments is not None:
        draw_filaments(streams[12], settings, molecules, filaments, potential)
    if stain is not None:
        contamination = stained(contamination, stain, potential, settings.pixel_size_A)
        potential = np.zeros_like(potential)
    potential += contamination.potential_A * np.float32(ICE_POTENTIAL_V)
    potential *= np.float32(interaction_rad_per_V_A(microscope.optics.voltage_kV))
    intensity = _seen(streams[5], settings, microscope, contamination, potential)
    pixels = streak(_recorded(streams[6], settings, intensity), widths)
    pixels = process(pixels, settings.pixel_size_A, draw_processing(streams[10], settings.processing))
    junk = contamination.junk.copy()
    junk[mask & np.isin(junk, PARTICLES_LIE_ON)] = Junk.CONTAMINATION
    _tell_clumps(junk, scene, np.array(diameters_A) / settings.pixel_size_A, filaments)
    return SimulatedMicrograph(pixels, scene, filaments, rotations, microscope, mask, junk)


def check(settings: SimulationSettings, molecules: Sequence[Molecule]) -> None:
    """Refuse, before anything is made, what no micrograph without contamination could hold.

    Raises
    ------
    UsageError
        The most particles asked for do not fit, a molecule is too large in pixels, or the image is
        too small for the fringes of the highest defocus.
    """
    shape = settings.height_px, settings.width_px
    singles = [molecule.helix.single if molecule.helix else molecule for molecule in molecules]
    for molecule in (*molecules, *singles):
        if (box := box_for(molecule, settings.pixel_size_A)) > LARGEST_PX:
            raise UsageError(
                f"molecule {molecule.name!r} fills {box} px at {settings.pixel_size_A:g} A per pixel: "
                f"expected at most {LARGEST_PX} (`pixel_size_A`)"
            )
    scene = settings.scene
    particles = scene.particles and (scene.particles[1],) * 2
    packing = scene.filaments.background if any(molecule.helix for molecule in molecules) else scene.packing
    densest = {"particles": particles, "packing": (packing[1],) * 2, "empty_probability": 0.0}
    diameters_A = [molecule.diameter_A for molecule in singles]
    rng = np.random.default_rng(settings.seed)
    place(rng, shape, settings.pixel_size_A, diameters_A, scene.model_copy(update=densest))
    for microscope in settings.microscope.extremes(settings.pixel_size_A):
        if any(
            around > 3 * side for around, side in zip(padded_shape(microscope, shape), shape, strict=True)
        ):
            raise UsageError(
                f"{shape[0]}x{shape[1]} px of {settings.pixel_size_A:g} A are too few for the fringes of "
                f"{microscope.defocus.u_A:g} A defocus: expected a larger "
                "`height_px` and `width_px`, or a smaller `microscope.defocus_A`"
            )


def _microscope(
    rng: np.random.Generator, given: SimulatedMicroscopeSettings, pixel_size_A: float
) -> Microscope:
    middle, difference = draw(rng, given.defocus_A), draw(rng, given.astigmatism_A)
    drift, direction = draw(rng, given.drift_A), rng.uniform(0, 2 * np.pi)
    return Microscope(
        Optics(
            draw(rng, given.voltage_kV),
            draw(rng, given.spherical_aberration_mm),
            draw(rng, given.amplitude_contrast),
        ),
        Defocus(middle + difference / 2, middle - difference / 2, rng.uniform(-90, 90)),
        pixel_size_A,
        b_factor_A2=draw(rng, given.b_factor_A2),
        drift_A=(drift * np.cos(direction), drift * np.sin(direction)),
    )


def _place(
    rng: np.random.Generator,
    settings: SimulationSettings,
    diameters_A: Sequence[float],
    filaments: FilamentScene | None,
    mask: NDArray[np.bool_],
) -> Scene:
    """Place the particles; beside filaments they are few and none of them counts."""
    shape, given = (settings.height_px, settings.width_px), settings.scene
    if filaments is None:
        return place(rng, shape, settings.pixel_size_A, diameters_A, given, mask)
    update = {"packing": given.filaments.background, "empty_probability": float(filaments.is_empty)}
    scene = place(rng, shape, settings.pixel_size_A, diameters_A, given.model_copy(update=update), mask)
    return replace(scene, pickable=np.zeros(len(scene), bool))


def _rotations(rng: np.random.Generator, settings: SimulationSettings, count: int) -> NDArray[np.float64]:
    spread_deg = draw(rng, settings.preferred_spread_deg)
    if spread_deg == 0:
        return random_rotations(rng, count)
    return preferred_rotations(rng, count, rng.normal(size=3), spread_deg)


def _particles(
    rng: np.random.Generator,
    settings: SimulationSettings,
    molecules: Sequence[Molecule],
    scene: Scene,
    rotations: NDArray[np.float64],
    shape: Shape,
) -> NDArray[np.float32]:
    """Return the projected potential of all particles in V A."""
    potential = np.zeros(shape, np.float32)
    exposure, pixel_size_A = settings.exposure, settings.pixel_size_A
    spread = draw(rng, exposure.contrast_spread)
    contrast = draw(rng, exposure.contrast) * np.maximum(1 + spread * rng.standard_normal(len(scene)), 0.1)
    for number, molecule in enumerate(molecules):
        whole = np.flatnonzero((scene.molecule == number) & (scene.mass_fraction == 1))
        x_px, y_px = scene.x_px[whole], scene.y_px[whole]
        add_particles(potential, molecule, rotations[whole], x_px, y_px, contrast[whole], pixel_size_A)
    for i in np.flatnonzero(scene.mass_fraction < 1):
        molecule, fraction = molecules[scene.molecule[i]], scene.mass_fraction[i]
        x_px, y_px = scene.x_px[i], scene.y_px[i]
        add_fragment(potential, molecule, rotations[i], x_px, y_px, fraction, contrast[i], pixel_size_A)
    return potential


def _tell_clumps(
    junk: NDArray[np.uint8],
    scene: Scene,
    diameters_px: NDArray[np.float64],
    filaments: FilamentScene | None,
) -> None:
    """Write ``AGGREGATE`` on the members of clumps and on tangles, where nothing worse lies."""
    view = FieldOfView((junk.shape[0], junk.shape[1]), pixel_size_A=1.0)
    clumped = scene.aggregate >= 0
    radii = diameters_px[scene.molecule[clumped]] / 2
    discs = np.column_stack([scene.x_px[clumped], scene.y_px[clumped], radii])
    if filaments is not None:
        discs = np.concatenate([discs, filaments.tangles])
    for x, y, radius in discs:
        rows, columns = view.window(x, y, radius)
        dy, dx = view.positions_A(rows, 0) - y, view.positions_A(columns, 1) - x
        near = junk[rows, columns]
        near[(np.hypot(dy[:, None], dx) <= radius) & np.isin(near, PARTICLES_LIE_ON)] = Junk.AGGREGATE


def _seen(
    rng: np.random.Generator,
    settings: SimulationSettings,
    microscope: Microscope,
    contamination: Contamination,
    phase: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return the intensity that leaves the lens, relative to the incident beam."""
    ice, shape = settings.ice, (phase.shape[0], phase.shape[1])
    structure = IceStructure(
        draw(rng, ice.noise_rad2_A2), draw(rng, ice.noise_knee_A), draw(rng, ice.noise_slope)
    )
    phase += coloured_noise(rng, shape, ice_power(structure, shape, settings.pixel_size_A))
    intensity = apply_transfer(phase, transfer(microscope, padded_shape(microscope, shape)))
    np.maximum(intensity, np.float32(LEAST_INTENSITY), out=intensity)
    thickness_A = ice_thickness(
        rng, shape, draw_log(rng, ice.thickness_A), draw(rng, ice.thickness_variation)
    )
    intensity *= ice_transmission(thickness_A, draw(rng, ice.mean_free_path_A))
    intensity *= np.exp(-contamination.absorption)
    return intensity


def _recorded(
    rng: np.random.Generator, settings: SimulationSettings, intensity: NDArray[np.float32]
) -> NDArray[np.float32]:
    exposure = settings.exposure
    detector = Detector(
        draw(rng, exposure.dqe_zero), draw(rng, exposure.dqe_nyquist), draw(rng, exposure.mtf_nyquist)
    )
    return record(rng, intensity, draw(rng, exposure.dose_e_per_A2), settings.pixel_size_A, detector)
