"""What people may say of the microscope."""

from typing import Annotated

from pydantic import Field

from cryopick_ray.settings.base import Settings
from cryopick_ray.units import Optics, Voltage


class MicroscopeSettings(Settings):
    """How the microscope was set, where the input does not say; ``None`` where a person does not, either."""

    voltage_kV: Voltage | None = Field(
        default=None, description="Acceleration voltage, where the input does not say; default: 300."
    )
    spherical_aberration_mm: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="Spherical aberration, where the input does not say; default: 2.7."
    )
    amplitude_contrast: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None,
        description="Fraction of amplitude contrast, where the input does not say; default: 0.1.",
    )

    @property
    def completed(self) -> Optics:
        """What is taken: what was given, and RELION's usual values for the rest."""
        return Optics(**self.given)

    @property
    def given(self) -> dict[str, float]:
        """What a person said."""
        return self.model_dump(exclude_none=True)
