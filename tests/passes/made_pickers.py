"""Particles in empty micrographs, and pickers that err as they are told."""

import numpy as np

from cryopick_ray.passes.clusters import CandidatePlaces, greedy
from cryopick_ray.passes.patterns import levels, patterns, score_cuts, total

SIDE_PX = 2000.0
RADIUS_PX = 25.0


def micrographs(pickers, *, n=4, particles=300, seed=0):
    """Yield each micrograph's particles ``(m, 2)`` and lists.

    A picker is the share of particles that it finds, and how many false places it has; scores of its true
    ones are higher by one standard deviation.
    """
    generator = np.random.default_rng(seed)
    for _ in range(n):
        true = generator.uniform(0, SIDE_PX, (particles, 2))
        lists = {}
        for name, (recall, false) in pickers.items():
            found = true[generator.random(particles) < recall]
            xy = np.concatenate(
                [found + generator.normal(0, 3, found.shape), generator.uniform(0, SIDE_PX, (false, 2))]
            )
            is_true = np.arange(len(xy)) < len(found)
            lists[name] = CandidatePlaces(*xy.T, generator.normal(is_true.astype(float), 1.0))
        yield true, lists


def agreed_on(lists):
    """The patterns of several micrographs' lists, grouped greedily."""
    names = sorted(lists[0])
    cuts = {name: score_cuts(np.concatenate([one[name].score for one in lists])) for name in names}
    grouped = [(greedy(one, RADIUS_PX), one) for one in lists]
    return total(patterns(found.names, levels(found, one, cuts)) for found, one in grouped)


def sites_of(n):
    return n * SIDE_PX**2 / (np.pi * RADIUS_PX**2)
