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
"""Micrographs that a running median is of."""
FEWEST = 12
"""Values below which nothing is called an outlier."""
JUDGED = ("picks", "candidates", "mean_score", "defocus_A", "ctf_resolution_A")
"""Columns in which outliers are looked for."""
Columns = dict[str, list[Any]]


def listed_columns(micrographs: Sequence[PickedMicrograph]) -> Columns:
    """Return what is known of micrographs, a list a column; columns that nobody knows are left out."""
    said = [_said(micrograph) for micrograph in micrographs]
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
        "defocus_A": [_defocus_A(one) for one in said],
        "ctf_resolution_A": [_number(one, "rlnCtfMaxResolution") for one in said],
    }
    always = ("id", "dataset", "status")
    return {
        name: values
        for name, values in columns.items()
        if name in always or any(value not in (None, "") for value in values)
    }


def outliers(columns: Mapping[str, Sequence[Any]]) -> dict[str, list[int]]:
    """Return which micrographs are unlike their neighbours, by column.

    Those are meant that differ from the running median more than 3.5 times as much as is usual. What a person
    left out is neither one nor a neighbour.
    """
    found = {}
    is_left_out = np.array(columns.get("excluded", ()), bool)
    for name in JUDGED:
        values = np.array([math.nan if one is None else one for one in columns.get(name, ())], np.float64)
        values[np.flatnonzero(is_left_out[: len(values)])] = math.nan
        known = np.flatnonzero(np.isfinite(values))
        if len(known) >= FEWEST:
            found[name] = known[_is_outlying(values[known])].tolist()
    return found


def _is_outlying(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    reach = min(NEIGHBOURS // 2, len(values) - 1)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(values, reach, mode="reflect"), 2 * reach + 1)
    away = np.abs(values - np.median(around, axis=1))
    usual = 1.4826 * np.median(away)  # of a normal distribution, its sigma
    if usual == 0:
        usual = 1.2533 * away.mean()
    return np.asarray(away > OUTLYING * usual) if usual else np.zeros(len(values), bool)


def _said(micrograph: PickedMicrograph) -> Mapping[str, Any]:
    """Return what the input's list says of a micrograph."""
    try:
        found = json.loads(micrograph.listed) if micrograph.listed else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _defocus_A(said: Mapping[str, Any]) -> float | None:
    both = [_number(said, name) for name in ("rlnDefocusU", "rlnDefocusV")]
    known = [one for one in both if one is not None]
    return sum(known) / len(known) if known else None


def _number(said: Mapping[str, Any], name: str) -> float | None:
    try:
        value = float(said[name])
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
    return value if math.isfinite(value) else None
