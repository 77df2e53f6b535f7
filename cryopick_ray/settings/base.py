"""What all settings have in common: they are frozen, and unknown keys are refused."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Settings(BaseModel):
    """Base of all settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    panel: ClassVar[str] = ""
    """Where the command line's help shows them."""
    environment: ClassVar[str] = ""
    """How variables of the environment begin that hold them; empty for none."""


@dataclass(frozen=True)
class Shown:
    """What only a command line needs to know of a setting, where it does not follow from its name."""

    option: str | None = None
    """What it is called there: in capitals an argument; empty if it is reached by its full name alone."""
    metavar: str = ""
    panel: str = ""
    alone: str = ""
    """What it means without a value; empty if it needs one."""
