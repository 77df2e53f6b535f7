"""Negative stain: a film of heavy metal that particles displace and that pools around them."""

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.ndimage import gaussian_filter

from cryopick_ray.micrographs.junk import Junk
from cryopick_ray.settings.base import Settings
from cryopick_ray.simulate.contamination import MATERIAL_A, Contamination
from cryopick_ray.simulate.drawn_ranges import FractionRange, NonNegativeRange, PositiveRange, draw, draw_log
from cryopick_ray.simulate.extent import all_over
from cryopick_ray.simulate.field import FieldOfView
from cryopick_ray.simulate.ice_crystals import LumpSettings, lumps

PROTEIN_V = 3.4
"""Potential of protein over that of ice (4.2 V A3 per dalton at 1.23 A3), by which it is told here."""
WETTED_A = 30.0
"""Thickness of protein from which stain climbs it."""
COAT = np.float32(0.3)
"""Share of the film that stays above and below whatever lies in it."""
BALLS = LumpSettings(
    probability=0.5,
    number=(1, 30),
    diameter_A=(150, 350),
    thickness=(0.8, 1.0),
    steepness=(2, 3),
    facets=(20, 24),
    irregularity=0.01,
)
"""Droplets and beads that keep stain out: bright, round, with a dark rim."""


class StainSettings(Settings):
    """The stain; ranges are drawn anew for each micrograph.

    Attributes
    ----------
    probability
        Chance that a micrograph is one of negative stain.
    depth_A
        Depth of the film where nothing is.
    pooling
        How much deeper it is around particles, relative to that.
    rim_A
        How far from a particle it pools.
    unevenness
        Relative standard deviation of the depth, over distances far above a particle's size.
    grain_size_A, grain_contrast
        Size of its grains, and the relative standard deviation of depth from grain to grain.
    mean_free_path_A
        Depth that lets 1/e of the electrons through the aperture.
    balls
        Droplets and beads, which are contamination.
    """

    probability: Annotated[float, Field(ge=0, le=1)] = 0.0
    depth_A: PositiveRange = (60.0, 200.0)
    pooling: NonNegativeRange = (0.7, 2.5)
    rim_A: PositiveRange = (15.0, 50.0)
    unevenness: FractionRange = (0.02, 0.15)
    grain_size_A: PositiveRange = (5.0, 20.0)
    grain_contrast: FractionRange = (0.05, 0.2)
    mean_free_path_A: PositiveRange = (120.0, 350.0)
    balls: LumpSettings = BALLS


@dataclass(frozen=True)
class Stain:
    """The stain of one micrograph, before particles.

    Attributes
    ----------
    depth_A
        ``(h, w)`` float32 with its unevenness.
    grain
        ``(h, w)`` float32 relative change from grain to grain.
    balls_A
        ``(h, w)`` float32 thickness of droplets and beads.
    pooling, rim_A, mean_free_path_A
        See :class:`StainSettings`.
    """

    depth_A: NDArray[np.float32]
    grain: NDArray[np.float32]
    balls_A: NDArray[np.float32]
    pooling: float
    rim_A: float
    mean_free_path_A: float


def draw_stain(rng: np.random.Generator, view: FieldOfView, settings: StainSettings) -> Stain | None:
    """Draw the stain of a micrograph; ``None`` if it has none."""
    if rng.uniform() >= settings.probability:
        return None
    depth_A = all_over(rng, view, max(view.size_A) / 4)
    depth_A *= np.float32(draw(rng, settings.unevenness))
    np.maximum(depth_A, np.float32(-0.8), out=depth_A)
    depth_A += 1
    depth_A *= np.float32(draw_log(rng, settings.depth_A))
    grain = all_over(rng, view, draw_log(rng, settings.grain_size_A))
    grain *= np.float32(draw(rng, settings.grain_contrast))
    balls_A = np.zeros(view.shape, np.float32)
    for patch in lumps(rng, view, settings.balls):
        where = patch.rows, patch.columns
        np.maximum(balls_A[where], patch.thickness_A, out=balls_A[where])
    pooling, rim_A = draw(rng, settings.pooling), draw_log(rng, settings.rim_A)
    return Stain(depth_A, grain, balls_A, pooling, rim_A, draw_log(rng, settings.mean_free_path_A))


def with_balls(contamination: Contamination, stain: Stain) -> Contamination:
    """Return the contamination with the stain's droplets and beads in mask and junk."""
    there = stain.balls_A > MATERIAL_A
    junk = np.where(there, np.uint8(Junk.CONTAMINATION), contamination.junk)
    return replace(contamination, mask=contamination.mask | there, junk=junk)


def stained(
    contamination: Contamination, stain: Stain, potential: NDArray[np.float32], pixel_size_A: float
) -> Contamination:
    """Return what the stain around the particles adds to the contamination.

    The film is deeper near particles and droplets, and shallower by the particles' own thickness: a
    bright body in a dark rim. It does not climb droplets. What shows is its depth alone; the particles
    themselves scatter little beside it.

    Parameters
    ----------
    potential
        ``(h, w)`` projected potential of the particles in V A.
    """
    solid_A = potential * np.float32(1 / PROTEIN_V)
    dry = np.exp(stain.balls_A * np.float32(-1 / WETTED_A))
    wetted = 1 - dry * np.exp(np.maximum(solid_A, 0) * np.float32(-1 / WETTED_A))
    pool = gaussian_filter(wetted, stain.rim_A / pixel_size_A, mode="nearest", truncate=3)
    depth_A = stain.depth_A * (1 + np.float32(stain.pooling) * pool) - solid_A
    np.maximum(depth_A, COAT * stain.depth_A, out=depth_A)
    depth_A *= np.maximum(dry, COAT)
    depth_A *= np.maximum(1 + stain.grain, 0)
    absorption: NDArray[np.float32] = depth_A * np.float32(1 / stain.mean_free_path_A)
    absorption += contamination.absorption
    depth_A += contamination.potential_A
    return replace(contamination, potential_A=depth_A, absorption=absorption)
