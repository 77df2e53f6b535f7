"""What people may set of a classification."""

import math
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from cryopick_ray.settings.base import Positive, Settings, Shown

PIXELS_OF_DETAIL = 2.05
"""Pixels of the finest detail at least: just above two, where waves can be told at all."""
DETAILS_OF_DIAMETER = 20
PARTICLES_A_CLASS, FEWEST, MOST = 80, 5, 50
"""A class needs some 50 to be told from junk, and classes are not equally large."""


class ClassSettings(Settings):
    """How particles are classified; equal settings give equal classes for any number of workers."""

    particles: Annotated[Path, Shown(option="PARTICLES")] = Field(
        description="STAR file of particles with images, of RELION 3.1 or later, or of cryopick extract."
    )
    classes: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None,
        description="Classes to begin with, of which some may end empty; default: one for "
        f"{PARTICLES_A_CLASS} particles, {FEWEST} to {MOST}.",
    )
    iterations: int = Field(default=40, ge=1, le=999, description="How often averages are made anew.")
    diameter_A: Positive | None = Field(
        default=None,
        description="Of the mask round the averages, somewhat larger than the particle; default: .85 of the "
        "box.",
    )
    resolution_A: Positive | None = Field(
        default=None,
        description="Finest detail that is looked at; default: two pixels, or a twentieth of the diameter.",
    )
    helix: bool | None = Field(
        default=None,
        description="Look for turns near rlnAnglePsiPrior, either way round, alone; default: of segments of "
        "filaments.",
    )
    seed: int = Field(default=0, ge=0, description="Of what is drawn at random.")
    program: Annotated[Literal["own", "relion"], Shown(option="with")] = Field(
        default="own", description="Who classifies; relion: relion_refine, which must be installed."
    )

    def count(self, particles: int) -> int:
        """Return into how many classes so many particles go."""
        suited = min(max(FEWEST, particles // PARTICLES_A_CLASS), MOST)
        return self.classes or max(1, min(suited, particles // 2))

    def mask_A(self, box_px: int, pixel_size_A: float) -> float:
        """Return the diameter of the mask."""
        box_A = box_px * pixel_size_A
        return min(self.diameter_A or 0.85 * box_A, box_A)

    def radius(self, box_px: int, pixel_size_A: float) -> int:
        """Return the highest frequency looked at, in cycles a box."""
        finest_A = PIXELS_OF_DETAIL * pixel_size_A
        wanted_A = self.resolution_A or self.mask_A(box_px, pixel_size_A) / DETAILS_OF_DIAMETER
        return max(2, min(box_px // 2 - 1, math.floor(box_px * pixel_size_A / max(finest_A, wanted_A))))
