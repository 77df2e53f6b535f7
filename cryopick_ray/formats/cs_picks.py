"""CryoSPARC's picks as they are read; ``cs`` writes them."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import PicksError, brief
from cryopick_ray.formats.column_names import single
from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.formats.filament_files import ANGLE, TRACK, tracked
from cryopick_ray.micrographs.cs_list import CsExposure
from cryopick_ray.micrographs.cs_table import (
    GROUP,
    NUMPY,
    STREAM,
    TABLE,
    CsTable,
    as_written,
    read_table,
)
from cryopick_ray.picks.columns import taken
from cryopick_ray.picks.schema import PickedMicrograph
from cryopick_ray.units import is_positive

NEEDED = ("micrograph_path", "micrograph_shape", "center_x_frac", "center_y_frac")
TEMPLATE, TEMPLATE_ANGLE = "pick_stats/template_idx", "pick_stats/angle_rad"
CLASS, POSE = "alignments2D/class", "alignments2D/pose"
FILAMENT_UID, FILAMENT_TRACK = "filament/filament_uid", "filament/position_A"
FILAMENT_POSE = "filament/filament_pose"
UID_PREFIX = re.compile(r"^\d{18,21}_(?=.)")


def looks_like(path: Path) -> bool:
    """Tell whether a file is one of CryoSPARC's tables or groups."""
    if path.suffix.lower() == GROUP:
        return True
    if path.suffix.lower() != TABLE or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(NUMPY)) in (NUMPY, STREAM)


def strip_uid(name: str) -> str:
    """Return a path without the number that CryoSPARC puts before a file's name (18 to 21 digits)."""
    folder, slash, own = name.rpartition("/")
    return f"{folder}{slash}{UID_PREFIX.sub('', own)}"


def read_cs(path: Path, say: Callable[[str], None] = lambda text: None) -> Iterator[Coordinates]:
    """Read the particles of each micrograph of a ``.cs`` or ``.csg`` file, in the order of the file.

    Columns of ``location`` may be in the passthrough beside the file. ``x_px`` is ``center_x_frac`` x width
    and ``y_px`` ``center_y_frac`` x height, row 0 first, as :func:`~cryopick_ray.formats.cs.write_cs` has
    them; the score is ``pick_stats/ncc_score``. Templates and angles of picks are taken where any is not 0,
    angles of an alignment in two dimensions before them. Shifts of aligned particles are not applied:
    CryoSPARC's own examples and other converters read their axes in different order. Of filaments uid,
    position and pose are read, the pose as the opposite of rlnAnglePsiPrior, as pyem and helicon do.

    Parameters
    ----------
    say
        Told of shifts that are not applied.

    Raises
    ------
    UsageError
        The file is none of CryoSPARC.
    PicksError
        It has no locations, or what none can be.
    """
    table = read_table(path, say)
    if len(table) and not all(table.has(f"location/{name}") for name in NEEDED):
        raise PicksError(
            f"{str(path)!r} has no locations (location/{', '.join(NEEDED)}); give the passthrough .cs of its "
            "job, or its .csg"
        )
    shifts = [name for name in ("alignments2D/shift", "alignments3D/shift") if table.has(name)]
    if shifts:
        say(f"{path.name}: {' and '.join(shifts)} are not applied: particles stay where they were picked")
    uids, paths = table.whole("location/micrograph_uid"), table.texts("location/micrograph_path")
    shapes, sizes_A = table.shapes("location/micrograph_shape"), table.numbers("location/micrograph_psize_A")
    groups = table.whole("location/exp_group_id")
    x, y, score = (
        table.numbers(name)
        for name in ("location/center_x_frac", "location/center_y_frac", "pick_stats/ncc_score")
    )
    more, filaments = _more(table), table.whole(FILAMENT_UID)
    track_A, pose = table.numbers(FILAMENT_TRACK), table.numbers(FILAMENT_POSE)
    rows_of: dict[tuple[int | None, str], list[int]] = {}
    for row, key in enumerate(zip(uids, paths, strict=True)):
        rows_of.setdefault(key, []).append(row)
    for (uid, name), rows in rows_of.items():
        first = rows[0]
        height, width = shapes[first].tolist()
        if not (np.isfinite(x[rows]).all() and np.isfinite(y[rows]).all() and min(height, width) > 0):
            raise PicksError(f"{str(path)!r}: {brief(name)} has no shape, or particles without a place")
        called = name.removeprefix(">")
        size_A = as_written(sizes_A[first])
        exposure = None if uid is None else CsExposure(uid, groups[first], name)
        micrograph = PickedMicrograph(
            *(called, "", called, (height, width), size_A if is_positive(size_A) else None),
            *(None, "complete", ""),
            listed=exposure.to_text() if exposure else "",
        )
        at = x[rows] * width, y[rows] * height
        segments = _segments([filaments[row] for row in rows], *at, track_A[rows], pose[rows], size_A)
        yield Coordinates(micrograph, *at, score[rows], more=taken(more, rows) | segments)


def _more(table: CsTable) -> dict[str, NDArray[Any]]:
    """Return what a table says of templates, angles and classes; CryoSPARC counts classes from 0."""
    found: dict[str, NDArray[Any]] = {}
    if np.nan_to_num(view := table.numbers(TEMPLATE)).any():
        found["view"] = _whole(view, np.int16)
    for name in (TEMPLATE_ANGLE, POSE):
        if np.nan_to_num(angle := table.numbers(name)).any():
            found["angle_deg"] = single(np.degrees(angle))
    if table.has(CLASS):
        found["class_number"] = _whole(table.numbers(CLASS) + 1, np.int32)
    return found


def _segments(
    uids: Sequence[int | None],
    x_px: NDArray[np.float64],
    y_px: NDArray[np.float64],
    track_A: NDArray[np.float64],
    pose: NDArray[np.float64],
    pixel_size_A: float,
) -> dict[str, NDArray[Any]]:
    """Return what is told of the segments of a micrograph; nothing where none is of a filament."""
    numbers = {uid: number for number, uid in enumerate(dict.fromkeys(uid for uid in uids if uid))}
    if not numbers:
        return {}
    filament = np.array([-1 if uid is None else numbers.get(uid, -1) for uid in uids], np.int32)
    has_track = bool(np.isfinite(track_A).all())
    found = tracked(filament, x_px, y_px, track_A if has_track else None)
    if has_track and is_positive(pixel_size_A):
        least = np.full(len(numbers) + 1, np.inf)
        np.minimum.at(least, filament, track_A)
        found[TRACK] = single(np.where(filament < 0, np.nan, (track_A - least[filament]) / pixel_size_A))
    if np.isfinite(pose).all():
        found[ANGLE] = single(np.where(filament < 0, np.nan, -np.degrees(pose)))
    return found


def _whole(numbers: NDArray[np.float64], kind: type[np.signedinteger[Any]]) -> NDArray[np.signedinteger[Any]]:
    """Return whole numbers, -1 for those that are none or too large."""
    fits = (numbers >= 0) & (numbers <= np.iinfo(kind).max)
    return np.where(fits, numbers, -1).astype(kind)
