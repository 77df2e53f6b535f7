"""What a page lists of micrographs: a column each, and which of them are unlike the others."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.picks.schema import PickedMicrograph

OUTLYING = 3.5
"""Robust deviations from the running median, Iglewicz and Hoaglin (1993)."""
NEIGHBOURS = 51
"""Window of the running median, in micrographs."""
FEWEST = 12
"""Least number of values for outliers to be sought."""
JUDGED = ("picks", "candidates", "mean_score", "defocus_A", "ctf_resolution_A")
"""Columns in which outliers are sought."""
Columns = dict[str, list[Any]]


def listed_columns(micrographs: Sequence[PickedMicrograph]) -> Columns:
    """Return the columns of the micrograph list; empty columns are left out."""
    list_rows = [_list_row(micrograph) for micrograph in micrographs]
    columns: Columns = {
        "id": [micrograph.micrograph_id for micrograph in micrographs],
        "dataset": [micrograph.dataset for micrograph in micrographs],
        "status": [micrograph.status for micrograph in micrographs],
        "reason": [micrograph.reason for micrograph in micrographs],
        "verdict": [micrograph.verdict for micrograph in micrographs],
        "reasons": [micrograph.reasons for micrograph in micrographs],
        "picks": [micrograph.picks for micrograph in micrographs],
        "candidates": [micrograph.candidates for micrograph in micrographs],
        "mean_score": [micrograph.mean_score for micrograph in micrographs],
        "width_px": [micrograph.shape[1] if micrograph.shape else None for micrograph in micrographs],
        "height_px": [micrograph.shape[0] if micrograph.shape else None for micrograph in micrographs],
        "pixel_size_A": [micrograph.pixel_size_A for micrograph in micrographs],
        "defocus_A": [_defocus_A(row) for row in list_rows],
        "ctf_resolution_A": [_number(row, "rlnCtfMaxResolution") for row in list_rows],
    }
    always = ("id", "dataset", "status")
    return {
        name: values
        for name, values in columns.items()
        if name in always or any(value not in (None, "") for value in values)
    }


def outliers(columns: Mapping[str, Sequence[Any]]) -> dict[str, list[int]]:
    """Return the indices of outlying micrographs, by column.

    Outliers differ from the running median by more than 3.5 robust deviations. Micrographs that a person
    excluded are ignored.
    """
    by_column = {}
    is_left_out = np.array(columns.get("excluded", ()), bool)
    for name in JUDGED:
        values = np.array(
            [math.nan if value is None else value for value in columns.get(name, ())], np.float64
        )
        values[np.flatnonzero(is_left_out[: len(values)])] = math.nan
        known = np.flatnonzero(np.isfinite(values))
        if len(known) >= FEWEST:
            by_column[name] = known[_is_outlying(values[known])].tolist()
    return by_column


def _is_outlying(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    reach = min(NEIGHBOURS // 2, len(values) - 1)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(values, reach, mode="reflect"), 2 * reach + 1)
    away = np.abs(values - np.median(around, axis=1))
    usual = 1.4826 * np.median(away)  # of a normal distribution, its sigma
    if usual == 0:
        usual = 1.2533 * away.mean()
    return np.asarray(away > OUTLYING * usual) if usual else np.zeros(len(values), bool)


def _list_row(micrograph: PickedMicrograph) -> Mapping[str, Any]:
    """Return the row of the input's STAR or cs list for a micrograph."""
    try:
        row = json.loads(micrograph.listed) if micrograph.listed else {}
    except (ValueError, RecursionError):
        return {}
    return row if isinstance(row, dict) else {}


def _defocus_A(row: Mapping[str, Any]) -> float | None:
    values = [_number(row, name) for name in ("rlnDefocusU", "rlnDefocusV")]
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _number(row: Mapping[str, Any], name: str) -> float | None:
    try:
        value = float(row[name])
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
    return value if math.isfinite(value) else None
