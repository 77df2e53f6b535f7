"""What a picker found of a run's micrographs -> labels to learn from and to choose by."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cryopick_ray.errors import UsageError
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.picks.columns import HAND
from cryopick_ray.picks.reasons import Why
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.settings.run_settings import RunSettings
from cryopick_ray.store.manifest import read_manifest
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.training.data.examples import LabelledRow
from cryopick_ray.training.data.labelled import Centres

UNSURE_SHARE = 0.5
"""Candidates after the picks, as part of the number taken, that count as neither particle nor empty."""
REACH = 0.5
"""Diameters within which a label moves, and within which nothing is unsure beside a particle."""


class Grade(IntEnum):
    """What a candidate counts as: a particle to learn from, one to choose by, either, or none."""

    NONE = 0
    UNSURE = 1
    PICKED = 2
    SURE = 3


Graded = tuple[MicrographPicks, NDArray[np.int8]]
"""A micrograph's candidates with the grade of each."""


def grade(table: Iterable[MicrographPicks], *, share: float, top: int) -> list[Graded]:
    """Return the complete micrographs with the grades of their candidates.

    Each data set has its own threshold, so ranks count and not scores, each data set's apart: of its
    picks the best ``share``, or its part of ``top``, are sure. Equal scores rank by y and x, so that
    never more are taken where scores saturate. What junk keeps out counts as neither particle nor empty:
    nothing is learned of it.

    Raises
    ------
    UsageError
        If there are too few picks to learn from.
    """
    sets: dict[str, list[MicrographPicks]] = {}
    for one in table:
        if one.micrograph.status == "complete":
            sets.setdefault(one.micrograph.dataset, []).append(one)
    picked = [sum(int(one.picked.sum()) for one in own) for own in sets.values()]
    taken = _taken(picked, share, top)
    if not any(taken):
        raise UsageError(
            f"there are {sum(picked)} picks, too few to learn from; run again with a lower `threshold`, or "
            "take another `teacher`"
        )
    graded: list[Graded] = []
    for own, count in zip(sets.values(), taken, strict=True):
        ends = np.cumsum([len(one.score) for one in own])
        graded += zip(own, np.split(_grades(own, count), ends[:-1]), strict=True)
    return graded


def labelled(
    graded: Iterable[Graded], run: RunFolder, settings: RunSettings, least: Grade
) -> list[LabelledRow]:
    """Return the run's micrographs, labelled by candidates: particles have at least a grade.

    What is left unsure to learn from is no particle to choose by: a threshold that may count it or not would
    be too low. What anything else keeps out stays unsure; what a person removed or a bad class holds is none.
    """
    manifest = read_manifest(MicrographStore(run.store).place)
    diameter_A = settings.pick.diameter_A
    rows = []
    for one, grades in graded:
        row = manifest[one.micrograph.micrograph_id]
        places = np.column_stack([one.x_px, one.y_px])
        removed = one.has(Why.REMOVED_BY_HAND | Why.BAD_CLASS)
        is_unsure = (grades < least) & (grades >= Grade.UNSURE) & (least == Grade.SURE)
        rows.append(
            LabelledRow(
                store_url=run.store,
                row=row,
                dataset=row.dataset,
                diameter_A=diameter_A,
                radius_A=diameter_A / 2,
                sign=-1 if settings.invert == "yes" or one.micrograph.inverted else 1,
                particles=places[grades >= least],
                false=places[removed],
                unsure=places[(is_unsure | one.is_kept_out) & ~removed],
            )
        )
    return rows


def recentred(row: LabelledRow, peaks: Candidates) -> LabelledRow:
    """Return the micrograph with each particle at the nearest of a smoothed map's peaks.

    Picks on both walls of a hollow particle become one. Without a peak within half a diameter a particle
    stays where it is. What is unsure within as much of a particle is left out.
    """
    reach_px = REACH * row.diameter_A / row.row.pixel_size_A
    places = np.column_stack([peaks.x, peaks.y])
    away, nearest = map(np.asarray, cKDTree(places).query(row.particles, distance_upper_bound=reach_px))
    moved = np.isfinite(away)
    particles = np.concatenate([places[np.unique(nearest[moved])], row.particles[~moved]])
    return replace(row, particles=particles, unsure=_away_from(row.unsure, particles, reach_px))


def picked_anew(
    picks: Iterable[MicrographPicks], found: Mapping[str, Candidates], threshold: float | None
) -> list[MicrographPicks]:
    """Return the same micrographs with other candidates, picked from a threshold up (all without one).

    What junk keeps out stays as it is; what a person added, removed or painted over and what a bad class
    holds stays, too, and nothing else is found within half a diameter of it.

    Parameters
    ----------
    found
        Candidates by micrograph, in pixels of the source.
    """
    least = np.float32(-np.inf if threshold is None else threshold)
    made = []
    for one in picks:
        other, out = found[one.micrograph.micrograph_id], one.is_kept_out | _is_added(one)
        decided = _is_added(one) | one.has(Why.REMOVED_BY_HAND | Why.BAD_CLASS)
        other = _clear_of(other, one, decided)
        made.append(
            replace(
                one,
                x_px=np.concatenate([other.x, one.x_px[out]]),
                y_px=np.concatenate([other.y, one.y_px[out]]),
                score=np.concatenate([other.score, one.score[out]]),
                unpicked=np.concatenate(
                    [
                        np.where(other.score >= least, 0, Why.BELOW_THRESHOLD).astype(np.uint16),
                        one.unpicked[out],
                    ]
                ),
                junk=None
                if one.junk is None
                else np.concatenate([np.zeros(len(other), np.uint8), one.junk[out]]),
                more={},
            )
        )
    return made


def _is_added(picks: MicrographPicks) -> NDArray[np.bool_]:
    """Return ``(n,)`` which a person added and nothing keeps out."""
    source = picks.more.get("source")
    return np.zeros(len(picks), bool) if source is None else (source == HAND) & picks.picked


def _clear_of(found: Candidates, picks: MicrographPicks, which: NDArray[np.bool_]) -> Candidates:
    """Return those that lie farther than a label moves from some of the picks."""
    if not which.any():
        return found
    assert picks.micrograph.pixel_size_A is not None
    reach_px = REACH * picks.diameter_A / picks.micrograph.pixel_size_A
    tree = cKDTree(np.column_stack([picks.x_px, picks.y_px])[which])
    away, _ = tree.query(np.column_stack([found.x, found.y]))
    clear = np.asarray(away) > reach_px
    return Candidates(found.x[clear], found.y[clear], found.score[clear])


def _away_from(places: Centres, particles: Centres, reach_px: float) -> Centres:
    away, _ = cKDTree(particles).query(places)
    kept: Centres = places[np.asarray(away) > reach_px]
    return kept


def _taken(picked: Sequence[int], share: float, top: int) -> list[int]:
    """Return how many picks of each data set are sure: its share, or its part of ``top``."""
    wanted = [int(share * count) for count in picked]
    ends = np.cumsum([0, *wanted])
    if ends[-1] > top:
        ends = ends * top // ends[-1]
    counts: list[int] = np.diff(ends).tolist()
    return counts


def _grades(own: Sequence[MicrographPicks], taken: int) -> NDArray[np.int8]:
    """Return the grades of one data set's candidates, one micrograph after the other."""
    x_px, y_px, score, picked, is_kept_out = (
        np.concatenate([getattr(one, name) for one in own])
        for name in ("x_px", "y_px", "score", "picked", "is_kept_out")
    )
    best_first = np.lexsort((x_px, y_px, -score, is_kept_out, ~picked))
    n_picked = int(picked.sum())
    grades = np.full(len(score), Grade.NONE, np.int8)
    for count, value in (
        (n_picked + int(UNSURE_SHARE * taken), Grade.UNSURE),
        (n_picked, Grade.PICKED),
        (taken, Grade.SURE),
    ):
        grades[best_first[:count]] = value
    grades[is_kept_out] = Grade.UNSURE
    return grades
