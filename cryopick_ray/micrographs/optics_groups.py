"""Optics groups as STAR files of RELION 3.0 to 5 state them: every column, as the word that stands there."""

import math
from collections import Counter
from collections.abc import Callable, Mapping

from cryopick_ray.micrographs.star_blocks import Block
from cryopick_ray.units import Optics, is_positive

GROUP, NAME = "rlnOpticsGroup", "rlnOpticsGroupName"
VOLTAGE, ABERRATION, CONTRAST = "rlnVoltage", "rlnSphericalAberration", "rlnAmplitudeContrast"
PIXEL_SIZE, ORIGINAL_SIZE = "rlnMicrographPixelSize", "rlnMicrographOriginalPixelSize"
IMAGE_SIZE = "rlnImagePixelSize"
DETECTOR, MAGNIFICATION = "rlnDetectorPixelSize", "rlnMagnification"
IN_ROWS = (
    *(VOLTAGE, ABERRATION, CONTRAST, PIXEL_SIZE, ORIGINAL_SIZE, DETECTOR, MAGNIFICATION),
    *("rlnBeamTiltX", "rlnBeamTiltY", "rlnMtfFileName", IMAGE_SIZE),
)
"""Columns of a group that RELION 3.0 and older have in every row."""
MICRONS_A = 1e4

Group = Mapping[str, str]


def groups_of(rows: Block, optics: Block | None, say: Callable[[str], None]) -> list[Group]:
    """Return the optics group of each row, empty where it has none.

    Without a block of optics, as in RELION 3.0, rows of equal values make a group, named and numbered as
    RELION does when it reads them.

    Parameters
    ----------
    say
        Told of groups that rows name and the block of optics lacks.

    Raises
    ------
    ValueError
        A group is there twice, in two ways.
    """
    if optics is None:
        columns = [column for column in IN_ROWS if column in rows]
        count = len(next(iter(rows.values())))
        made: dict[tuple[str, ...], Group] = {}
        values = zip(*(rows[column] for column in columns), strict=True) if columns else [()] * count
        return [made.setdefault(value, _made(columns, value, len(made) + 1)) for value in values]
    known = _known(optics)
    if GROUP not in rows and len(known) == 1:  # nothing else can be meant
        return list(known.values()) * len(next(iter(rows.values())))
    ways = {number: _word(number) for number in set(rows.get(GROUP, ()))}
    numbers = [ways[number] for number in rows.get(GROUP, ())]
    missing = Counter(number for number in numbers if number not in known)
    for number, count in missing.items():
        say(f"optics group {number} is not in data_optics: {count} rows are taken as without optics")
    return [known.get(number, {}) for number in numbers] or [{}] * len(next(iter(rows.values())))


def _made(columns: list[str], values: tuple[str, ...], number: int) -> Group:
    return {NAME: f"opticsGroup{number}", GROUP: str(number), **dict(zip(columns, values, strict=True))}


def _known(optics: Block) -> dict[str, Group]:
    groups: dict[str, Group] = {}
    for values in zip(*optics.values(), strict=True):
        group = dict(zip(optics, values, strict=True))
        number = group[GROUP] = _word(group.get(GROUP, "1"))
        if groups.setdefault(number, group) != group:
            raise ValueError(f"data_optics has group {number} twice, in two ways")
        group.setdefault(NAME, f"opticsGroup{number}")
    return groups


def _word(number: str) -> str:
    """Return a group's number in one way of writing."""
    try:
        return f"{float(number):g}"
    except ValueError:
        return number


def optics_of(columns: Mapping[str, str]) -> Optics | None:
    """Return the microscope; ``None`` where a part of it is missing or is none."""
    voltage_kV = positive(columns.get(VOLTAGE))
    aberration_mm = number(columns.get(ABERRATION))  # 0 on a corrected microscope
    contrast = number(columns.get(CONTRAST))
    if voltage_kV is None or aberration_mm is None or contrast is None or contrast > 1:
        return None
    return Optics(voltage_kV, aberration_mm, contrast)


def detector_pixel_size_A(columns: Mapping[str, str]) -> float | None:
    """Return the pixel size that RELION 3.0 and older gives as detector pixel and magnification."""
    detector_um, magnification = positive(columns.get(DETECTOR)), positive(columns.get(MAGNIFICATION))
    return detector_um * MICRONS_A / magnification if detector_um and magnification else None


def positive(word: str | None) -> float | None:
    """Return a number above zero; ``None`` for anything else that a column may hold."""
    value = number(word)
    return value if value is not None and is_positive(value) else None


def number(word: str | None) -> float | None:
    """Return a number of at least zero; ``None`` for anything else that a column may hold."""
    try:
        value = float(word or "")
    except ValueError:
        return None
    return value if 0 <= value < math.inf else None
