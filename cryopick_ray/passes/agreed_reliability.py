"""How often pickers agree -> how reliable each is, without any labels."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import UsageError
from cryopick_ray.passes.patterns import LEVELS, Patterns
from cryopick_ray.units import is_positive

FEWEST = 3
"""Pickers that agreement can tell apart: of two that differ it cannot say which one errs."""
STEPS = 2000
STILL = 1e-6
"""Of EM: most steps, and the change of a probability that ends it."""
PRIOR = 0.5
"""Groups added to each picker's places, and as many to its misses, so that no rate is 0 or 1."""
ALIKE = 0.95
"""Jaccard index of two tables that are nearly one."""
SIGMAS, OFF = 3.0, 0.1
"""What two pickers share beyond what independent ones would, in standard deviations and as a share."""


@dataclass(frozen=True)
class PickerRates:
    """How often pickers have a place at each level of their scores.

    Attributes
    ----------
    particles
        How many there are, those that all missed among them.
    sites
        How many places there are for a pick that finds none.
    particle, elsewhere
        ``(k, 4)`` the share of the particles, and of the sites, where each picker has no place, or one at
        level 1 to 3. The rows of a picker without any places are equal: it says nothing.
    """

    particles: float
    sites: float
    particle: NDArray[np.float64]
    elsewhere: NDArray[np.float64]

    def posterior(self, level: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return the probability ``(p,)`` of a particle where pickers have these ``(p, k)`` levels."""
        odds = np.log(self.particle) - np.log(self.elsewhere)
        prior = math.log(self.particles / self.sites)
        total = prior + sum(odds[picker, column] for picker, column in enumerate(level.T))
        return np.asarray(1 / (1 + np.exp(-np.clip(total, -500, 500))))


@dataclass(frozen=True)
class AgreedReliability:
    """What agreement tells of pickers.

    Attributes
    ----------
    names
        ``k`` pickers, sorted.
    active
        ``(k,)`` which of them have found anything.
    precision
        ``(k,)`` the share of each one's places that are particles; 1 where that is not told.
    rates
        What the posterior is made of; ``None`` where agreement tells nothing.
    doubts
        Why these numbers may be wrong, for a person.
    """

    names: tuple[str, ...]
    active: NDArray[np.bool_]
    precision: NDArray[np.float64]
    rates: PickerRates | None
    doubts: tuple[str, ...]

    @property
    def weights(self) -> dict[str, float]:
        """How much each picker counts, by its name: its precision."""
        return dict(zip(self.names, self.precision.tolist(), strict=True))

    @property
    def recall(self) -> NDArray[np.float64] | None:
        """``(k,)`` the share of the particles that each finds; ``None`` where that is not told."""
        return None if self.rates is None else 1 - self.rates.particle[:, 0]

    def told_by(self, looked: NDArray[np.bool_]) -> "AgreedReliability":
        """Return the same where only those of ``(k,)`` pickers have looked: the others say nothing."""
        rates = self.rates
        if rates is not None:
            rates = replace(rates, elsewhere=np.where(looked[:, None], rates.elsewhere, rates.particle))
        return replace(self, active=self.active & looked, rates=rates)

    def posterior(self, level: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return the probability ``(g,)`` that groups are particles; where not told, the share of votes.

        Parameters
        ----------
        level
            ``(g, k)`` level of each picker's place in each group, 0 where it has none.
        """
        if self.rates is not None:
            return self.rates.posterior(level)
        return np.asarray((level > 0).sum(axis=1) / max(int(self.active.sum()), 1))


def reliability(agreed: Patterns, sites: float) -> AgreedReliability:
    """Return how reliable each picker is, from how often which of them agree.

    That is Dawid and Skene (1979), Applied Statistics 28, "Maximum likelihood estimation of observer
    error-rates using the EM algorithm": a group is a particle or a site without one, and each picker has its
    own rates of answering to either with nothing, or with a low, a middle or a high score. Where nobody has
    found anything is counted, too: particles that all missed, by their rates, and empty sites, by the
    micrographs' area, so that what coincides by chance is not taken for agreement.

    Pickers must err independently of each other, and they do not: particles that are hard for one are hard
    for all, and so is ice that looks like one. Then agreement flatters those that err alike, and a picker
    that alone finds what the others miss is judged too badly. Two pickers, or ones that agree no more than by
    chance, are not judged: all count alike.

    Parameters
    ----------
    agreed
        Of the whole data set.
    sites
        How many places there are for a pick to be: the area of all micrographs over that of a circle of the
        radius within which pickers agree.

    Raises
    ------
    UsageError
        If the number of sites is not positive.
    """
    if not is_positive(sites):
        raise UsageError(f"there are {sites} sites; give `sites` the micrographs' area over that of a pick")
    active = agreed.places > 0
    level, count = agreed.level, agreed.count.astype(np.float64)
    alike = np.ones(len(active))
    if why := _untold(agreed.places[active], agreed.shared[np.ix_(active, active)], sites):
        return AgreedReliability(agreed.names, active, alike, None, (f"{why}: all pickers count alike",))
    rates = _fit(level, count, sites, active)
    has, true = level > 0, count * rates.posterior(level)
    precision = np.where(active, (_sums(has, true) + PRIOR) / (_sums(has, count) + 2 * PRIOR), 1.0)
    return AgreedReliability(agreed.names, active, precision, rates, tuple(_doubts(agreed, rates)))


def _untold(places: NDArray[np.int64], shared: NDArray[np.int64], sites: float) -> str:
    """Return why agreement of active pickers tells nothing; empty if it does."""
    k = len(places)
    if k < FEWEST:
        return f"agreement tells nothing of {k} picker{'s' * (k != 1)}, it takes {FEWEST}"
    pairs = np.triu_indices(k, 1)
    taken = -np.expm1(-places / sites)  # the share of sites where places that lie anywhere are
    by_chance = sites * float(np.outer(taken, taken)[pairs].sum())
    found = int(shared[pairs].sum())
    if found <= by_chance + SIGMAS * math.sqrt(by_chance):
        return f"pairs of pickers share {found} places, and {by_chance:.0f} would be chance"
    return ""


def _fit(
    level: NDArray[np.uint8], count: NDArray[np.float64], sites: float, active: NDArray[np.bool_]
) -> PickerRates:
    """Return the rates of ``(p, k)`` patterns by EM, which starts from the share of votes."""
    posterior = (level > 0).sum(axis=1) / active.sum()
    missed = 0.0
    for _ in range(STEPS):
        true = count * posterior
        false = count - true
        rates = PickerRates(
            float(true.sum()) + missed + PRIOR,
            sites,
            _shares(level, true, missed),
            _shares(level, false, max(sites - float(false.sum()), 0.0)),
        )
        rates.elsewhere[~active] = rates.particle[~active]
        missed = rates.particles * float(np.prod(rates.particle[active, 0]))
        before, posterior = posterior, rates.posterior(level)
        if np.abs(posterior - before).max() < STILL:
            break
    return rates


def _shares(level: NDArray[np.uint8], count: NDArray[np.float64], nobody: float) -> NDArray[np.float64]:
    """Return ``(k, 4)`` shares of groups, those that nobody has among them, where pickers have each level."""
    prior = np.array([nobody + PRIOR, *[PRIOR / LEVELS] * LEVELS])
    groups = np.array([np.bincount(column, count, LEVELS + 1) for column in level.T]) + prior
    return np.asarray(groups / groups.sum(axis=1, keepdims=True))


def _sums(has: NDArray[np.bool_], count: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``(k,)`` groups that each picker has; by BLAS, bits would depend on the number of pickers."""
    return np.asarray((has * count[:, None]).sum(axis=0))


def _doubts(agreed: Patterns, rates: PickerRates) -> Iterator[str]:
    """Yield what speaks against pickers that err independently of each other."""
    names, places, shared = agreed.names, agreed.places.tolist(), agreed.shared.tolist()
    finds, errs = 1 - rates.particle[:, 0], 1 - rates.elsewhere[:, 0]
    for one, other in combinations(range(len(names)), 2):
        both = shared[one][other]
        either = places[one] + places[other] - both
        expected = rates.particles * finds[one] * finds[other] + rates.sites * errs[one] * errs[other]
        pair = f"{names[one]} and {names[other]}"
        if both > 0 and both >= ALIKE * either:
            yield f"{pair} are nearly one table: that they agree says little"
        elif both - expected > max(SIGMAS * math.sqrt(expected), OFF * expected):
            yield (
                f"{pair} share {both} places, {expected:.0f} if they erred independently: both may be judged "
                "too well"
            )
