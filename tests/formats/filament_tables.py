"""Filaments in tables and files, and what is compared of them."""

import numpy as np

from cryopick_ray.evaluation.external_picks import as_picks
from cryopick_ray.filaments.trace import Trace

PIXEL_A, WIDTH_A, SPACING_PX = 1.5, 60.0, 20.0


def arc(radius_px, turn=np.pi / 2, centre=(500, 500)):
    angle = np.linspace(0, turn, 60)
    return Trace(np.array(centre) + radius_px * np.column_stack([np.cos(angle), np.sin(angle)]), 0.5)


def by_filament(one):
    """Return the segments of each filament in order: x, y, track in angstroms, psi."""
    picks = next(as_picks([one], pixel_size_A=PIXEL_A, diameter_A=WIDTH_A))
    found = {}
    for number in np.unique(picks.more["filament"]):
        rows = np.flatnonzero(picks.more["filament"] == number)
        rows = rows[np.argsort(picks.more["track_A"][rows], kind="stable")]
        table = [picks.x_px, picks.y_px, picks.more["track_A"], picks.more["angle_deg"]]
        found[int(number)] = np.stack([column[rows] for column in table], axis=1)
    return found


def off(psi, other):
    """Return how far directions differ that have no sense."""
    return np.abs((np.asarray(psi) - other + 90) % 180 - 90)
