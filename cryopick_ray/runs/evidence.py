"""How far a model's picks can be believed, without a label: what decides whether a student is kept."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.pickers.picker import Candidates, Picker
from cryopick_ray.training.data.examples import LabelledRow
from cryopick_ray.training.scored import found_by, matched, score

NEAR = 0.25
"""Diameters within which two picks agree: half of what counts as found, so that centring counts."""
NOISE = 1.0
"""Standard deviations of a micrograph that are added to it as noise."""
NOISE_STREAM = 0x6E6F6973
"""Of random numbers that nothing else draws from."""


def agreement(picker: Picker, rows: Sequence[LabelledRow]) -> float:
    """Return the average precision of a picker against micrographs' labels, within a quarter of a diameter.

    0 where there is nothing to find.
    """
    return _precision([found_by(picker, row) for row in rows], rows)


def steadiness(picker: Picker, rows: Sequence[LabelledRow], seed: int) -> float:
    """Return how well a picker finds its own best picks again under as much noise as there is signal.

    The average precision, within a quarter of a diameter, of what it finds in the micrographs with white
    noise of their own standard deviation added. To be found are its best picks without, as many as
    the micrographs have labels. A detector of chance dark spots, or of any part of a particle's wall,
    finds other ones.
    """
    count = sum(len(row.particles) for row in rows)
    clear = [found_by(picker, row) for row in rows]
    every = np.sort(np.concatenate([one.score for one in clear]))[::-1]
    least = every[min(count, len(every)) - 1] if count and len(every) else np.inf
    own = [replace(row, particles=_places(one, least)) for row, one in zip(rows, clear, strict=True)]
    streams = np.random.default_rng([NOISE_STREAM, seed]).spawn(len(rows))
    noisy = [found_by(picker, row, partial(_with_noise, rng)) for row, rng in zip(rows, streams, strict=True)]
    return _precision(noisy, own)


def _precision(found: Sequence[Candidates], rows: Sequence[LabelledRow]) -> float:
    near = [replace(row, radius_A=NEAR * row.diameter_A) for row in rows]
    return score([matched(row, one) for row, one in zip(near, found, strict=True)]).auprc or 0.0


def _places(found: Candidates, least: float) -> NDArray[np.float32]:
    return np.column_stack([found.x, found.y])[found.score >= least]


def _with_noise(rng: np.random.Generator, image: NDArray[np.float32]) -> NDArray[np.float32]:
    spread = NOISE * np.nanstd(image)
    return image + np.float32(spread) * rng.standard_normal(image.shape, np.float32)
