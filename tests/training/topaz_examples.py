"""Small Topaz recipes, and a labelled micrograph for them."""

import numpy as np

from cryopick_ray.training.data.labelled import LabelledMicrograph
from cryopick_ray.training.recipes.topaz import TopazRecipe

FIELDS = {"topaz-conv3": 31, "topaz-resnet8": 71, "topaz-resnet16": 91}


def micrograph(particles=((60.3, 50.6), (150.0, 120.0)), shape=(200, 240), **labels):
    image = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    return LabelledMicrograph("m", "d", image, np.array(particles, np.float32).reshape(-1, 2), **labels)


def recipe(**changes):
    return TopazRecipe(**{"pi": 0.03, "units": 2} | changes)
