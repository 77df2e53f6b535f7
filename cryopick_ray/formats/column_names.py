"""Optional columns of picks as files of coordinates have them: lengths in pixels, some by RELION's names."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.picks.columns import COLUMNS, Columns


def in_file(name: str) -> str:
    """Return what a column of :data:`~cryopick_ray.picks.columns.COLUMNS` is called in files."""
    return f"{name[:-2]}_px" if name.endswith("_A") else name


IN_FILES = {in_file(name): one for name, one in COLUMNS.items()}
"""The columns by those names."""
RELION = {"class_number": "rlnClassNumber", "angle_deg": "rlnAnglePsi"}
"""What RELION calls some of them."""
IN_STAR = frozenset({*RELION, "filament", "track_px"})
"""Those that its files have room for, by their names in files."""
UNKNOWN = -999.0
"""What RELION writes where it does not know a value."""


def in_pixels(columns: Columns, pixel_size_A: float) -> dict[str, NDArray[Any]]:
    """Return columns of a table as files have them: ``size_A`` as ``size_px``."""
    return {
        in_file(name): values / np.float32(pixel_size_A) if name.endswith("_A") else values
        for name, values in columns.items()
    }


def is_known(name: str, values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return ``(n,)`` bool, true where a column, by its name in files, has a value."""
    unknown = np.isnan(values) if values.dtype.kind == "f" else values == IN_FILES[name].missing
    return np.asarray(~unknown, bool)


def single(values: NDArray[Any]) -> NDArray[np.float32]:
    """Return numbers of a file as columns have them; NaN for those that are infinite there."""
    with np.errstate(over="ignore"):
        found = values.astype(np.float32)
    return np.where(np.isfinite(found), found, np.float32(np.nan))


def in_relion(columns: Columns) -> dict[str, NDArray[Any]]:
    """Return those that RELION knows as it has them."""
    return {
        RELION[name]: np.where(is_known(name, values), values, values.dtype.type(UNKNOWN))
        for name, values in columns.items()
        if name in RELION
    }


def from_relion(columns: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return what columns by RELION's names are here; those in which nothing is known are left out.

    Its classes count from 1. Class 0 turned by 0 degrees is what it writes of picks that it compared with no
    template.
    """
    found: dict[str, NDArray[Any]] = {}
    number, psi_deg = (columns.get(RELION[name]) for name in ("class_number", "angle_deg"))
    if number is not None:
        is_class = (number > 0) & (number < np.iinfo(np.int32).max)
        found["class_number"] = np.where(is_class, number, -1).astype(np.int32)
    if psi_deg is not None:
        untold = psi_deg == UNKNOWN
        if number is not None:
            untold |= (psi_deg == 0) & (number == 0)
        found["angle_deg"] = single(np.where(untold, np.nan, psi_deg))
    return {name: values for name, values in found.items() if is_known(name, values).any()}


def measured(columns: Columns, change: Callable[[NDArray[Any]], NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return columns of which those that are lengths in pixels are changed."""
    return {name: change(values) if name.endswith("_px") else values for name, values in columns.items()}
