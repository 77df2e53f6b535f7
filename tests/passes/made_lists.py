"""Lists of places that several pickers might give."""

import numpy as np
from hypothesis import strategies as st

from cryopick_ray.passes.clusters import CandidatePlaces

NAMES = ("crYOLO", "Topaz", "log", "a person")
STEP = st.integers(0, 10).map(float)
ROWS = st.lists(st.tuples(STEP, STEP, st.sampled_from([0.1, 0.5, 2.0, np.nan])), max_size=6)
LISTS = st.dictionaries(st.sampled_from(NAMES), ROWS, max_size=4)
RADIUS = st.sampled_from([0.5, 1.0, 2.0, 3.5, 30.0])


def places(rows):
    x_px, y_px, score = np.array(rows, float).reshape(-1, 3).T
    return CandidatePlaces(x_px, y_px, score)


def lists_of(rows):
    return {name: places(own) for name, own in rows.items()}


def row_sets(groups, rows):
    """The groups as lists of who has which row, which do not depend on where in a list it is."""
    return [
        [(name, repr(rows[name][at])) for name, at in zip(groups.names, members, strict=True) if at >= 0]
        for members in groups.members.tolist()
    ]
