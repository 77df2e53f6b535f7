"""What of the candidates may be picked, beside the cut through their scores."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from cryopick_ray.settings.base import Positive, Settings, Shown


class SelectionSettings(Settings):
    """What keeps candidates from being picked, whatever their score."""

    panel: ClassVar[str] = "Selection"
    edge_A: Positive | None = Field(
        default=None, description="Pick no centre nearer to the edge of a micrograph than this."
    )
    min_distance_A: Positive | None = Field(
        default=None, description="Of two centres nearer than this, pick the one that scores higher."
    )
    smallest_A: Positive | None = Field(
        default=None, description="Pick no particle that the picker sees as smaller (size_A)."
    )
    largest_A: Positive | None = Field(default=None, description="Nor one that it sees as larger.")
    most_picks: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Pick so many of a micrograph at most, the best."
    )
    exclude_micrographs: Annotated[
        Literal["bad", "empty", "doubtful"] | None, Shown(metavar="bad|empty|doubtful")
    ] = Field(default=None, description="Pick nothing in micrographs with this verdict or a worse one.")
    curation: Annotated[tuple[Path, ...], Shown(metavar="FILE|DIR")] = Field(
        default=(),
        description="CSV of people's decisions (exclude, remove, add ...) or folder of it; may be repeated.",
    )
    classes: Annotated[tuple[Path, ...], Shown(metavar="FILE")] = Field(
        default=(),
        description="classes.csv of classify2d: pick nothing in classes worse than keep_classes; may be "
        "repeated: of one particle the last that has it counts.",
    )
    keep_classes: Annotated[Literal["good", "doubtful"], Shown(metavar="good|doubtful")] = Field(
        default="doubtful", description="The worst of classes that are picked."
    )

    @field_validator("curation", "classes", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        """Take the one file, or none, that settings of earlier versions hold."""
        return () if value is None else (value,) if isinstance(value, str | Path) else value

    @model_validator(mode="after")
    def _sizes_leave_room(self) -> Self:
        if self.smallest_A and self.largest_A and self.smallest_A > self.largest_A:
            raise ValueError(
                f"`smallest_A` {self.smallest_A:g} is above `largest_A` {self.largest_A:g}: nothing is left"
            )
        return self
