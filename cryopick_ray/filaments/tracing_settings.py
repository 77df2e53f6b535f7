"""How traces are taken from maps, in widths of a filament, so that it is the same for thin and thick ones."""

from typing import Self

from pydantic import Field, model_validator

from cryopick_ray.settings.base import Positive, Settings


class TracingSettings(Settings):
    """What is a filament and what is not, once every pixel has a probability and a direction."""

    floor: float = Field(default=0.2, gt=0, lt=1, description="Probability below which nothing is an axis.")
    seed: float = Field(
        default=0.5, gt=0, lt=1, description="Probability that a filament's axis reaches somewhere."
    )
    longest_gap: float = Field(
        default=1.0, ge=0, le=20, description="Widths without an axis that a filament is followed across."
    )
    longest_crossing: float = Field(
        default=7.0, ge=0, le=40, description="Widths along others that a filament is followed across."
    )
    sharpest_join_deg: float = Field(
        default=30.0, gt=0, le=90, description="Turn in degrees between two parts of one filament."
    )
    least_radius: Positive = Field(
        default=3.0, description="Widths: where an axis is bent more than a circle of this, it is cut."
    )
    least_straightness: float = Field(
        default=0.5, ge=0, le=1, description="Least distance of a filament's ends, as part of its length."
    )
    least_length: Positive = Field(default=3.0, description="Widths of the shortest filament.")
    crossing_margin: float = Field(
        default=0.0,
        ge=0,
        le=20,
        description="Widths around another filament that are cut out where two cross; 0: nothing is.",
    )
    end_margin: float = Field(default=0.0, ge=0, le=20, description="Widths that are cut off at both ends.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.seed < self.floor:
            raise ValueError(f"seed is {self.seed:g}, below floor {self.floor:g}; raise `seed`")
        return self
