"""Where the particles of a micrograph lie, which molecule each is, and which of them one would pick."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cryopick_ray.errors import UsageError
from cryopick_ray.settings.base import Settings, Shown
from cryopick_ray.simulate.aggregates import Aggregate, grow
from cryopick_ray.simulate.canvas import INSIDE, ON_CONTAMINATION, REGIONS, Ground
from cryopick_ray.simulate.drawn_ranges import CountRange, FractionRange, Range, between, draw, draw_count
from cryopick_ray.simulate.filament_scene import FilamentSceneSettings
from cryopick_ray.simulate.placement import throw
from cryopick_ray.units import Shape, is_positive

COVERAGE_MAX = 0.47
"""Share of the image that discs of the minimum distance may cover; random addition jams at 0.547."""
PACKING = 2 / 3**0.5
"""Close-packed discs of diameter d on an area A: ``PACKING A / d^2``."""


class SceneSettings(Settings):
    """How many particles, and how they lie; ranges are drawn anew for each micrograph.

    Attributes
    ----------
    particles
        Single particles with their centre inside an image free of contamination; contaminated
        images get as many fewer as they have less room. ``None`` to go by ``packing``.
    packing
        The same as a fraction of the close-packed number: 0.02 is sparse, 0.5 crowded.
    minimum_distance
        Between two centres, as a fraction of the mean of their diameters: 1 lets nothing overlap.
    mixture
        Relative numbers of the molecules; ``None`` for equal numbers.
    aggregates, aggregate_particles
        Clumps of touching molecules, and how many molecules are in one; a crowded image holds only
        the clumps that leave room to the single particles.
    broken_fraction
        Share of the single particles that are fragments.
    fragment
        What is left of a broken one, as a fraction of its mass.
    density_on_contamination
        Density of particles on contamination, relative to that elsewhere.
    empty_probability
        Chance that a micrograph holds nothing but ice.
    filaments
        How they run, where a molecule is a filament; the truth is of filaments alone, then.
    """

    particles: Annotated[CountRange | None, Shown(metavar="N|LO,HI")] = Field(
        default=None, description="Particles of a micrograph; default: by `scene.packing`."
    )
    packing: Annotated[FractionRange, Shown(metavar="X|LO,HI")] = Field(
        default=(0.05, 0.4), description="Share of the close-packed number."
    )
    minimum_distance: Annotated[float, Field(gt=0, le=10)] = 0.85
    mixture: tuple[Annotated[float, Field(ge=0, le=1e6)], ...] | None = None
    aggregates: CountRange = (0, 3)
    aggregate_particles: Annotated[CountRange, between(2, 1000)] = (3, 12)
    broken_fraction: FractionRange = (0.0, 0.1)
    fragment: Annotated[Range, between(0.05, 0.95)] = (0.3, 0.7)
    density_on_contamination: Annotated[float, Field(ge=0, le=1)] = 0.0
    empty_probability: Annotated[float, Field(ge=0, le=1)] = 0.0
    filaments: FilamentSceneSettings = FilamentSceneSettings()


@dataclass(frozen=True)
class Scene:
    """The particles of one micrograph; what is true of each, but for its orientation.

    Attributes
    ----------
    x_px, y_px
        ``(n,)`` float64 centres; some lie outside the image by up to half a diameter.
    molecule
        ``(n,)`` int64 number in the list of molecules.
    mass_fraction
        ``(n,)`` float64; 1 for a whole molecule, less for a fragment.
    aggregate
        ``(n,)`` int64 number of the clump it belongs to, -1 for a single particle.
    pickable
        ``(n,)`` bool: whole, single, its centre inside the image and off contamination. These are
        the truth; the others are there for pickers to leave alone.
    """

    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    molecule: NDArray[np.int64]
    mass_fraction: NDArray[np.float64]
    aggregate: NDArray[np.int64]
    pickable: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.x_px)


def place(
    rng: np.random.Generator,
    shape: Shape,
    pixel_size_A: float,
    diameters_A: Sequence[float],
    settings: SceneSettings,
    contaminated: NDArray[np.bool_] | None = None,
) -> Scene:
    """Decide where the particles of one micrograph lie.

    Around the image lies as dense a rim of particles whose centre is outside, for they reach in.

    Parameters
    ----------
    diameters_A
        ``(m,)`` of the molecules.
    contaminated
        ``(h, w)``, true where carbon, ice crystals and the like cover the image; ``None`` for nowhere.

    Raises
    ------
    UsageError
        If so many particles do not fit, or the settings don't go with the molecules.
    """
    ground = Ground(
        shape, _diameters_px(diameters_A, pixel_size_A), _weights(settings, diameters_A), contaminated
    )
    if contaminated is not None and contaminated.shape != shape:
        raise UsageError(f"the contamination mask has shape {contaminated.shape}, the image {shape}")
    if rng.uniform() < settings.empty_probability:
        return _gather(ground, np.zeros((0, 2)), np.zeros(0, np.int64), np.zeros(0), [], np.zeros((0, 2)))
    full = _number(rng, ground, settings)
    regions = ground.regions(full, settings.density_on_contamination)
    molecule = np.concatenate([_mix(rng, ground.weights, int(np.sum(regions == r))) for r in REGIONS])
    share = draw(rng, settings.broken_fraction)
    mass = np.concatenate([_break(rng, settings, share, int(np.sum(regions == r))) for r in REGIONS])
    clumps = _clumps(rng, ground, settings, full)
    reach = settings.minimum_distance * ground.diameters_px[molecule] / 2
    regions = np.append(regions, np.full(len(clumps), INSIDE))
    centres = throw(np.append(reach, [c.reach_px for c in clumps]), ground.proposer(rng, regions))
    singles = centres[: len(molecule)]
    wanted, found = np.sum(regions[: len(molecule)] == INSIDE), np.isfinite(singles[:, 0])
    if (fitted := int(np.sum(found & (regions[: len(molecule)] == INSIDE)))) < wanted:
        raise _crowded(ground, settings, full, int(full * fitted / wanted))
    return _gather(ground, singles[found], molecule[found], mass[found], clumps, centres[len(molecule) :])


def _diameters_px(diameters_A: Sequence[float], pixel_size_A: float) -> NDArray[np.float64]:
    if not len(diameters_A) or not all(is_positive(d) for d in (*diameters_A, pixel_size_A)):
        raise UsageError(
            f"molecules of {list(diameters_A)} A at {pixel_size_A:g} A per pixel: expected at least one "
            "molecule and sizes above 0 (`molecules`, `pixel_size_A`)"
        )
    return np.asarray(diameters_A, dtype=np.float64) / pixel_size_A


def _weights(settings: SceneSettings, diameters_A: Sequence[float]) -> NDArray[np.float64]:
    """Return the molecules' shares, which add up to 1."""
    mixture = settings.mixture or (1.0,) * len(diameters_A)
    if len(mixture) != len(diameters_A) or not sum(mixture) > 0:
        raise UsageError(
            f"a mixture of {list(mixture)} for {len(diameters_A)} molecules: expected one number for "
            "each, not all 0 (`scene.mixture`)"
        )
    return np.asarray(mixture, dtype=np.float64) / sum(mixture)


def _number(rng: np.random.Generator, ground: Ground, settings: SceneSettings) -> int:
    """Draw how many particles a clean image holds; refuse more than can lie in it."""
    if settings.particles is not None:
        full = draw_count(rng, settings.particles)
    else:
        full = round(draw(rng, settings.packing) * PACKING * ground.area_px2 / ground.mean_square_px2)
    room = COVERAGE_MAX * ground.area_px2
    most = max(1, int(room / (np.pi / 4 * settings.minimum_distance**2 * ground.mean_square_px2)))
    if full > most:
        raise _crowded(ground, settings, full, most)
    return full


def _crowded(ground: Ground, settings: SceneSettings, wanted: int, most: int) -> UsageError:
    height, width = ground.shape
    packing = most * ground.mean_square_px2 / (PACKING * ground.area_px2)
    return UsageError(
        f"{wanted} particles do not fit in {width} x {height} px at a minimum distance of "
        f"{settings.minimum_distance:g} diameters ({ground.mean_square_px2**0.5:.0f} px): expected at most "
        f"{most} (`scene.particles`), a packing of {packing:.2f} (`scene.packing`), or a smaller "
        "`scene.minimum_distance`"
    )


def _mix(rng: np.random.Generator, weights: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Return molecules for ``count`` particles in random order, numbers exact to one (largest remainder)."""
    exact = weights * count
    numbers = np.floor(exact).astype(np.int64)
    order = np.argsort(numbers - exact, kind="stable")
    numbers[order[: count - int(numbers.sum())]] += 1
    return rng.permutation(np.repeat(np.arange(len(weights)), numbers))


def _break(
    rng: np.random.Generator, settings: SceneSettings, share: float, count: int
) -> NDArray[np.float64]:
    """Return the mass that is left of ``count`` particles, of which an exact ``share`` is broken."""
    mass = np.ones(count)
    broken = rng.permutation(count)[: round(share * count)]
    mass[broken] = rng.uniform(*settings.fragment, size=len(broken))
    return mass


def _clumps(rng: np.random.Generator, ground: Ground, settings: SceneSettings, full: int) -> list[Aggregate]:
    """Grow clumps while they leave room for ``full`` single particles."""
    apart = settings.minimum_distance
    room = COVERAGE_MAX * ground.area_px2 - full * np.pi / 4 * apart**2 * ground.mean_square_px2
    clumps: list[Aggregate] = []
    for _ in range(draw_count(rng, settings.aggregates)):
        members = rng.choice(
            len(ground.weights), draw_count(rng, settings.aggregate_particles), p=ground.weights
        )
        clump = grow(rng, members, ground.diameters_px, apart)
        room -= np.pi * clump.reach_px**2
        if room < 0:
            break
        clumps.append(clump)
    return clumps


def _gather(
    ground: Ground,
    singles: NDArray[np.float64],
    molecule: NDArray[np.int64],
    mass: NDArray[np.float64],
    clumps: list[Aggregate],
    clump_centres: NDArray[np.float64],
) -> Scene:
    """Put single particles and the members of clumps into one list."""
    centres = [singles, *(at + clump.offsets_px for at, clump in zip(clump_centres, clumps, strict=True))]
    sizes = [len(c) for c in centres]
    points = np.concatenate(centres)
    region = ground.region(points)
    scene = {
        "x_px": points[:, 0],
        "y_px": points[:, 1],
        "molecule": np.concatenate([molecule, *(c.molecule for c in clumps)]),
        "mass_fraction": np.append(mass, np.ones(len(points) - len(mass))),
        "aggregate": np.repeat(np.arange(-1, len(clumps)), sizes),
    }
    whole = (scene["mass_fraction"] == 1) & (scene["aggregate"] < 0)
    scene["pickable"] = whole & (region == INSIDE)
    # a clump's disc was off the contamination in its middle only; clumps that found no room are NaN
    off = (scene["aggregate"] < 0) | (region != ON_CONTAMINATION)
    keep = np.isfinite(points[:, 0]) & off
    return Scene(**{name: column[keep] for name, column in scene.items()})
