from dataclasses import replace

import numpy as np
import pytest
from filament_tables import PIXEL_A, SPACING_PX, WIDTH_A

from cryopick_ray.filaments.segments import cut_segments


@pytest.fixture
def make_filaments(make_picks):
    """Make picks of a micrograph that are segments of traces, in whatever order tables have them."""

    def make(traces, name="a.mrc", shuffled=0):
        found = cut_segments(traces, SPACING_PX, 2 * SPACING_PX)
        order = np.random.default_rng(shuffled).permutation(len(found))
        more = {
            "filament": found.filament,
            "track_A": (found.track_px * PIXEL_A).astype(np.float32),
            "angle_deg": found.psi_deg.astype(np.float32),
        }
        one = make_picks(name, len(found), picked=len(found), diameter_A=WIDTH_A)
        return replace(
            one,
            x_px=found.x_px[order].astype(np.float32),
            y_px=found.y_px[order].astype(np.float32),
            more={column: values[order] for column, values in more.items()},
        )

    return make
