"""Candidates of a micrograph from scores, for tests of labels."""

import numpy as np

from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph


def picks(name, score, status="complete", *, dataset="d", threshold=0.4):
    score = np.float32(score)
    places = np.arange(len(score), dtype=np.float32)
    micrograph = PickedMicrograph(name, dataset, name, (90, 110), 2.0, None, status, "")
    return MicrographPicks(
        micrograph, 10 + places, 50 - places, score, (score < threshold).astype(np.uint16), 60.0
    )
