"""What people added to a micrograph by hand, as candidates: places, and filaments cut into segments."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cryopick_ray.errors import UsageError
from cryopick_ray.filaments.segments import cut_segments
from cryopick_ray.filaments.trace import Trace
from cryopick_ray.passes.decisions import REACH_PX, Decisions, Places, Turns
from cryopick_ray.picks.columns import COLUMNS, HAND, Columns
from cryopick_ray.picks.reasons import none
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.settings.filament_settings import SPACING

MOST_SEGMENTS = 100_000
"""Of all filaments that people drew in a micrograph."""
CHORD = 2.0
"""Widths along a filament that the direction of a segment is taken from, as pickers take it."""
STEP_PX = 0.5


def with_places(picks: MicrographPicks, places: Places) -> MicrographPicks:
    """Return the picks with those that a person added, in place of candidates within a pixel."""
    if not len(places):
        return picks
    away, _ = cKDTree(places).query(np.column_stack([picks.x_px, picks.y_px]))
    kept = picks.take(np.asarray(away) > REACH_PX)
    return _appended(kept, places[:, 0], places[:, 1], _best(picks), {}).best_first()


def with_traces(
    picks: MicrographPicks, own: Decisions, spacing_A: float | None
) -> tuple[MicrographPicks, Turns]:
    """Return the picks and after them the segments of filaments that people drew, and the turn of each.

    A filament that was drawn takes the place of one that lies along it, but for less than half.

    Parameters
    ----------
    spacing_A
        Between segments; ``None`` for that of the micrograph's other filaments, or half a width.

    Returns
    -------
    picks, turn
        ``(n,)`` when each was drawn, -1 for what was not.

    Raises
    ------
    UsageError
        If they are very many.
    """
    pixel_size_A = picks.micrograph.pixel_size_A
    if not own.traces or pixel_size_A is None:
        return picks, np.full(len(picks), -1, np.int64)
    spacing_px = (spacing_A or _own_spacing_A(picks) or SPACING * picks.diameter_A) / pixel_size_A
    if (count := sum(trace.length_px / spacing_px + 1 for trace in own.traces)) > MOST_SEGMENTS:
        raise UsageError(
            f"`curation` draws filaments of {count:.0f} segments in {picks.micrograph.micrograph_id}, "
            f"expected {MOST_SEGMENTS} at most; take some out, or give a larger `spacing_A`"
        )
    best = _best(picks)
    picks = picks.take(~_lies_along(picks, own.traces))
    found = cut_segments(own.traces, spacing_px, CHORD * picks.diameter_A / pixel_size_A)
    more = {
        "filament": found.filament.astype(np.int64) + _first_free(picks),
        "track_A": found.track_px * pixel_size_A,
        "angle_deg": found.psi_deg,
    }
    turn = np.concatenate([np.full(len(picks), -1, np.int64), own.trace_turn[found.filament]])
    return _appended(picks, found.x_px, found.y_px, best, more), turn


def _appended(
    picks: MicrographPicks,
    x_px: NDArray[np.floating],
    y_px: NDArray[np.floating],
    score: np.float32,
    more: Columns,
) -> MicrographPicks:
    """Return the picks and after them others that a person added."""
    n = len(x_px)
    names = {*picks.more, *more, "source"}
    before = {name: picks.more.get(name, COLUMNS[name].nothing(len(picks))) for name in names}
    new = {name: COLUMNS[name].nothing(n) for name in names}
    new |= {name: values.astype(COLUMNS[name].dtype) for name, values in more.items()}
    new["source"][:] = HAND
    return replace(
        picks,
        x_px=np.concatenate([picks.x_px, x_px.astype(np.float32)]),
        y_px=np.concatenate([picks.y_px, y_px.astype(np.float32)]),
        score=np.concatenate([picks.score, np.full(n, score, np.float32)]),
        unpicked=np.concatenate([picks.unpicked, none(n)]),
        junk=None if picks.junk is None else np.concatenate([picks.junk, np.zeros(n, np.uint8)]),
        more={name: np.concatenate([before[name], new[name]]) for name in names},
    )


def _best(picks: MicrographPicks) -> np.float32:
    return picks.score.max() if len(picks) else np.float32(1)


def _filament(picks: MicrographPicks) -> NDArray[np.int32]:
    found = picks.more.get("filament")
    return COLUMNS["filament"].nothing(len(picks)) if found is None else found


def _first_free(picks: MicrographPicks) -> int:
    return int(_filament(picks).max(initial=-1)) + 1


def _own_spacing_A(picks: MicrographPicks) -> float | None:
    """Return how far apart the segments of a micrograph's filaments usually are; ``None`` without any."""
    filament, track_A = _filament(picks), picks.more.get("track_A")
    if track_A is None:
        return None
    order = np.lexsort((track_A, filament))
    goes_on = (np.diff(filament[order]) == 0) & (filament[order][1:] >= 0)
    steps = np.diff(track_A[order].astype(np.float64))[goes_on]
    steps = steps[steps > 0]
    return float(np.median(steps)) if len(steps) else None


def _lies_along(picks: MicrographPicks, traces: Sequence[Trace]) -> NDArray[np.bool_]:
    """Return which candidates are of a filament most of which lies within a pixel of a trace."""
    filament = _filament(picks)
    gone = np.zeros(len(picks), bool)
    if not (filament >= 0).any():
        return gone
    places = np.column_stack([picks.x_px, picks.y_px])
    _, group = np.unique(filament, return_inverse=True)
    counts = np.bincount(group)
    for trace in traces:
        away, _ = cKDTree(trace.dense(STEP_PX)).query(places, distance_upper_bound=REACH_PX + STEP_PX / 2)
        near = np.bincount(group[np.isfinite(away)], minlength=len(counts))
        gone |= (filament >= 0) & (2 * near > counts)[group]
    return gone
