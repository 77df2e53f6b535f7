"""A pass that applies the decisions of people on micrographs and picks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cryopick_ray.errors import UsageError
from cryopick_ray.micrographs.junk import Junk
from cryopick_ray.passes.decisions import REACH_PX, Decisions, Places, Turns, covered
from cryopick_ray.passes.hand_drawn import with_places, with_traces
from cryopick_ray.picks.reasons import Reason
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph

NEARBY = [1, 2, 3, 4]
"""Numbers of the nearest candidates to try where some did not exist yet when a place was marked."""
OUT_OF_REACH = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Curated:
    """Marks what a person removed or excluded and adds what they added, whatever other passes decide.

    A place to remove or to keep means the nearest candidate within a pixel, and the last decision on it
    counts. What lies in a disc of junk is junk, unless it was kept later. What is added takes the
    place of candidates within a pixel, and has the micrograph's highest score; no other threshold takes it
    away. So it is with filaments that were drawn: they are cut into segments, about each of which may be
    decided later.

    Attributes
    ----------
    spacing_A
        Between the segments of a filament; ``None`` for that of the micrograph's other filaments, or half a
        width.
    """

    decisions: Mapping[str, Decisions]
    spacing_A: float | None = None

    def __call__(self, picks: MicrographPicks) -> MicrographPicks:
        """Return the picks of a micrograph, marked and completed."""
        decisions = self.decisions.get(picks.micrograph.micrograph_id)
        if decisions is None:
            return picks
        picks, drawn_at = with_traces(picks, decisions, self.spacing_A)
        last = last_decision_at(picks, decisions, drawn_at)
        has_decision = last >= 0
        is_removed = np.zeros(len(picks), bool)
        is_removed[has_decision] = decisions.is_removed[last[has_decision]]
        picks = picks.marked(Reason.REMOVED_BY_HAND, is_removed)
        if len(decisions.discs):
            kept_at = np.full(len(picks), -1)
            keep_turn = np.where(decisions.is_removed, -1, decisions.marked_turn)
            kept_at[has_decision] = keep_turn[last[has_decision]]
            junk_at = covered(_places(picks), decisions.discs, decisions.disc_turn)
            picks = _on_junk(picks, junk_at > np.maximum(kept_at, drawn_at))
        picks = with_places(picks.best_first() if decisions.traces else picks, decisions.add)
        return picks.marked(Reason.EXCLUDED_MICROGRAPH, np.full(len(picks), decisions.exclude))


def check_places(decisions: Mapping[str, Decisions], micrographs: Iterable[PickedMicrograph]) -> None:
    """Refuse to add picks outside their micrograph, and filaments where no pixel size is known.

    Raises
    ------
    UsageError
        Naming the first.
    """
    for micrograph in micrographs:
        own_decisions = decisions.get(micrograph.micrograph_id)
        if own_decisions is None or micrograph.shape is None:
            continue
        height, width = micrograph.shape
        additions = [
            ("a pick", own_decisions.add.astype(np.float64)),
            *(("a filament", trace.points) for trace in own_decisions.traces),
        ]
        for what, places in additions:
            inside = ((places >= -0.5) & (places <= [width - 0.5, height - 0.5])).all(axis=1)
            if not inside.all():
                x_px, y_px = places[~inside][0].tolist()
                raise UsageError(
                    f"`curation` adds {what} at {x_px:g}, {y_px:g} to {micrograph.micrograph_id}, which has "
                    f"{width} x {height} pixels; expected x_px, y_px in pixels of the micrograph"
                )
        if own_decisions.traces and micrograph.pixel_size_A is None:
            raise UsageError(
                f"`curation` draws a filament in {micrograph.micrograph_id}, whose pixel size is not known; "
                "give `pixel_size_A`"
            )


def _places(picks: MicrographPicks) -> Places:
    return np.column_stack([picks.x_px, picks.y_px])


def last_decision_at(picks: MicrographPicks, decisions: Decisions, drawn_at: Turns | None = None) -> Turns:
    """Return ``(n,)`` the index of the last marked place that means each candidate; -1 for none.

    Parameters
    ----------
    drawn_at
        ``(n,)`` turns in which candidates were drawn.
    """
    last = np.full(len(picks), -1, np.int64)
    if len(picks) and len(decisions.marked_places):
        few = [1] if drawn_at is None or not decisions.traces else NEARBY
        tree = cKDTree(_places(picks))
        nearest = np.asarray(tree.query(decisions.marked_places, k=few, distance_upper_bound=REACH_PX)[1])
        since = np.append(np.full(len(picks), -1) if drawn_at is None else drawn_at, OUT_OF_REACH)
        was_there = since[nearest] < decisions.marked_turn[:, None]
        near = np.flatnonzero(was_there.any(axis=1))
        np.maximum.at(last, nearest[near, was_there[near].argmax(axis=1)], near)
    return last


def _on_junk(picks: MicrographPicks, where: NDArray[np.bool_]) -> MicrographPicks:
    """Return the picks, those ``where`` it is true marked as on junk by hand."""
    if not where.any():
        return picks
    junk = np.zeros(len(picks), np.uint8) if picks.junk is None else picks.junk
    picks = replace(picks, junk=np.where(where, np.uint8(Junk.MASKED), junk))
    return picks.marked(Reason.ON_JUNK | Reason.REMOVED_BY_HAND, where)
