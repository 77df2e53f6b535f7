from types import SimpleNamespace

import numpy as np
from labelled_sources import labelled_row

from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.training.scored import ScoredMicrograph
from cryopick_ray.training.train_model import with_false_picks


def test_a_pick_that_may_be_a_particle_is_no_negative():
    source = labelled_row("a", particles=np.float32([[50, 50]]), unsure=np.float32([[20, 80]]))
    places = np.float32([[51, 50], [20, 79], [80, 20]])  # a diameter is 20 px
    found = Candidates(*places.T, np.ones(3, np.float32))
    taught = with_false_picks(
        ScoredMicrograph(source, found, np.zeros(3, bool)), SimpleNamespace(threshold=0.5)
    )
    np.testing.assert_array_equal(taught.false, [[80, 20]])
