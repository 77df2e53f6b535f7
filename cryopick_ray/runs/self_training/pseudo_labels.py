"""Pseudo-labels: a picker's candidates become labels to train and to choose a threshold on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cryopick_ray.errors import UsageError
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.picks.columns import HAND
from cryopick_ray.picks.reasons import Reason
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.settings.run_settings import RunSettings
from cryopick_ray.store.manifest import read_manifest
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.training.data.examples import LabelledRow
from cryopick_ray.training.data.labelled import Centres

UNSURE_SHARE = 0.5
"""Candidates ranked after the picks, as a share of those taken, that are neither particle nor background."""
REACH = 0.5
"""Diameters within which a label moves, and within which no other candidate is unsure."""


class Grade(IntEnum):
    """Grade of a candidate: particle to train on, pick to choose a threshold on, unsure, or none."""

    NONE = 0
    UNSURE = 1
    PICKED = 2
    SURE = 3


GradedPicks = tuple[MicrographPicks, NDArray[np.int8]]
"""A micrograph's candidates with the grade of each."""


def grade(table: Iterable[MicrographPicks], *, share: float, top: int) -> list[GradedPicks]:
    """Grade the candidates of the complete micrographs.

    Each data set has its own threshold, so ranks count and not scores, each data set's apart: of its
    picks the best ``share``, or its part of ``top``, are sure. Equal scores rank by y and x, so that
    never more are taken where scores saturate. Candidates on junk are neither particle nor background:
    they are not trained on.

    Raises
    ------
    UsageError
        If there are too few picks to learn from.
    """
    by_dataset: dict[str, list[MicrographPicks]] = {}
    for picks in table:
        if picks.micrograph.status == "complete":
            by_dataset.setdefault(picks.micrograph.dataset, []).append(picks)
    picked = [sum(int(picks.picked.sum()) for picks in set_picks) for set_picks in by_dataset.values()]
    taken = _taken(picked, share, top)
    if not any(taken):
        raise UsageError(
            f"there are {sum(picked)} picks, too few to learn from; run again with a lower `threshold`, or "
            "take another `teacher`"
        )
    graded: list[GradedPicks] = []
    for set_picks, count in zip(by_dataset.values(), taken, strict=True):
        ends = np.cumsum([len(picks.score) for picks in set_picks])
        graded += zip(set_picks, np.split(_grades(set_picks, count), ends[:-1]), strict=True)
    return graded


def labelled(
    graded: Iterable[GradedPicks], run: RunFolder, settings: RunSettings, least: Grade
) -> list[LabelledRow]:
    """Return the run's micrographs, labelled with the candidates of at least a grade.

    Candidates that are unsure in training are no particles in validation: a threshold that may count them or
    not would be too low. Excluded candidates stay unsure; those removed by hand or in a bad class are none.
    """
    manifest = read_manifest(MicrographStore(run.store).place)
    diameter_A = settings.pick.diameter_A
    rows = []
    for picks, grades in graded:
        row = manifest[picks.micrograph.micrograph_id]
        places = np.column_stack([picks.x_px, picks.y_px])
        removed = picks.has(Reason.REMOVED_BY_HAND | Reason.BAD_CLASS)
        is_unsure = (grades < least) & (grades >= Grade.UNSURE) & (least == Grade.SURE)
        rows.append(
            LabelledRow(
                store_url=run.store,
                row=row,
                dataset=row.dataset,
                diameter_A=diameter_A,
                radius_A=diameter_A / 2,
                sign=-1 if settings.invert == "yes" or picks.micrograph.inverted else 1,
                particles=places[grades >= least],
                false=places[removed],
                unsure=places[(is_unsure | picks.is_kept_out) & ~removed],
            )
        )
    return rows


def recentred(row: LabelledRow, peaks: Candidates) -> LabelledRow:
    """Return the micrograph with each particle moved to the nearest peak of a smoothed score map.

    Picks on both walls of a hollow particle become one. Without a peak within half a diameter a particle
    stays where it is. Unsure candidates as near to a particle are left out.
    """
    reach_px = REACH * row.diameter_A / row.row.pixel_size_A
    places = np.column_stack([peaks.x, peaks.y])
    away, nearest = map(np.asarray, cKDTree(places).query(row.particles, distance_upper_bound=reach_px))
    moved = np.isfinite(away)
    particles = np.concatenate([places[np.unique(nearest[moved])], row.particles[~moved]])
    return replace(row, particles=particles, unsure=_away_from(row.unsure, particles, reach_px))


def repicked(
    picks: Iterable[MicrographPicks], found: Mapping[str, Candidates], threshold: float | None
) -> list[MicrographPicks]:
    """Return the same micrographs with new candidates, picked from a threshold up (``None``: all).

    Candidates on junk stay as they are; so do those that a person added, removed or painted over or a bad
    class holds, and no new candidate lies within half a diameter of them.

    Parameters
    ----------
    found
        New candidates by micrograph id, in pixels of the source.
    """
    least = np.float32(-np.inf if threshold is None else threshold)
    made = []
    for micrograph_picks in picks:
        candidates, out = (
            found[micrograph_picks.micrograph.micrograph_id],
            micrograph_picks.is_kept_out | _is_added(micrograph_picks),
        )
        decided = _is_added(micrograph_picks) | micrograph_picks.has(
            Reason.REMOVED_BY_HAND | Reason.BAD_CLASS
        )
        candidates = _clear_of(candidates, micrograph_picks, decided)
        made.append(
            replace(
                micrograph_picks,
                x_px=np.concatenate([candidates.x, micrograph_picks.x_px[out]]),
                y_px=np.concatenate([candidates.y, micrograph_picks.y_px[out]]),
                score=np.concatenate([candidates.score, micrograph_picks.score[out]]),
                unpicked=np.concatenate(
                    [
                        np.where(candidates.score >= least, 0, Reason.BELOW_THRESHOLD).astype(np.uint16),
                        micrograph_picks.unpicked[out],
                    ]
                ),
                junk=None
                if micrograph_picks.junk is None
                else np.concatenate([np.zeros(len(candidates), np.uint8), micrograph_picks.junk[out]]),
                more={},
            )
        )
    return made


def _is_added(picks: MicrographPicks) -> NDArray[np.bool_]:
    """Return ``(n,)`` mask of picks that a person added and that are not excluded."""
    source = picks.more.get("source")
    return np.zeros(len(picks), bool) if source is None else (source == HAND) & picks.picked


def _clear_of(candidates: Candidates, picks: MicrographPicks, which: NDArray[np.bool_]) -> Candidates:
    """Return the candidates that lie farther than a label moves from the masked picks."""
    if not which.any():
        return candidates
    assert picks.micrograph.pixel_size_A is not None
    reach_px = REACH * picks.diameter_A / picks.micrograph.pixel_size_A
    tree = cKDTree(np.column_stack([picks.x_px, picks.y_px])[which])
    away, _ = tree.query(np.column_stack([candidates.x, candidates.y]))
    clear = np.asarray(away) > reach_px
    return Candidates(candidates.x[clear], candidates.y[clear], candidates.score[clear])


def _away_from(places: Centres, particles: Centres, reach_px: float) -> Centres:
    away, _ = cKDTree(particles).query(places)
    kept: Centres = places[np.asarray(away) > reach_px]
    return kept


def _taken(picked: Sequence[int], share: float, top: int) -> list[int]:
    """Return the number of sure picks by data set: its share, or its part of ``top``."""
    wanted = [int(share * count) for count in picked]
    ends = np.cumsum([0, *wanted])
    if ends[-1] > top:
        ends = ends * top // ends[-1]
    counts: list[int] = np.diff(ends).tolist()
    return counts


def _grades(set_picks: Sequence[MicrographPicks], taken: int) -> NDArray[np.int8]:
    """Return the grades of one data set's candidates, micrographs concatenated."""
    x_px, y_px, score, picked, is_kept_out = (
        np.concatenate([getattr(picks, name) for picks in set_picks])
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
