"""A run whose picks are segments of filaments: made by the blob detector, then published anew."""

import shutil

import numpy as np
from served import DIAMETER_A, PIXEL_SIZE_A, micrographs, pick

from cryopick_ray.filaments.segments import cut_segments
from cryopick_ray.filaments.trace import Trace
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.picks.shard import Picked
from cryopick_ray.picks.shards import PickShards, digests
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.store.manifest import read_manifest
from cryopick_ray.store.store import MicrographStore

SPACING_PX = 12.0
LINES = [
    ([(60, 80), (300, 100), (520, 60)], 0.9),
    ([(100, 300), (400, 460)], 0.7),
    ([(300, 130), (320, 420)], 0.2),
]
"""Corners and score of each filament of the first micrograph; the others have none."""
THRESHOLD = 0.5
NAMES = ["a.mrc", "b.mrc"]


def filament_run(root):
    """Make ``root/run`` and the micrographs it is of."""
    micrographs(root / "micrographs", NAMES)
    run, asked = root / "run", ("--threshold", THRESHOLD)
    pick(root / "micrographs", run, *asked)
    folder = RunFolder(str(run))
    [digest] = digests(folder.picks)
    shards = PickShards(folder.picks, digest)
    for key in shards.published():
        shards.delete(key)
    rows = read_manifest(MicrographStore(folder.store).place)
    shards.publish([Picked(name, rows[name].checksum, candidates(at == 0)) for at, name in enumerate(NAMES)])
    shutil.rmtree(run / "table")
    pick(root / "micrographs", run, "--resume", *asked)
    return run


def candidates(has_any):
    """Return what a picker of filaments finds, best first."""
    traces = [Trace(np.array(corners, float), score) for corners, score in LINES[: 3 * has_any]]
    found = cut_segments(traces, SPACING_PX, 2 * DIAMETER_A / PIXEL_SIZE_A)
    x, y, score = (one.astype(np.float32) for one in (found.x_px, found.y_px, found.score))
    order = np.lexsort((x, y, -score))
    more = {
        "filament": found.filament,
        "track_A": (found.track_px * PIXEL_SIZE_A).astype(np.float32),
        "angle_deg": found.psi_deg.astype(np.float32),
    }
    return Candidates(
        x[order], y[order], score[order], more={name: values[order] for name, values in more.items()}
    )
