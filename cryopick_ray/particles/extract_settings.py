"""What people may set of an extraction, and the boxes that it comes to."""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from cryopick_ray.errors import MicrographError
from cryopick_ray.particles.normalise import BACKGROUND_SHARE, Dust
from cryopick_ray.settings.base import Positive, Settings, Shown
from cryopick_ray.settings.microscope_settings import MicroscopeSettings
from cryopick_ray.settings.run_settings import PixelSize

BOX = re.compile(r"(\d+(?:\.\d*)?) ?(A|px)?", re.IGNORECASE)
LARGEST_PX = 2**12
SLACK = 1e-3
"""By how much a side may differ from whole pixels and count as such: pixel sizes are rounded in files."""


@dataclass(frozen=True)
class BoxSize:
    """How large boxes are, before and after they are scaled.

    Attributes
    ----------
    name
        What the stacks and the STAR file of this size are called.
    side, is_A
        Of the box, in angstroms or in pixels of the micrograph.
    scale_to
        Side in pixels after scaling; ``None`` to leave boxes as they are.
    """

    name: str
    side: float
    is_A: bool
    scale_to: int | None

    def sides(self, pixel_size_A: float, coarser: float = 1.0) -> tuple[int, int, float]:
        """Return the side of a box before and after scaling, and what pixel of the image one is after it.

        A scaled box in angstroms is exactly so wide, so that all images have one pixel size, whatever
        micrographs have: of what is cut out, a whole number of pixels, a little may be left over.

        Parameters
        ----------
        pixel_size_A
            Of the image to cut from.
        coarser
            How much coarser it is than the micrograph.

        Raises
        ------
        MicrographError
            The image has no such box.
        """
        if self.is_A:
            side = 2 * math.ceil(self.side / pixel_size_A / 2 - SLACK)
        else:
            side = 2 * round(self.side / coarser / 2)
            if abs(side * coarser - self.side) > SLACK * self.side:
                raise MicrographError(
                    f"only the store has its pixels, {coarser:.4g} times coarser: a box of {self.side:g} px "
                    f"is {self.side / coarser:.2f} there, expected an even number: give `box` in angstroms"
                )
        box_px = self.scale_to or side
        step = self.side / box_px / pixel_size_A if self.is_A and self.scale_to else side / box_px
        if not 4 <= side <= LARGEST_PX or step < 1 - SLACK:
            raise MicrographError(
                f"a box of {side} pixels of {pixel_size_A:.4g} A; expected 4 to {LARGEST_PX} (`box`), and no "
                "fewer than it is scaled to (`scale_to`)"
            )
        return side, box_px, step


class ExtractSettings(Settings):
    """Which particles are cut out of what, and how."""

    picks: Annotated[str, Shown(option="INPUT")] = Field(
        description="A run, a table, or a file or folder of coordinates of any program."
    )
    box: Annotated[tuple[str, ...], Shown(metavar="PX|A")] = Field(
        min_length=1,
        description="Side of the box in pixels of the micrograph (256, even) or in angstroms (300A); may be "
        "repeated.",
    )
    scale_to: Annotated[tuple[int, ...], Shown(metavar="PX")] = Field(
        default=(), description="Scale boxes to so many pixels, for each `box` one."
    )
    micrographs: Annotated[str | None, Shown(metavar="WHERE")] = Field(
        default=None,
        description="Where the micrographs are: a folder, list or run; default: where INPUT, a run, had them "
        "from.",
    )
    invert: bool | None = Field(
        default=None,
        description="Whether dark particles are made white; default: unless a run found them to be bright.",
    )
    background_radius_A: Annotated[Positive | None, Shown(metavar="A")] = Field(
        default=None,
        description="Beyond this distance from a particle is background; default: 75 % of half the box.",
    )
    white_dust: Annotated[Positive | None, Shown(metavar="X")] = Field(
        default=None, description="Replace pixels so many standard deviations brighter by noise."
    )
    black_dust: Annotated[Positive | None, Shown(metavar="X")] = Field(
        default=None, description="Likewise of darker ones."
    )
    float16: bool = Field(default=False, description="Write half precision (MRC mode 12): half the disk.")
    pixel_size_A: PixelSize = None
    relion_project: Annotated[Path | None, Shown(metavar="DIR")] = Field(
        default=None,
        description="Folder RELION runs in; default: that above INPUT, else the working folder.",
    )
    optics: MicroscopeSettings = MicroscopeSettings()

    @field_validator("box", mode="before")
    @classmethod
    def _boxes(cls, value: object) -> object:
        return (value,) if isinstance(value, str | int | float) else value

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        for text in self.box:
            found = BOX.fullmatch(text)
            side = float(found[1]) if found else 0.0
            if not found or side <= 0 or (not _is_A(found) and side % 2):
                raise ValueError(
                    f"`box` is {text!r}, expected an even number of pixels (256) or angstroms (300A)"
                )
        if self.scale_to and len(self.scale_to) != len(self.box):
            raise ValueError(
                f"{len(self.scale_to)} of `scale_to` for {len(self.box)} of `box`: expected none, or one each"
            )
        if wrong := next((one for one in self.scale_to if one < 4 or one % 2), None):
            raise ValueError(f"`scale_to` is {wrong}, expected an even number of pixels from 4 on")
        if twice := len(self.sizes) - len({size.name for size in self.sizes}):
            raise ValueError(f"{twice} of `box` and `scale_to` are there twice; leave them out")
        return self

    @property
    def dust(self) -> Dust:
        """What is replaced by noise."""
        return Dust(self.white_dust, self.black_dust)

    @property
    def sizes(self) -> tuple[BoxSize, ...]:
        """The boxes; those of one size are called ``particles``, of several after their sides, too."""
        made = []
        for text, scale_to in zip(self.box, self.scale_to or (None,) * len(self.box), strict=True):
            found = BOX.fullmatch(text)
            assert found is not None
            unit = "A" if _is_A(found) else "px"
            more = f"_{found[1]}{unit}" + (f"_to_{scale_to}px" if scale_to else "")
            name = "particles" + more * (len(self.box) > 1)
            made.append(BoxSize(name, float(found[1]), _is_A(found), scale_to))
        return tuple(made)

    def radius_px(self, side_px: int, pixel_size_A: float) -> float:
        """Return the radius of the circle that holds a particle, in pixels of its box, whole as RELION's."""
        if self.background_radius_A is None:
            return int(BACKGROUND_SHARE * side_px / 2)
        return int(self.background_radius_A / pixel_size_A + SLACK)


def _is_A(found: re.Match[str]) -> bool:
    return (found[2] or "px").upper() == "A"
