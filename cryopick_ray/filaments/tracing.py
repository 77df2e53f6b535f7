"""Maps of where a filament's axis is and which way it goes -> the filaments."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.filaments.chains import chains
from cryopick_ray.filaments.cutting import (
    inside_ends,
    is_straight,
    not_covered,
    not_crossing,
    runs,
    straightness,
)
from cryopick_ray.filaments.joining import join
from cryopick_ray.filaments.junctions import length_px, split_at_junctions
from cryopick_ray.filaments.kinks import not_kinked
from cryopick_ray.filaments.ridges import Map, find_ridges, sampled, smoothed
from cryopick_ray.filaments.smooth_axis import bridged, smooth_line
from cryopick_ray.filaments.trace import Points, Trace
from cryopick_ray.filaments.tracing_settings import TracingSettings

NOISE = 0.15
"""Widths: sigma of the Gaussian that takes the noise of single pixels out of the map."""
DIRECTION = 0.6
"""Widths of the square that directions are averaged over."""
SMOOTH = 0.5
"""Widths: how stiff a line is (:func:`~cryopick_ray.filaments.smooth_axis.smooth_line`)."""
SPUR = 1.0
"""Widths: a shorter part is no filament's; and how near a part's end is to another where they meet."""
END = 0.5
"""Part of a filament's usual height where its end is."""
MOST_PARTS = 4_000
"""No map of filaments has so many; of one that has, the longest are taken."""


def trace_maps(
    ridge: Map,
    cos2: Map,
    sin2: Map,
    settings: TracingSettings | None = None,
    *,
    width_px: float,
    excluded: NDArray[np.bool_] | None = None,
) -> list[Trace]:
    """Return the filaments of maps, the surest first, then by y, then x of their first ends.

    Parameters
    ----------
    ridge
        ``(h, w)`` probability that a pixel lies on a filament's axis.
    cos2, sin2
        ``(h, w)`` cosine and sine of twice the axis's angle ``atan2(dy, dx)``; shorter where it is less sure.
    width_px
        Of a filament, in pixels of the maps.
    excluded
        ``(h, w)`` where there are no filaments to be seen; ``None`` for nowhere.

    Returns
    -------
    list of Trace
        Vertices in pixels of the maps, about one apart; the score is the mean probability along it.

    Raises
    ------
    ValueError
        The maps differ in shape.
    """
    settings = settings or TracingSettings()
    shapes = {one.shape for one in (ridge, cos2, sin2, excluded) if one is not None}
    if len(shapes) != 1 or ridge.ndim != 2:
        raise ValueError(f"maps have the shapes {sorted(shapes)}; expected one, (h, w)")
    ridge, cos2, sin2 = (np.nan_to_num(one.astype(np.float32, copy=False)) for one in (ridge, cos2, sin2))
    height = smoothed(ridge, NOISE * width_px)
    ridges = find_ridges(height, cos2, sin2, settings.floor, DIRECTION * width_px, excluded)
    parts = _parts([ridges.points[chain] for chain in chains(ridges)], width_px)
    if not parts:
        return []
    lines = [_line(parts, walk, width_px) for walk in join(parts, height, width_px, settings)]
    lines = _separate(lines, height, width_px, settings, excluded)
    traces = [_trace(line, ridge) for line in lines if sampled(height, line).max() >= settings.seed]
    return sorted(traces, key=lambda trace: (-trace.score, trace.points[0, 1], trace.points[0, 0]))


def _parts(found: Sequence[Points], width_px: float) -> list[Points]:
    """Return the chains that may be parts of filaments, none shorter than a spur."""
    long = [one for one in found if len(one) > 1 and length_px(one) >= SPUR * width_px]
    long = _longest(long)
    split = split_at_junctions(long, SPUR * width_px) if long else []
    return _longest([one for one in split if len(one) > 1 and length_px(one) >= SPUR * width_px / 2])


def _longest(parts: list[Points]) -> list[Points]:
    return sorted(parts, key=lambda part: (-len(part), *part[0, ::-1]))[:MOST_PARTS]


def _line(parts: Sequence[Points], walk: Sequence[int], width_px: float) -> Points:
    """Return the smooth line through parts, each entered by the side that a walk says."""
    points, weight = bridged([parts[side // 2][:: -1 if side % 2 else 1] for side in walk])
    return smooth_line(points, weight, SMOOTH * width_px)


def _separate(
    lines: Sequence[Points],
    height: Map,
    width_px: float,
    settings: TracingSettings,
    excluded: NDArray[np.bool_] | None,
) -> list[Points]:
    """Return the parts of lines that are one filament each, and long enough."""
    chord, radius_px = max(round(width_px), 1), settings.least_radius * width_px
    least = max(round(settings.least_length * width_px), 2)
    lines = _cut(lines, not_kinked(lines, width_px), least)
    lines = _cut(lines, [is_straight(line, chord, radius_px) for line in lines], least)
    lines = _cut(lines, [_reaches(line, height) for line in lines], least)
    lines = sorted(lines, key=lambda line: (-len(line), *line[0, ::-1]))
    lines = _cut(lines, not_covered(lines, width_px), least)
    if excluded is not None:
        barred = excluded.astype(np.float32)
        lines = _cut(lines, [sampled(barred, line) < 0.5 for line in lines], least)
    if settings.crossing_margin:
        lines = _cut(lines, not_crossing(lines, settings.crossing_margin * width_px), least)
    margin = round(settings.end_margin * width_px)
    lines = [line[margin : len(line) - margin] for line in lines if len(line) - 2 * margin > least]
    return [line for line in lines if straightness(line) >= settings.least_straightness]


def _cut(lines: Sequence[Points], keep: Sequence[NDArray[np.bool_]], least: int) -> list[Points]:
    """Return the kept parts of lines that have more vertices than that."""
    parts = [line[run] for line, one in zip(lines, keep, strict=True) for run in runs(one)]
    return [part for part in parts if len(part) > least]


def _reaches(line: Points, height: Map) -> NDArray[np.bool_]:
    """Tell which vertices lie between the first and the last that are as high as an end is."""
    along = sampled(height, line)
    return inside_ends(along >= END * np.median(along))


def _trace(line: Points, ridge: Map) -> Trace:
    """Return a line as a trace, from its upper end on."""
    first, last = line[0, ::-1].tolist(), line[-1, ::-1].tolist()
    return Trace(line if first <= last else line[::-1], float(np.mean(sampled(ridge, line))))
