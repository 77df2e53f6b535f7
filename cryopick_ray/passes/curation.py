"""What people decided about micrographs and picks, as a pass."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cryopick_ray.errors import UsageError
from cryopick_ray.micrographs.junk import Junk
from cryopick_ray.passes.decisions import REACH_PX, Decisions, Places, Turns, covered
from cryopick_ray.picks.columns import COLUMNS, HAND
from cryopick_ray.picks.reasons import Why, none
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph


@dataclass(frozen=True)
class Curated:
    """Marks what a person removed or excluded, and adds what they added, whatever other passes say of it.

    Of the candidates within a pixel of a place to remove or to keep, the nearest is meant, and what was said
    of it last counts. What lies in a disc of junk is junk, unless it was kept later. What is added takes the
    place of candidates within a pixel, and has the micrograph's highest score; no other threshold takes it
    away.
    """

    decisions: Mapping[str, Decisions]

    def __call__(self, picks: MicrographPicks) -> MicrographPicks:
        """Return the picks of a micrograph, marked and completed."""
        own = self.decisions.get(picks.micrograph.micrograph_id)
        if own is None:
            return picks
        said = said_last(picks, own)
        is_said = said >= 0
        is_removed = np.zeros(len(picks), bool)
        is_removed[is_said] = own.is_removed[said[is_said]]
        picks = picks.marked(Why.REMOVED_BY_HAND, is_removed)
        if len(own.discs):
            kept_at = np.full(len(picks), -1)
            kept_at[is_said] = np.where(own.is_removed, -1, own.said_turn)[said[is_said]]
            picks = _on_junk(picks, covered(_places(picks), own.discs, own.disc_turn) > kept_at)
        picks = _added(picks, own.add)
        return picks.marked(Why.EXCLUDED_MICROGRAPH, np.full(len(picks), own.exclude))


def check_places(decisions: Mapping[str, Decisions], micrographs: Iterable[PickedMicrograph]) -> None:
    """Refuse to add picks outside their micrograph.

    Raises
    ------
    UsageError
        Naming the first.
    """
    for one in micrographs:
        own = decisions.get(one.micrograph_id)
        if own is None or one.shape is None:
            continue
        height, width = one.shape
        inside = ((own.add >= -0.5) & (own.add <= [width - 0.5, height - 0.5])).all(axis=1)
        if not inside.all():
            x_px, y_px = own.add[~inside][0].tolist()
            raise UsageError(
                f"`curation` adds a pick at {x_px:g}, {y_px:g} to {one.micrograph_id}, which has "
                f"{width} x {height} pixels; expected x_px, y_px in pixels of the micrograph"
            )


def _places(picks: MicrographPicks) -> Places:
    return np.column_stack([picks.x_px, picks.y_px])


def said_last(picks: MicrographPicks, own: Decisions) -> Turns:
    """Return ``(n,)`` which of the said places means each candidate, the last of several; -1 for none."""
    last = np.full(len(picks), -1, np.int64)
    if len(picks) and len(own.said):
        away, nearest = map(
            np.asarray, cKDTree(_places(picks)).query(own.said, distance_upper_bound=REACH_PX)
        )
        near = np.flatnonzero(np.isfinite(away))
        np.maximum.at(last, nearest[near], near)
    return last


def _on_junk(picks: MicrographPicks, where: NDArray[np.bool_]) -> MicrographPicks:
    """Return the picks, of which some lie on what a person says is junk."""
    if not where.any():
        return picks
    junk = np.zeros(len(picks), np.uint8) if picks.junk is None else picks.junk
    picks = replace(picks, junk=np.where(where, np.uint8(Junk.MASKED), junk))
    return picks.marked(Why.ON_JUNK | Why.REMOVED_BY_HAND, where)


def _added(picks: MicrographPicks, places: Places) -> MicrographPicks:
    """Return the picks with those that a person added."""
    n = len(places)
    if not n:
        return picks
    best = picks.score.max() if len(picks) else np.float32(1)
    away, _ = cKDTree(places).query(_places(picks))
    picks = picks.take(np.asarray(away) > REACH_PX)
    names = {*picks.more, "source"}
    before = {name: picks.more.get(name, COLUMNS[name].nothing(len(picks))) for name in names}
    new = {name: COLUMNS[name].nothing(n) for name in names}
    new["source"][:] = HAND
    return replace(
        picks,
        x_px=np.concatenate([picks.x_px, places[:, 0]]),
        y_px=np.concatenate([picks.y_px, places[:, 1]]),
        score=np.concatenate([picks.score, np.full(n, best, np.float32)]),
        unpicked=np.concatenate([picks.unpicked, none(n)]),
        junk=None if picks.junk is None else np.concatenate([picks.junk, np.zeros(n, np.uint8)]),
        more={name: np.concatenate([before[name], new[name]]) for name in names},
    ).best_first()
