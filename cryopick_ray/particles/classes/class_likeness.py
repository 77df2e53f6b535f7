"""How likely a class shows particles: a rule learnt from simulated sets with known truth."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.particles.classes.class_quality import ClassMeasures
from cryopick_ray.passes.bad_classes import QUALITIES, Quality

RULE = "likeness.json"
LEAST_PARTICLES = 10
"""Of which too few are in a class, nothing can be said: it is junk."""
Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rule:
    """A logistic regression over standardised measures.

    Attributes
    ----------
    measures
        Names, of :class:`~cryopick_ray.particles.classes.class_quality.ClassMeasures`.
    mean, spread, weight
        ``(m,)`` of each.
    good, doubtful
        Probabilities from which on a class is so.
    made_from
        What it was learnt from and how often it errs, for people.
    """

    measures: tuple[str, ...]
    mean: Numbers
    spread: Numbers
    weight: Numbers
    bias: float
    good: float
    doubtful: float
    made_from: Mapping[str, Any]

    def probability(self, measured: ClassMeasures) -> Numbers:
        """Return ``(k,)`` probabilities that a class shows particles."""
        table = measured.table()
        rows = np.stack([table[name] for name in self.measures], axis=1)
        # Beyond what was seen in learning nothing is extrapolated.
        standard = np.clip((rows - self.mean) / self.spread, -4, 4)
        sure = 1 / (1 + np.exp(-(standard @ self.weight + self.bias)))
        return np.where(measured.particles < LEAST_PARTICLES, 0.0, sure)

    def qualities(self, probability: Numbers) -> list[Quality]:
        """Return what classes of such probabilities are."""
        rank = np.where(probability >= self.good, 0, np.where(probability >= self.doubtful, 1, 2))
        return [QUALITIES[one] for one in rank]


@cache
def learnt_rule() -> Rule:
    """Return the rule that comes with the package; ``tests/benchmarks/class_likeness.py`` learns it."""
    card = json.loads(files(__package__).joinpath(RULE).read_text())
    return Rule(
        measures=tuple(card["measures"]),
        mean=np.array(card["mean"]),
        spread=np.array(card["spread"]),
        weight=np.array(card["weight"]),
        bias=card["bias"],
        good=card["good"],
        doubtful=card["doubtful"],
        made_from=card["made_from"],
    )
