"""What is in a micrograph besides particles and ice: films, crystals, blobs, scratches.

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
from cryopick_ray.settings import Settings
from cryopick_ray.simulate.field import FieldOfView, Patch
from cryopick_ray.simulate.films import CARBON, GOLD, FilmSettings, film
from cryopick_ray.simulate.lumps import BLOBS, CRYSTALS, SPECKS, LumpSettings, lumps
from cryopick_ray.simulate.scratches import SCRATCHES, ScratchSettings, scratches
from cryopick_ray.units import Shape, is_positive

MATERIAL_A = 10.0
"""Thickness from which a pixel counts as contaminated: a tenth of what a particle adds."""


class ContaminationSettings(Settings):
    """Every kind of contamination, and how thick matter scatters.

    Attributes
    ----------
    carbon, gold, crystals, blobs, specks, scratches
        The kinds, see :data:`KINDS`; a probability of 0 leaves one out.
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
    coherent_A: Annotated[float, Field(ge=10, le=1e5)] = 150.0
    mean_free_path_A: Annotated[float, Field(ge=100, le=1e6)] = 3_000.0


KINDS: dict[str, tuple[Callable[[np.random.Generator, FieldOfView, Any], Iterator[Patch]], str]] = {
    "carbon": (film, "edge of a carbon film: an arc with grain and a bright fringe"),
    "gold": (film, "edge of a gold foil: an arc, nearly black"),
    "crystals": (lumps, "crystalline ice: dark, flat-faced, sharp-edged, 400 to 2,500 A"),
    "blobs": (lumps, "ethane and fallen ice: dark, round to irregular, 300 to 3,000 A"),
    "specks": (lumps, "small round ice crystals near particle size, 80 to 400 A"),
    "scratches": (scratches, "scratches, folds and cracks: thin lines, dark or bright"),
}
"""Name of each setting: what draws it, and what it looks like."""


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
        ``(h, w)`` bool, true where more than ``MATERIAL_A`` of thickness is added or missing.
    """

    potential_A: NDArray[np.float32]
    absorption: NDArray[np.float32]
    mask: NDArray[np.bool_]


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
    thickness, grain = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
    for stream, (name, (draw_kind, _)) in zip(rng.spawn(len(KINDS)), KINDS.items(), strict=True):
        for patch in draw_kind(stream, view, getattr(settings, name)):
            thickness[patch.rows, patch.columns] += patch.thickness_A
            if patch.grain_A is not None:
                grain[patch.rows, patch.columns] += patch.grain_A
    mask = np.abs(thickness) > MATERIAL_A
    absorption = (thickness + grain) / np.float32(settings.mean_free_path_A)
    potential = _levelled(thickness, settings.coherent_A)
    potential += _levelled(grain, settings.coherent_A) * np.exp(-np.maximum(absorption, 0))
    return Contamination(potential, absorption, mask)


def _levelled(thickness: NDArray[np.float32], limit_A: float) -> NDArray[np.float32]:
    """Return ``thickness`` where it is small and at most ``limit_A``, in the same array."""
    thickness /= np.float32(limit_A)
    np.tanh(thickness, out=thickness)
    thickness *= np.float32(limit_A)
    return thickness
