"""What decides a map."""

from typing import Annotated

from pydantic import Field

from cryopick_ray.settings.base import Positive, Settings, Shown
from cryopick_ray.settings.engine_settings import Threads


class SearchSettings(Settings):
    """How poses are looked for, by projection matching.

    Attributes
    ----------
    step_deg
        Between poses of the grid that is searched first.
    finest_deg
        Steps are halved until they are no larger.
    """

    resolution_A: Positive = Field(
        default=20.0, description="Finest detail that images and projections are compared in."
    )
    range_A: Annotated[float, Field(ge=0, le=500)] = Field(
        default=20.0, description="Furthest shift from where the file has a particle."
    )
    step_deg: Annotated[float, Field(ge=2, le=30)] = Field(
        default=10.0, description="Angle between poses of the grid that is searched first."
    )
    finest_deg: Annotated[float, Field(ge=0.1, le=30)] = Field(
        default=1.25, description="Steps are halved until they are no larger."
    )


class ReconstructSettings(Settings):
    """What decides a map, given particles with poses."""

    symmetry: Annotated[str, Shown(metavar="C1|D7")] = Field(
        default="C1", description="Point group, main axis along z as RELION has it."
    )
    resolution_A: Positive | None = Field(
        default=None, description="Finest detail of the map; default: as fine as its pixels show."
    )
    mask_diameter_A: Positive | None = Field(
        default=None, description="Of the soft sphere that maps are compared in; default: the box."
    )
    seed: int = Field(default=0, ge=0, lt=2**63, description="Of what is drawn: halves, random phases.")
    threads: Threads = 1
    match: SearchSettings = SearchSettings()
