"""What is in a micrograph besides particles and smooth ice: films, crystals, blobs, textures, lattices.

All matter is counted as **vitreous-ice-equivalent thickness** in angstroms: the thickness of
vitreous ice with the same projected potential. With mean inner potentials of about 3.5 V for
vitreous ice (Grimm et al. 1998), 9 V for amorphous carbon (Wanner et al. 2006) and 28 V for gold,
1 A of carbon counts as 2.5 A and 1 A of gold as 8 A.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cryopick_ray.errors import UsageError
from cryopick_ray.micrographs.junk import Junk
from cryopick_ray.settings.base import Settings
from cryopick_ray.simulate.crystalline import CrystallineSettings, crystalline
from cryopick_ray.simulate.field import FieldOfView, Patch
from cryopick_ray.simulate.films import CARBON, GOLD, FilmSettings, film
from cryopick_ray.simulate.halos import HaloSettings, halos
from cryopick_ray.simulate.ice_crystals import LumpSettings, fused, lumps
from cryopick_ray.simulate.ice_crystals_known import BLOBS, CHAINS, CRYSTALS, FIDUCIALS, FLAKES, SPECKS
from cryopick_ray.simulate.lattice import LatticeSettings, lattice
from cryopick_ray.simulate.scratches import SCRATCHES, ScratchSettings, scratches
from cryopick_ray.simulate.strands import StrandSettings, strands
from cryopick_ray.simulate.texture import TextureSettings, texture
from cryopick_ray.simulate.uneven import UnevenSettings, uneven
from cryopick_ray.units import Shape, is_positive

MATERIAL_A = 10.0
"""Thickness from which a pixel counts as contaminated: a tenth of what a particle adds."""


class ContaminationSettings(Settings):
    """Every kind of contamination, and how thick matter scatters.

    Attributes
    ----------
    carbon, gold, crystals, blobs, specks, scratches, crystalline, texture, uneven, lattice, flakes, \
    chains, halos, strands, fiducials
        The kinds, see :data:`KINDS`; a probability of 0, the default from ``crystalline`` on, leaves one
        out.
    coherent_A
        Thickness that the phase levels off at: what passes more is scattered more than once. Grain
        levels off by itself.
    mean_free_path_A
        Thickness of ice that lets 1/e of the electrons through the aperture; about 3000 A at 300 kV.
    """

    carbon: FilmSettings = CARBON
    gold: FilmSettings = GOLD
    crystals: LumpSettings = CRYSTALS
    blobs: LumpSettings = BLOBS
    specks: LumpSettings = SPECKS
    scratches: ScratchSettings = SCRATCHES
    crystalline: CrystallineSettings = CrystallineSettings()
    texture: TextureSettings = TextureSettings()
    uneven: UnevenSettings = UnevenSettings()
    lattice: LatticeSettings = LatticeSettings()
    flakes: LumpSettings = FLAKES
    chains: LumpSettings = CHAINS
    halos: HaloSettings = HaloSettings()
    strands: StrandSettings = StrandSettings()
    fiducials: LumpSettings = FIDUCIALS
    coherent_A: Annotated[float, Field(ge=10, le=1e5)] = 150.0
    mean_free_path_A: Annotated[float, Field(ge=100, le=1e6)] = 3_000.0


@dataclass(frozen=True)
class ContaminantKind:
    """One kind of contamination: what draws it, what it is to a picker, and what it looks like."""

    draw: Callable[[np.random.Generator, FieldOfView, Any], Iterator[Patch]]
    junk: Junk
    looks: str


KINDS: dict[str, ContaminantKind] = {
    "carbon": ContaminantKind(
        film, Junk.CARBON, "edge of a carbon film: an arc with grain and a bright fringe"
    ),
    "gold": ContaminantKind(film, Junk.CARBON, "edge of a gold foil: an arc, nearly black"),
    "crystals": ContaminantKind(
        lumps, Junk.CONTAMINATION, "crystalline ice: dark, flat-faced, sharp, 400 to 2,500 A"
    ),
    "blobs": ContaminantKind(
        lumps, Junk.CONTAMINATION, "ethane and fallen ice: dark, round to irregular, 300 to 3,000 A"
    ),
    "specks": ContaminantKind(
        lumps, Junk.CONTAMINATION, "small round ice crystals near particle size, 80 to 400 A"
    ),
    "scratches": ContaminantKind(
        scratches, Junk.CONTAMINATION, "scratches, folds and cracks: thin lines, dark or bright"
    ),
    "crystalline": ContaminantKind(
        crystalline, Junk.ICE, "ice that crystallized: mottled, with compact dark spots"
    ),
    "texture": ContaminantKind(
        texture, Junk.ICE, "thick ice or denatured protein: texture as coarse as particles"
    ),
    "uneven": ContaminantKind(uneven, Junk.NONE, "vitreous ice with gradients, streaks, bands and steps"),
    "lattice": ContaminantKind(
        lattice, Junk.LATTICE, "two-dimensional crystal of streptavidin over all the picture"
    ),
    "flakes": ContaminantKind(fused, Junk.CONTAMINATION, "flat angular flakes of ice with sharp corners"),
    "chains": ContaminantKind(
        fused, Junk.CONTAMINATION, "balls grown together: chains, clusters and capsules"
    ),
    "halos": ContaminantKind(halos, Junk.CONTAMINATION, "blobs far out of focus: soft, with rings around"),
    "strands": ContaminantKind(
        strands, Junk.CONTAMINATION, "nucleic acid and filaments: thin wormlike lines"
    ),
    "fiducials": ContaminantKind(
        lumps, Junk.CONTAMINATION, "gold beads of 5 to 15 nm: black with a bright fringe"
    ),
}
"""Each kind by the name of its setting. New ones come last, so that seeds keep what they showed."""


@dataclass(frozen=True)
class Contamination:
    """Contamination of one micrograph.

    Attributes
    ----------
    potential_A
        ``(h, w)`` float32 vitreous-ice-equivalent thickness that shifts the wave's phase, grain
        included: times 3.5 V and the interaction constant (6.5e-4 rad/(V A) at 300 kV), it adds to
        the particles' phase before the contrast transfer.
    absorption
        ``(h, w)`` float32 optical depth: the image's intensity is multiplied by ``exp(-absorption)``.
    mask
        ``(h, w)`` bool, true where more than ``MATERIAL_A`` of thickness is added or missing, and on bad
        ice: no particle is picked there.
    junk
        ``(h, w)`` uint8 codes of :class:`~cryopick_ray.micrographs.junk.Junk`: of the kind with the most
        matter there, or of the ice or lattice underneath. Nowhere ``NONE`` under the mask.
    """

    potential_A: NDArray[np.float32]
    absorption: NDArray[np.float32]
    mask: NDArray[np.bool_]
    junk: NDArray[np.uint8]


def contaminate(
    rng: np.random.Generator, shape: Shape, pixel_size_A: float, settings: ContaminationSettings
) -> Contamination:
    """Draw the contamination of one micrograph.

    Each kind has its own stream of random numbers, so that switching one off leaves the others as
    they were; positions are in angstroms, so that a coarser pixel size shows the same specimen.

    Raises
    ------
    UsageError
        If the image has no pixels or no pixel size.
    """
    if min(shape) < 1 or not is_positive(pixel_size_A):
        raise UsageError(
            f"an image of {shape[1]} x {shape[0]} px at {pixel_size_A:g} A per pixel: expected sizes "
            "above 0 (`height_px`, `width_px`, `pixel_size_A`)"
        )
    view = FieldOfView(shape, pixel_size_A)
    thickness, grain, most = (np.zeros(shape, dtype=np.float32) for _ in range(3))
    matter, underneath = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    for stream, (name, kind) in zip(rng.spawn(len(KINDS)), KINDS.items(), strict=True):
        for patch in kind.draw(stream, view, getattr(settings, name)):
            where = patch.rows, patch.columns
            thickness[where] += patch.thickness_A
            amount = np.abs(patch.thickness_A)
            matter[where][amount > most[where]] = kind.junk
            np.maximum(most[where], amount, out=most[where])
            if patch.grain_A is not None:
                grain[where] += patch.grain_A
            if patch.covered is not None:
                # bad ice with a lattice on it is bad ice
                covered = patch.covered & (underneath[where] != Junk.ICE)
                underneath[where][covered] = kind.junk
    material = np.abs(thickness) > MATERIAL_A
    absorption = (thickness + grain) / np.float32(settings.mean_free_path_A)
    potential = _levelled(thickness, settings.coherent_A)
    potential += _levelled(grain, settings.coherent_A) * np.exp(-np.maximum(absorption, 0))
    junk = np.where(material, matter, underneath)
    return Contamination(potential, absorption, material | (underneath == Junk.ICE), junk)


def _levelled(thickness: NDArray[np.float32], limit_A: float) -> NDArray[np.float32]:
    """Return ``thickness`` where it is small and at most ``limit_A``, in the same array."""
    thickness /= np.float32(limit_A)
    np.tanh(thickness, out=thickness)
    thickness *= np.float32(limit_A)
    return thickness
