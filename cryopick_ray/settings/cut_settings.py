"""Where a run's candidates are cut into picks and the rest: three ways to say it, of which one holds."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cryopick_ray.settings.base import Positive, Settings, Shown

CUTS = ("threshold", "precision", "expect")
"""The settings that choose a cut, each alone."""
Lowest = Annotated[
    Literal["auto"] | Annotated[float, Field(allow_inf_nan=False)],
    Field(description="Score from which a candidate is picked."),
    Shown(metavar="auto|X"),
]
Share = Annotated[
    Annotated[float, Field(gt=0, le=1)] | None,
    Field(
        description="In place of `threshold`: as low as this share of the picks are particles, by scores of "
        "a calibrated model."
    ),
    Shown(metavar="P"),
]
Count = Annotated[
    Positive | None,
    Field(description="In place of `threshold`: so many picks a micrograph, in the mean of a data set."),
    Shown(metavar="N"),
]


class CutSettings(Settings):
    """What chooses the cut through the scores of a data set."""

    threshold: Lowest = "auto"
    precision: Share = None
    expect: Count = None

    @model_validator(mode="after")
    def _one_alone(self) -> Self:
        check_one(self)
        return self


def check_one(settings: Settings) -> None:
    """Refuse settings of which more than one chooses the cut.

    Raises
    ------
    ValueError
        Naming them.
    """
    given = {name: value for name in CUTS if (value := getattr(settings, name)) not in ("auto", None)}
    if len(given) > 1:
        named = " and ".join(f"`{name}` {value:g}" for name, value in given.items())
        raise ValueError(f"{named}: each of them chooses the cut; give one alone")
