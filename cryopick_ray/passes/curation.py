"""What people decided about micrographs and picks, as a pass."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cryopick_ray.errors import UsageError
from cryopick_ray.micrographs.junk import Junk
from cryopick_ray.passes.decisions import REACH_PX, Decisions, Places, Turns, covered
from cryopick_ray.passes.hand_drawn import with_places, with_traces
from cryopick_ray.picks.reasons import Why
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph

NEARBY = [1, 2, 3, 4]
"""The nearest candidates that are looked at where some were not there yet as a place was said."""
OUT_OF_REACH = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Curated:
    """Marks what a person removed or excluded, and adds what they added, whatever other passes say of it.

    Of the candidates within a pixel of a place to remove or to keep, the nearest is meant, and what was said
    of it last counts. What lies in a disc of junk is junk, unless it was kept later. What is added takes the
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
        own = self.decisions.get(picks.micrograph.micrograph_id)
        if own is None:
            return picks
        picks, drawn_at = with_traces(picks, own, self.spacing_A)
        said = said_last(picks, own, drawn_at)
        is_said = said >= 0
        is_removed = np.zeros(len(picks), bool)
        is_removed[is_said] = own.is_removed[said[is_said]]
        picks = picks.marked(Why.REMOVED_BY_HAND, is_removed)
        if len(own.discs):
            kept_at = np.full(len(picks), -1)
            kept_at[is_said] = np.where(own.is_removed, -1, own.said_turn)[said[is_said]]
            junk_at = covered(_places(picks), own.discs, own.disc_turn)
            picks = _on_junk(picks, junk_at > np.maximum(kept_at, drawn_at))
        picks = with_places(picks.best_first() if own.traces else picks, own.add)
        return picks.marked(Why.EXCLUDED_MICROGRAPH, np.full(len(picks), own.exclude))


def check_places(decisions: Mapping[str, Decisions], micrographs: Iterable[PickedMicrograph]) -> None:
    """Refuse to add picks outside their micrograph, and filaments where no pixel size is known.

    Raises
    ------
    UsageError
        Naming the first.
    """
    for micrograph in micrographs:
        own = decisions.get(micrograph.micrograph_id)
        if own is None or micrograph.shape is None:
            continue
        height, width = micrograph.shape
        given = [
            ("a pick", own.add.astype(np.float64)),
            *(("a filament", trace.points) for trace in own.traces),
        ]
        for what, places in given:
            inside = ((places >= -0.5) & (places <= [width - 0.5, height - 0.5])).all(axis=1)
            if not inside.all():
                x_px, y_px = places[~inside][0].tolist()
                raise UsageError(
                    f"`curation` adds {what} at {x_px:g}, {y_px:g} to {micrograph.micrograph_id}, which has "
                    f"{width} x {height} pixels; expected x_px, y_px in pixels of the micrograph"
                )
        if own.traces and micrograph.pixel_size_A is None:
            raise UsageError(
                f"`curation` draws a filament in {micrograph.micrograph_id}, whose pixel size is not known; "
                "give `pixel_size_A`"
            )


def _places(picks: MicrographPicks) -> Places:
    return np.column_stack([picks.x_px, picks.y_px])


def said_last(picks: MicrographPicks, own: Decisions, drawn_at: Turns | None = None) -> Turns:
    """Return ``(n,)`` which of the said places means each candidate, the last of several; -1 for none.

    Parameters
    ----------
    drawn_at
        ``(n,)`` turns before which a candidate was not there.
    """
    last = np.full(len(picks), -1, np.int64)
    if len(picks) and len(own.said):
        few = [1] if drawn_at is None or not own.traces else NEARBY
        tree = cKDTree(_places(picks))
        nearest = np.asarray(tree.query(own.said, k=few, distance_upper_bound=REACH_PX)[1])
        since = np.append(np.full(len(picks), -1) if drawn_at is None else drawn_at, OUT_OF_REACH)
        was_there = since[nearest] < own.said_turn[:, None]
        near = np.flatnonzero(was_there.any(axis=1))
        np.maximum.at(last, nearest[near, was_there[near].argmax(axis=1)], near)
    return last


def _on_junk(picks: MicrographPicks, where: NDArray[np.bool_]) -> MicrographPicks:
    """Return the picks, of which some lie on what a person says is junk."""
    if not where.any():
        return picks
    junk = np.zeros(len(picks), np.uint8) if picks.junk is None else picks.junk
    picks = replace(picks, junk=np.where(where, np.uint8(Junk.MASKED), junk))
    return picks.marked(Why.ON_JUNK | Why.REMOVED_BY_HAND, where)
