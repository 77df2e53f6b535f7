"""What people may set of the fit."""

from typing import Annotated

from pydantic import AfterValidator, Field

from cryopick_ray.micrographs.ctf.fit import DEFOCUS_RANGE_A
from cryopick_ray.settings.base import Settings, Shown

LEAST_A, MOST_A = 2_000.0, 200_000.0


def _is_range(ends: tuple[float, float]) -> tuple[float, float]:
    if not LEAST_A <= ends[0] < ends[1] <= MOST_A:
        raise ValueError(f"expected LO,HI from {LEAST_A:g} to {MOST_A:g} angstroms of underfocus")
    return ends


class CtfSettings(Settings):
    """Where defocus is looked for."""

    defocus_A: Annotated[tuple[float, float], AfterValidator(_is_range), Shown(metavar="LO,HI")] = Field(
        default=DEFOCUS_RANGE_A, description="Underfocus searched, in angstroms."
    )
