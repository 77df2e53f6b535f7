"""Checks that coordinates are in a micrograph's frame: not of a binned or enlarged image, not mirrored."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import UsageError
from cryopick_ray.picks.matching import match
from cryopick_ray.units import Shape

Centres = NDArray[np.floating]
FACTORS = (2, 3, 4, 8)
CORNER = 0.6
"""Fraction of both sides within which all coordinates of binned images lie."""
ENOUGH_MICROGRAPHS, ENOUGH_PARTICLES = 3, 40
"""Fewest micrographs and particles for a check."""
LOOKED_AT = 20
NEAR = 1 / 3
"""Fraction of the radius for matching: in crowded micrographs a whole one finds half of all by chance."""
BETTER, TIMES_BETTER = 0.2, 2.0
"""Least difference and least ratio of recall in another frame."""


@dataclass(frozen=True)
class FramePair:
    """Picks and true particles of a micrograph, in pixels, and the radius within which they match."""

    picks: Centres
    truth: Centres
    shape: Shape | None
    radius_px: float


def check_inside(centres: Centres, shape: Shape, label: str, margin_px: float = 0.0) -> None:
    """Refuse coordinates outside their micrograph, with the factor that would fit.

    Parameters
    ----------
    centres
        ``(n, 2)`` columns and rows.
    label
        Description of the coordinates in the message: "labels of a.mrc in FOLDER".
    margin_px
        How far outside a centre may lie.

    Raises
    ------
    UsageError
        Some lie farther outside.
    """
    height, width = shape
    beyond = np.array([width, height]) - 0.5 + margin_px
    outside = ((centres < -0.5 - margin_px) | (centres > beyond)).any(axis=1)
    if not outside.any():
        return
    x, y = centres[outside][0]
    need = float((centres.max(axis=0) / beyond).max())
    factor = next((whole for whole in FACTORS if need <= whole), None)
    remedy = (
        f"they would fit images {factor} times as large: convert them with `binning` {1 / factor:.4g}"
        if factor and need > 1
        else "they must be centres in pixels of the micrograph as it is, not binned"
    )
    raise UsageError(
        f"{int(outside.sum())} {label} lie outside its {width} x {height} pixels, the first at x {x:g}, "
        f"y {y:g}; {remedy}"
    )


def corner_factor(labelled: Iterable[tuple[Centres, Shape]]) -> int | None:
    """Return the binning that labels suggest which all lie in the first corner; otherwise ``None``."""
    extents = [(centres.max(axis=0) + 0.5, shape[::-1]) for centres, shape in labelled if len(centres)]
    if len(extents) < ENOUGH_MICROGRAPHS:
        return None
    reach = max(float(np.max(most / sides)) for most, sides in extents)
    factor = int(1 / reach)
    return factor if reach < CORNER and 1 < factor <= max(FACTORS) else None


def other_frame(pairs: Sequence[FramePair]) -> str | None:
    """Return in words a frame in which true particles match the picks far better; ``None`` without one."""
    used = [pair for pair in pairs if len(pair.truth) and len(pair.picks)][:LOOKED_AT]
    n_truth = sum(len(pair.truth) for pair in used)
    if n_truth < ENOUGH_PARTICLES:
        return None
    recall = {
        words: sum(_hits(pair, move(pair.truth, pair.shape)) for pair in used) / n_truth
        for words, move in _frames(all(pair.shape for pair in used)).items()
    }
    recall_as_is = recall.pop("")
    words, best = max(recall.items(), key=lambda item: item[1])
    if not _is_better(best, recall_as_is):
        return None
    return f"{words} ({best:.0%} of them close to a pick, {recall_as_is:.0%} as they are)"


def _is_better(other_recall: float, recall_as_is: float) -> bool:
    return other_recall >= recall_as_is + BETTER and other_recall >= TIMES_BETTER * recall_as_is


Move = Callable[[Centres, Shape | None], Centres]


def _frames(with_shapes: bool) -> Mapping[str, Move]:
    frames: dict[str, Move] = {"": lambda centres, shape: centres}
    for factor in FACTORS:
        for scale in (float(factor), 1 / factor):
            frames[f"if they are converted with `binning` {scale:.4g}"] = _scaled(scale)
    if with_shapes:
        frames["upside down: convert them with `flip_y`"] = _flipped_y
        frames["mirrored in x"] = _flipped_x
    return frames


def _scaled(scale: float) -> Move:
    return lambda centres, shape: scale * (centres + 0.5) - 0.5


def _flipped_y(centres: Centres, shape: Shape | None) -> Centres:
    assert shape is not None
    return centres * (1, -1) + (0, shape[0] - 1)


def _flipped_x(centres: Centres, shape: Shape | None) -> Centres:
    assert shape is not None
    return centres * (-1, 1) + (shape[1] - 1, 0)


def _hits(pair: FramePair, truth: Centres) -> int:
    equal = np.zeros(len(pair.picks))
    (x, y), (true_x, true_y) = pair.picks.T, truth.T
    return int((match(x, y, equal, true_x, true_y, NEAR * pair.radius_px) >= 0).sum())
