"""Lists of micrographs: plain text, and RELION's STAR files."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryopick_ray.errors import UsageError
from cryopick_ray.units import Optics, is_positive

if TYPE_CHECKING:  # half a second that only STAR lists need
    import pandas as pd

MAX_LIST_BYTES = 2**28  # a million long names; more is not a list of micrographs
PIXEL_SIZES = ("rlnMicrographPixelSize", "rlnMicrographOriginalPixelSize")


@dataclass(frozen=True)
class ListedMicrograph:
    """One line of a list.

    Attributes
    ----------
    name
        The path as written in the list.
    path
        Absolute path of the file; it may be missing, which its reader reports.
    optics, pixel_size_A
        What a STAR file says of it, else ``None``.
    """

    name: str
    path: Path
    optics: Optics | None = None
    pixel_size_A: float | None = None


def read_text_list(path: Path, working_folder: Path) -> list[ListedMicrograph]:
    """Read one path a line; empty lines and lines that start with ``#`` are skipped.

    Relative paths lie in the list's folder, else in ``working_folder``.
    """
    _check_length(path)
    try:
        lines = [line.strip() for line in path.read_text("utf-8-sig").split("\n")]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"list {str(path)!r} cannot be read: {error}") from error
    names = [line for line in lines if line and not line.startswith("#")]
    folders = (path.parent, working_folder)
    return [ListedMicrograph(name, find_listed(name, folders)) for name in names]


def read_star_list(path: Path, relion_project: Path) -> list[ListedMicrograph]:
    """Read rlnMicrographName, optics and pixel size from a STAR file of RELION 3.0 to 5.

    The block ``data_micrographs`` is read, else the only block with micrograph names. Relative
    paths lie in the RELION project, as RELION has them, else in the STAR file's folder.
    """
    blocks = _star_blocks(path)
    rows = _micrograph_rows(path, blocks)
    optics = blocks.get("optics")
    if optics is not None and "rlnOpticsGroup" in rows and "rlnOpticsGroup" in optics:
        groups = optics.drop_duplicates("rlnOpticsGroup")
        own = [name for name in groups if name == "rlnOpticsGroup" or name not in rows]
        rows = rows.merge(groups[own], on="rlnOpticsGroup", how="left")
    folders = (relion_project, path.parent)
    return [
        ListedMicrograph(
            row["rlnMicrographName"],
            find_listed(row["rlnMicrographName"], folders),
            _optics(row),
            next((size for name in PIXEL_SIZES if (size := _positive(row.get(name)))), None),
        )
        for row in rows.to_dict("records")
    ]


def find_listed(name: str, folders: Iterable[Path]) -> Path:
    """Return ``name`` in the first folder that holds it; in the first of all if none does."""
    candidates = [folder / name for folder in folders]
    return next((path for path in candidates if _exists(path)), candidates[0])


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, not permitted, a NUL inside: its reader says so
        return False


def _star_blocks(path: Path) -> "dict[str, pd.DataFrame]":
    import pandas as pd
    import starfile

    _check_length(path)
    try:
        blocks = starfile.read(path, always_dict=True, parse_as_string=["rlnMicrographName"])
    # The parser meets a damaged file with whatever its parts raise (Type, Value, Index, Parser errors).
    except Exception as error:
        raise UsageError(f"STAR file {str(path)!r} cannot be read: {error}") from error
    return {
        name: block if isinstance(block, pd.DataFrame) else pd.DataFrame([block])
        for name, block in blocks.items()
    }


def _micrograph_rows(path: Path, blocks: "dict[str, pd.DataFrame]") -> "pd.DataFrame":
    named = {name: block for name, block in blocks.items() if "rlnMicrographName" in block}
    if "micrographs" in named:
        named = {"micrographs": named["micrographs"]}
    if len(named) != 1:
        found = " ".join(f"data_{name}" for name in blocks) or "no data block"
        raise UsageError(
            f"STAR file {str(path)!r} has {found}; expected data_micrographs, or one block, "
            "with rlnMicrographName"
        )
    (rows,) = named.values()
    if not rows.columns.is_unique or not all(isinstance(name, str) for name in rows["rlnMicrographName"]):
        raise UsageError(f"STAR file {str(path)!r} has repeated columns or rows without rlnMicrographName")
    return rows


def _check_length(path: Path) -> None:
    length = path.stat().st_size
    if length > MAX_LIST_BYTES:
        raise UsageError(f"list {str(path)!r} has {length} bytes; at most {MAX_LIST_BYTES} are read")


def _optics(row: dict[Any, Any]) -> Optics | None:
    voltage_kV = _positive(row.get("rlnVoltage"))
    aberration_mm = _number(row.get("rlnSphericalAberration"))  # 0 on a corrected microscope
    amplitude_contrast = _number(row.get("rlnAmplitudeContrast"))
    if voltage_kV is None or aberration_mm is None or amplitude_contrast is None:
        return None
    return Optics(voltage_kV, aberration_mm, amplitude_contrast)


def _positive(value: object) -> float | None:
    """Return a number above zero; ``None`` for anything else that a column may hold."""
    number = _number(value)
    return number if number is not None and is_positive(number) else None


def _number(value: object) -> float | None:
    """Return a number of at least zero; ``None`` for anything else that a column may hold."""
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if 0 <= number < math.inf else None
