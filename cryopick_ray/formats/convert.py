"""Coordinates of one program in the format of another: read, moved to the frame that is wanted, written."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cryopick_ray.errors import UsageError
from cryopick_ray.formats.column_names import measured
from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.formats.cs_picks import strip_uid
from cryopick_ray.formats.format import ExportSettings
from cryopick_ray.formats.formats import WRITTEN, write
from cryopick_ray.formats.known import KnownMicrographs
from cryopick_ray.formats.reading import UnclearFormatError, read_coordinates
from cryopick_ray.units import is_positive


@dataclass(frozen=True)
class CoordinateFrame:
    """How the coordinates to write differ from those that are read.

    Attributes
    ----------
    scale
        Wanted pixels a pixel that was read, the first pixel's centre kept, as Fourier crops do: ``x -> s x``.
    binning
        The same for images that were binned, whose first pixel covers several: ``x -> b (x + 0.5) - 0.5``.
        Below 1 towards a binned image.
    image_height
        Rows of the micrographs that were read, where a flip needs them and files do not know.
    flip_y
        Whether rows are to be counted from the other end.
    known
        The micrographs that were read, where their coordinates do not say shapes and pixel sizes.
    pixel_size_A
        Of what is written, where it is not known.
    diameter_A
        Of the particles, where it is not known.
    strip_uid
        Whether CryoSPARC's numbers before names are dropped.
    stems
        Whether the folders of names are dropped.
    whole_px
        Whether places are rounded to whole pixels.
    """

    scale: float | None = None
    binning: float | None = None
    image_height: int | None = None
    flip_y: bool = False
    known: KnownMicrographs | None = None
    pixel_size_A: float | None = None
    diameter_A: float | None = None
    strip_uid: bool = False
    stems: bool = False
    whole_px: bool = False

    def __post_init__(self) -> None:
        """Refuse what is no size, and two factors."""
        if self.scale is not None and self.binning is not None:
            raise UsageError(
                "`scale` and `binning` are both given; expected one: `scale` for Fourier crops, `binning` "
                "for sums of pixels"
            )
        for name in ("scale", "binning", "image_height", "pixel_size_A", "diameter_A"):
            value = getattr(self, name)
            if value is not None and not is_positive(value):
                raise UsageError(f"{name} is {value}, expected a number above 0: change `{name}`")

    def moved(self, coordinates: Coordinates) -> Coordinates:
        """Return the particles of a micrograph as they are wanted.

        Raises
        ------
        UsageError
            Rows must be flipped, and their number is not known; ``known`` lacks the micrograph.
        """
        micrograph = self.known.fill(coordinates.micrograph) if self.known else coordinates.micrograph
        coordinates = replace(coordinates, micrograph=micrograph)
        if coordinates.is_upside_down or self.flip_y:
            height = micrograph.shape[0] if micrograph.shape else self.image_height
            if height is None:
                raise UsageError(
                    f"rows of {micrograph.relion_name!r} are counted from the last, and their number "
                    "is not known; give `image_height`, or `micrographs`"
                )
            coordinates = replace(coordinates.flipped(height), is_upside_down=False)
        coordinates = self._named(self._scaled(coordinates))
        if self.whole_px:
            coordinates = coordinates.whole()
        return replace(coordinates, diameter_A=coordinates.diameter_A or self.diameter_A)

    @property
    def factor(self) -> float:
        """Wanted pixels a pixel that was read."""
        return self.scale or self.binning or 1.0

    def _scaled(self, coordinates: Coordinates) -> Coordinates:
        factor = self.factor
        shift = 0.0 if self.binning is None else (factor - 1) / 2
        micrograph = coordinates.micrograph
        size_A = micrograph.pixel_size_A
        shape = micrograph.shape
        return replace(
            coordinates,
            micrograph=replace(
                micrograph,
                pixel_size_A=self.pixel_size_A if size_A is None else size_A / factor,
                shape=shape and (round(shape[0] * factor), round(shape[1] * factor)),
            ),
            x_px=factor * coordinates.x_px + shift,
            y_px=factor * coordinates.y_px + shift,
            box_px=None if coordinates.box_px is None else factor * coordinates.box_px,
            more=measured(coordinates.more, lambda lengths_px: lengths_px * np.float32(factor)),
        )

    def _named(self, coordinates: Coordinates) -> Coordinates:
        micrograph = coordinates.micrograph
        names = [micrograph.micrograph_id, micrograph.relion_name]
        if self.strip_uid:
            names = [strip_uid(name) for name in names]
        if self.stems:
            names = [name.rpartition("/")[2] for name in names]
        return replace(
            coordinates, micrograph=replace(micrograph, micrograph_id=names[0], relion_name=names[1])
        )


@dataclass(frozen=True)
class Converted:
    """What was read and written; ``from_`` is the format that was read, ``notes`` what was left out."""

    from_: str
    to: str
    micrographs: int
    particles: int
    notes: tuple[str, ...]


def convert(
    source: str | Path,
    to: str,
    out: Path,
    *,
    from_: str | None = None,
    frame: CoordinateFrame | None = None,
    settings: ExportSettings | None = None,
) -> Converted:
    """Write coordinates of any format that is read in any that is written.

    Parameters
    ----------
    source, from_
        As for :func:`~cryopick_ray.formats.reading.read_coordinates`.
    to, out
        Name of the format to write, and the folder to write into.
    frame
        How the coordinates are to be moved.
    settings
        What the written format needs beside them.

    Raises
    ------
    UsageError, PicksError
        As reading, moving and writing say.
    """
    if to not in WRITTEN:
        raise UsageError(f"format is {to!r}, expected one of {', '.join(WRITTEN)}: change `to`")
    frame = frame or CoordinateFrame()
    try:
        found = read_coordinates(source, from_)
    except UnclearFormatError as error:
        raise UsageError(f"{error}: give `from`") from error
    notes = list(found.notes)
    height = frame.image_height and round(frame.image_height * frame.factor)
    chosen = replace(settings or ExportSettings(), image_height=height, say=notes.append)
    write(map(frame.moved, found.coordinates), to, out, chosen)
    particles = sum(len(one.x_px) for one in found.coordinates)
    return Converted(found.format, to, len(found.coordinates), particles, tuple(notes))
