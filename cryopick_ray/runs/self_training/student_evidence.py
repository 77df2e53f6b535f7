"""Label-free evidence for a model's picks, which decides whether a student is kept."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.pickers.picker import Candidates, Picker
from cryopick_ray.training.data.examples import LabelledRow
from cryopick_ray.training.scored import match_labels, pick_labelled, score

NEAR = 0.25
"""Diameters within which two picks agree: half the usual hit distance, so that centring counts."""
NOISE = 1.0
"""Added noise, in standard deviations of the micrograph."""
NOISE_STREAM = 0x6E6F6973
"""Key of a random stream that nothing else uses."""


def agreement(picker: Picker, rows: Sequence[LabelledRow]) -> float:
    """Return the average precision of a picker against micrographs' labels, within a quarter of a diameter.

    0 where there is nothing to find.
    """
    return _precision([pick_labelled(picker, row) for row in rows], rows)


def steadiness(picker: Picker, rows: Sequence[LabelledRow], seed: int) -> float:
    """Return how well a picker finds its own best picks again after noise is added.

    The average precision, within a quarter of a diameter, of what it finds in the micrographs with white
    noise of their own standard deviation added. The targets are its best picks without noise, as many as
    the micrographs have labels. A detector of chance dark spots, or of parts of a particle's wall,
    finds others.
    """
    count = sum(len(row.particles) for row in rows)
    clear = [pick_labelled(picker, row) for row in rows]
    scores = np.sort(np.concatenate([candidates.score for candidates in clear]))[::-1]
    threshold = scores[min(count, len(scores)) - 1] if count and len(scores) else np.inf
    own_labels = [
        replace(row, particles=_places(candidates, threshold))
        for row, candidates in zip(rows, clear, strict=True)
    ]
    streams = np.random.default_rng([NOISE_STREAM, seed]).spawn(len(rows))
    noisy = [
        pick_labelled(picker, row, partial(_with_noise, rng)) for row, rng in zip(rows, streams, strict=True)
    ]
    return _precision(noisy, own_labels)


def _precision(found_by_row: Sequence[Candidates], rows: Sequence[LabelledRow]) -> float:
    near = [replace(row, radius_A=NEAR * row.diameter_A) for row in rows]
    return (
        score(
            [match_labels(row, candidates) for row, candidates in zip(near, found_by_row, strict=True)]
        ).auprc
        or 0.0
    )


def _places(candidates: Candidates, threshold: float) -> NDArray[np.float32]:
    return np.column_stack([candidates.x, candidates.y])[candidates.score >= threshold]


def _with_noise(rng: np.random.Generator, image: NDArray[np.float32]) -> NDArray[np.float32]:
    spread = NOISE * np.nanstd(image)
    return image + np.float32(spread) * rng.standard_normal(image.shape, np.float32)
