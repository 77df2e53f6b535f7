"""Helical segments by RELION's names: their tube, the way along it, and what is known of their direction."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.formats.column_names import single
from cryopick_ray.formats.filament_files import ANGLE, FILAMENT, TRACK, numbered, tracked
from cryopick_ray.picks.columns import Columns

TUBE, TRACK_A, PSI = "rlnHelicalTubeID", "rlnHelicalTrackLengthAngst", "rlnAnglePsiPrior"
FIXED = {"rlnAngleTiltPrior": 90.0, "rlnAnglePsiFlipRatio": 0.5}
"""In the plane of the image, and either end first."""
HELICAL = (TUBE, "rlnAngleTiltPrior", PSI, TRACK_A, "rlnAnglePsiFlipRatio")
NO_PRIOR = 999.0
"""What RELION takes for no prior."""


def in_relion(known: Columns, pixel_size_A: float | None) -> dict[str, NDArray[Any]]:
    """Return the columns of segments as RELION has them; none where nothing is of a filament.

    Tubes count from 1 in a micrograph, and tube 0 is none. Without a pixel size there is no track, which
    RELION counts in angstroms.
    """
    if FILAMENT not in known:
        return {}
    tube = known[FILAMENT].astype(np.int64) + 1
    unknown = np.full(len(tube), np.nan, np.float32)
    angle, track = known.get(ANGLE, unknown), known.get(TRACK, unknown)
    found = {TUBE: tube, PSI: np.where(np.isnan(angle), NO_PRIOR, angle.astype(np.float64))}
    if pixel_size_A is not None:
        found[TRACK_A] = np.nan_to_num(track.astype(np.float64)) * pixel_size_A
    found |= {name: np.full(len(tube), value) for name, value in FIXED.items()}
    return {name: found[name] for name in HELICAL if name in found}


def from_relion(
    columns: Mapping[str, NDArray[Any]],
    x_px: NDArray[np.float64],
    y_px: NDArray[np.float64],
    pixel_size_A: float | None,
) -> dict[str, NDArray[Any]]:
    """Return the filament, track and direction of segments; nothing where RELION's columns tell of no tube.

    What they lack, places of segments tell.
    """
    tubes = columns.get(TUBE)
    if tubes is None or not (tubes > 0).any():
        return {}
    order = columns.get(TRACK_A)
    filament = numbered(np.where(tubes > 0, tubes - 1.0, np.nan))
    found = tracked(filament, x_px, y_px, order)
    if order is not None and pixel_size_A is not None:
        found[TRACK] = single(np.where(filament < 0, np.nan, order / pixel_size_A))
    if (psi := columns.get(PSI)) is not None:
        found[ANGLE] = single(np.where(psi == NO_PRIOR, np.nan, psi))
    return found


def without(columns: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return the columns that say something that :func:`in_relion` would not."""
    return {
        name: values
        for name, values in columns.items()
        if name not in (TUBE, TRACK_A, PSI) and not (name in FIXED and (values == FIXED[name]).all())
    }
