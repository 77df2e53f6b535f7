"""Decisions of several people about one small micrograph, and a replay that is as plain as can be."""

from dataclasses import replace
from math import dist

import numpy as np
from hypothesis import strategies as st

from cryopick_ray.passes.decisions import Decision
from cryopick_ray.picks.reasons import Why
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph

PLACES = [(2.0, 2.0), (2.9, 2.0), (6.0, 2.0), (2.0, 6.0), (6.0, 6.0)]
"""Of candidates, two of them within reach of each other."""
ABOUT = PickedMicrograph("a.mrc", "s", "a.mrc", (100, 100), 2.0, None, "complete", "")
coordinates = st.integers(0, 20).map(lambda n: round(0.4 * n, 2))
"""No two places are just a pixel apart, nor is one just between two candidates."""
_discs = st.sampled_from([(2.4, 2.4, 1.5), (6.0, 4.0, 2.3), (4.0, 4.0, 30.0)])
_moments = st.sampled_from([f"2026-11-30T10:00:0{n}.000Z" for n in range(6)])


@st.composite
def decisions(draw, micrographs=("a.mrc",)):
    """Draw one decision."""
    action = draw(st.sampled_from(["add", "remove", "keep", "junk", "clean", "exclude", "include"]))
    name, by, at = draw(st.sampled_from(micrographs)), draw(st.sampled_from(["anna", "bo"])), draw(_moments)
    disc = (0.0, 0.0, 0.0)
    if action in ("junk", "clean"):
        disc = draw(_discs)
    elif action in ("add", "remove", "keep"):
        disc = (draw(coordinates), draw(coordinates), 0.0)
    return Decision(name, action, *disc, by=by, at=at)


def candidates():
    """Return the candidates that are decided about, one of them with too low a score."""
    x, y = np.float32(PLACES).T
    unpicked = np.zeros(len(x), np.uint16)
    unpicked[-1] = Why.BELOW_THRESHOLD
    return MicrographPicks(ABOUT, x, y, np.linspace(1, 0.1, len(x)).astype(np.float32), unpicked, 60.0)


def replayed(rows, picks):
    """Return what decisions in their order make of candidates: place to (reasons, whether added)."""
    history = []
    for row in rows:
        if row.action == "clean":
            history = [one for one in history if one.action != "junk" or one.disc != row.disc]
        else:
            history.append(row)
    places = list(zip(picks.x_px.tolist(), picks.y_px.tolist(), strict=True))
    removed, kept, painted, added, excluded = set(), set(), [], [], False
    for row in history:
        here = row.disc[:2]
        near = sorted((dist(place, here), place) for place in places if dist(place, here) < 1)
        meant = {near[0][1]} if near else set()
        if row.action in ("exclude", "include"):
            excluded = row.action == "exclude"
        elif row.action == "junk":
            painted.append(row.disc)
            kept -= {place for place in places if dist(place, here) <= row.radius_px}
            added = [one for one in added if dist(one.disc[:2], here) > row.radius_px]
        elif row.action == "keep":
            removed, kept = removed - meant, kept | meant
        elif row.action == "remove":
            removed, kept = removed | meant, kept - meant
            added = [one for one in added if dist(one.disc[:2], here) > 1]
        else:
            others = (one for one in added if one.call == row.call or dist(one.disc[:2], here) > 1)
            added = [other for other in others if other != row] + [row]
    found = {}
    for place, before in zip(places, picks.unpicked.tolist(), strict=True):
        is_junk = place not in kept and any(dist(place, disc[:2]) <= disc[2] for disc in painted)
        reasons = before | Why.REMOVED_BY_HAND * (place in removed or is_junk) | Why.ON_JUNK * is_junk
        if all(dist(place, row.disc[:2]) > 1 for row in added):
            found[tuple(np.float32(place).tolist())] = reasons | Why.EXCLUDED_MICROGRAPH * excluded, False
    for row in added:
        found[tuple(np.float32(row.disc[:2]).tolist())] = Why.EXCLUDED_MICROGRAPH * excluded, True
    return found


def outcome(picks):
    """Return the same of a micrograph's picks."""
    sources = picks.more.get("source", [""] * len(picks))
    places = zip(picks.x_px.tolist(), picks.y_px.tolist(), strict=True)
    return {
        place: (code, source == "hand")
        for place, code, source in zip(places, picks.unpicked.tolist(), sources, strict=True)
    }


def undated(rows):
    """Return decisions as earlier versions made them."""
    return [replace(row, by="", at="") for row in rows]
