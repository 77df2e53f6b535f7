"""What is asked of filaments."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from cryopick_ray.settings.base import Positive, Settings, Shown

SPACING = 0.5
"""Between segments, in widths, unless asked otherwise."""


class FilamentSettings(Settings):
    """Filaments to be traced, where it is not particles that are picked."""

    panel: ClassVar[str] = "Filaments"
    filament: Annotated[bool, Shown(option="filament")] = Field(
        default=False, description="Trace filaments and pick segments along them, instead of particles."
    )
    width_A: Positive | None = Field(default=None, description="Width of a filament in angstroms.")
    spacing_A: Positive | None = Field(
        default=None, description="Distance between segments in angstroms; default: half a width."
    )
    rise_A: Positive | None = Field(
        default=None,
        description="Helical rise in angstroms, in place of `filaments.spacing_A`: a whole number of "
        "subunits lies between segments, about half a width.",
    )

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        if self.spacing_A and self.rise_A:
            raise ValueError("`filaments.spacing_A` and `filaments.rise_A` both tell how far apart; give one")
        given = [name for name in ("width_A", "spacing_A", "rise_A") if getattr(self, name) is not None]
        if given and not self.filament:
            raise ValueError(f"`filaments.{given[0]}` is for filaments; give `filaments.filament` with it")
        return self

    def distance_A(self, width_A: float) -> float | None:
        """Return the distance between segments of filaments so wide; ``None`` for the picker's own."""
        if self.rise_A is None:
            return self.spacing_A
        return self.rise_A * max(1, round(SPACING * width_A / self.rise_A))


def picked_spacing_A(described: Mapping[str, Any]) -> float | None:
    """Return how far apart segments are that were picked with such settings; ``None`` if none are."""
    known = [described.get(name) for name in ("spacing_px", "particle_px", "diameter_A")]
    spacing_px, particle_px, diameter_A = (
        one if isinstance(one, int | float) and one > 0 else None for one in known
    )
    if spacing_px is None or particle_px is None or diameter_A is None:
        return None
    return spacing_px / particle_px * diameter_A


def with_width(data: Any, model: str) -> Any:
    """Return plain settings of a run in which a filament's width is the diameter, and its model the default.

    Parameters
    ----------
    model
        Of filaments.
    """
    own = data.get("filaments") if isinstance(data, dict) else None
    own = own.model_dump() if isinstance(own, FilamentSettings) else own
    if not isinstance(own, dict) or not own.get("filament"):
        return data
    width_A = own.get("width_A")
    return {"model": model, **data} | ({} if width_A is None else {"diameter_A": width_A})
