"""Traces as segments, one row each, as RELION, crYOLO and tables have them; and back."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.filaments.trace import Trace


@dataclass(frozen=True, eq=False)
class Segments:
    """Segments of the filaments of one image, filament after filament, each in order along its track.

    Attributes
    ----------
    x_px, y_px
        ``(n,)`` centres in pixels.
    filament
        ``(n,)`` int32 number of the filament, from 0.
    track_px
        ``(n,)`` distance from the filament's first segment along it.
    psi_deg
        ``(n,)`` direction as rlnAnglePsiPrior has it, ``-atan2(dy, dx)``, in (-180, 180]; which end is
        which is not known.
    score
        ``(n,)`` their filament's.
    """

    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    filament: NDArray[np.int32]
    track_px: NDArray[np.float64]
    psi_deg: NDArray[np.float64]
    score: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.x_px)


def psi_deg(direction_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the psi prior, in degrees in (-180, 180], of directions ``atan2(dy, dx)``."""
    turned = -np.rad2deg(direction_rad)
    return np.where(turned <= -180, turned + 360, turned) + 0.0


def direction_rad(psi: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the directions that :func:`psi_deg` was given."""
    return -np.deg2rad(psi)


def cut_segments(traces: Sequence[Trace], spacing_px: float, over_px: float) -> Segments:
    """Return segments ``spacing_px`` apart along each trace, as many as fit, centred on it.

    Parameters
    ----------
    over_px
        Length of the chord that a segment's direction is taken from.
    """
    columns: list[list[NDArray[np.float64]]] = [[] for _ in range(6)]
    for number, trace in enumerate(traces):
        count = int(trace.length_px / spacing_px + 1e-9) + 1
        track = np.arange(count) * spacing_px
        there = track + (trace.length_px - track[-1]) / 2
        x, y = trace.at(there).T
        psi = psi_deg(trace.direction_rad(there, over_px))
        rows = x, y, np.full(count, float(number)), track, psi, np.full(count, trace.score)
        for column, values in zip(columns, rows, strict=True):
            column.append(values)
    x, y, filament, track, psi, score = (
        np.concatenate(column) if column else np.empty(0) for column in columns
    )
    return Segments(x, y, filament.astype(np.int32), track, psi, score)


def traces_of(
    x_px: NDArray[np.floating],
    y_px: NDArray[np.floating],
    filament: NDArray[np.integer],
    track_px: NDArray[np.floating] | None = None,
    score: NDArray[np.floating] | None = None,
) -> list[Trace]:
    """Return the traces through ``(n,)`` segments, filaments in the order of their first rows.

    Parameters
    ----------
    track_px
        What orders the segments of a filament; ``None`` where they are in order.

    Notes
    -----
    Filaments with fewer than two different places are no lines and left out.
    """
    traces = []
    _, first = np.unique(filament, return_index=True)
    for number in filament[np.sort(first)]:
        rows = np.flatnonzero(filament == number)
        if track_px is not None:
            rows = rows[np.argsort(track_px[rows], kind="stable")]
        points = np.column_stack([x_px[rows], y_px[rows]]).astype(np.float64)
        moved = np.concatenate([[True], (np.diff(points, axis=0) != 0).any(1)])
        if moved.sum() >= 2:
            traces.append(Trace(points[moved], float("nan") if score is None else float(score[rows[0]])))
    return traces
