"""Optics groups of particles: those of INPUT's list, whole, or one for each data set and pixel size."""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from cryopick_ray.errors import PicksError
from cryopick_ray.formats.box_size import BOX_DIAMETERS
from cryopick_ray.formats.star_text import loop, word
from cryopick_ray.micrographs.optics_groups import (
    ABERRATION,
    CONTRAST,
    DETECTOR,
    GROUP,
    IMAGE_SIZE,
    MAGNIFICATION,
    NAME,
    ORIGINAL_SIZE,
    PIXEL_SIZE,
    VOLTAGE,
    number,
    positive,
)
from cryopick_ray.picks.schema import PickedMicrograph
from cryopick_ray.settings.microscope_settings import MicroscopeSettings
from cryopick_ray.units import Optics, diameter_px

OPTICS = (NAME, GROUP, ORIGINAL_SIZE, PIXEL_SIZE, VOLTAGE, ABERRATION, CONTRAST)
"""RELION's ObservationModel refuses a group without one of these."""
QUOTES = re.compile("['\"]")
IMAGES = (IMAGE_SIZE, "rlnImageSize", "rlnImageDimensionality")
USUAL_SIDE = 256
IDENTITY = ("rlnMagMat00", "rlnMagMat11")
Columns = dict[str, str]


@dataclass(frozen=True)
class BoxOptics:
    """What images of particles are like that were cut out: pixel size in angstroms, and side in pixels."""

    pixel_size_A: float
    side_px: int

    @property
    def columns(self) -> Columns:
        """Return the same as columns of an optics group."""
        return dict(zip(IMAGES, (f"{self.pixel_size_A:.6f}", str(self.side_px), "2"), strict=True))


@dataclass
class OpticsGroups:
    """The groups met so far.

    Attributes
    ----------
    default
        Microscope of the micrographs whose own is unknown.
    say
        Told of groups that are renumbered or named apart.
    """

    default: Optics
    say: Callable[[str], None]
    _groups: dict[tuple[str, ...], Columns] = field(default_factory=dict)
    _images: dict[tuple[str, ...], Columns] = field(default_factory=dict)

    def number(
        self, micrograph: PickedMicrograph, diameter_A: float | None, boxes: BoxOptics | None = None
    ) -> str:
        """Return the number of a micrograph's group; pixel sizes agree when equal to 1e-4 angstroms.

        Parameters
        ----------
        diameter_A
            Of its particles; where it is known they are said to be seen in boxes of 1.5 diameters.
        boxes
            Those that its particles were cut out in.
        """
        if micrograph.pixel_size_A is None:
            raise PicksError(
                f"pixel size of {micrograph.micrograph_id!r} is missing, expected angstroms:"
                " ingest it again with `pixel_size_A`"
            )
        microscope = micrograph.optics or self.default
        size = f"{micrograph.pixel_size_A:.4f}"
        own = "" if NAME in micrograph.optics_group else micrograph.dataset
        key = (own, micrograph.optics_group, size, repr(microscope), repr(boxes))
        if key not in self._groups:
            listed = _listed(micrograph.optics_group)
            made = _columns(listed, micrograph.pixel_size_A, microscope)
            self._groups[key] = made | self._identity(listed, micrograph.dataset, size)
            usual = _usual_boxes(micrograph.pixel_size_A, diameter_A).columns | listed
            self._images[key] = usual if boxes is None else boxes.columns
        return self._groups[key][GROUP]

    def text(self, *, has_images: bool) -> str:
        """Return the ``data_optics`` block.

        Parameters
        ----------
        has_images
            Whether groups say how large images are. Particles with a CTF need it: RELION extracts them again
            only where it is said.
        """
        groups = list(self._groups.values())
        if has_images:
            groups = [
                group | {one: self._images[key][one] for one in IMAGES} for key, group in self._groups.items()
            ]
        columns = dict.fromkeys((*OPTICS, *(column for group in groups for column in group)))
        rows = (" ".join(word(group.get(column, _missing(column))) for column in columns) for group in groups)
        return loop("optics", columns) + "".join(f"{row}\n" for row in rows) + "\n"

    def _identity(self, listed: Columns, dataset: str, size: str) -> Columns:
        """Return name and number: those of the list where they are free."""
        names, numbers = ({group[one] for group in self._groups.values()} for one in (NAME, GROUP))
        own = QUOTES.sub("_", dataset)
        wanted = listed.get(NAME) or own
        ways = (wanted, *([f"{wanted}_{own}"] if NAME in listed else []), f"{wanted}_{size}A")
        more = (f"{wanted}_{count}" for count in range(2, len(names) + 3))
        name = next(one for one in (*ways, *more) if one not in names)
        group = listed.get(GROUP, "")
        if not group.isascii() or not group.isdigit() or group in numbers:
            group = str(1 + max((int(one) for one in numbers), default=0))
        if listed.get(NAME) and listed.get(GROUP) and (listed[NAME], listed[GROUP]) != (name, group):
            self.say(
                f"optics group {listed.get(GROUP)} ({listed.get(NAME)}) of data set {dataset} is group "
                f"{group} ({name}) in particles.star: another has its number or name"
            )
        return {NAME: name, GROUP: group}


def guessed_optics(
    micrographs: Iterable[PickedMicrograph], given: MicroscopeSettings, file: str = "particles.star"
) -> str | None:
    """Return what to tell of a microscope that neither INPUT nor a person has described.

    Parameters
    ----------
    given
        What a person said of it.
    file
        Where the guess is written.
    """
    unknown = [
        micrograph.optics_group
        for micrograph in micrographs
        if micrograph.status == "complete" and micrograph.optics is None
    ]
    usual = Optics()
    guesses = {
        "voltage_kV": f"{usual.voltage_kV:g} kV",
        "spherical_aberration_mm": f"aberration {usual.spherical_aberration_mm:g} mm",
        "amplitude_contrast": f"amplitude contrast {usual.amplitude_contrast:g}",
    }
    if all(VOLTAGE in _listed(group) for group in {*unknown}):  # a sidecar's
        del guesses["voltage_kV"]
    left = {name: text for name, text in guesses.items() if name not in given.given}
    if not unknown or not left:
        return None
    names = ", ".join(f"`optics.{name}`" for name in left)
    return (
        f"nothing is known of the microscope of {len(unknown)} micrographs: {', '.join(left.values())} in "
        f"{file} are a guess; give {names}"
    )


def _listed(text: str) -> Columns:
    """Return the columns that RELION knows, or may, of a group as it is carried."""
    columns = json.loads(text) if text else {}
    known = {name: str(value) for name, value in columns.items() if name.startswith("rln")}
    return {name: value for name, value in known.items() if _is_word(name) and _is_word(value)}


def _is_word(text: str) -> bool:
    try:
        word(text)
    except PicksError:
        return False
    return True


def _columns(listed: Mapping[str, str], pixel_size_A: float, microscope: Optics) -> Columns:
    """Return a group as it is listed, with the true pixel size and whatever of RELION's is missing."""
    size = f"{pixel_size_A:.6f}"
    kept = {name: value for name, value in listed.items() if name not in (DETECTOR, MAGNIFICATION)}
    usual = {
        ORIGINAL_SIZE: (size, positive),
        VOLTAGE: (f"{microscope.voltage_kV:.6f}", positive),
        ABERRATION: (f"{microscope.spherical_aberration_mm:.6f}", number),
        CONTRAST: (f"{microscope.amplitude_contrast:.6f}", number),
    }
    for name, (value, read) in usual.items():
        if read(kept.get(name)) is None:
            kept[name] = value
    return kept | {PIXEL_SIZE: size}


def _usual_boxes(pixel_size_A: float, diameter_A: float | None) -> BoxOptics:
    """Return boxes for particles that were never extracted, whose groups must have some."""
    side = (
        USUAL_SIDE
        if diameter_A is None
        else 2 * math.ceil(BOX_DIAMETERS * diameter_px(diameter_A, pixel_size_A) / 2)
    )
    return BoxOptics(pixel_size_A, side)


def _missing(column: str) -> str:
    """Return a value of a column that other groups have, and this one lacks."""
    return "1.000000" if column in IDENTITY else "0.000000"
