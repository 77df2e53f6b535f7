"""Whether coordinates are in a micrograph's frame: not of a binned or enlarged image, not mirrored."""

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
"""Part of both sides beyond which no coordinate lies, if they are of images that were binned."""
ENOUGH_MICROGRAPHS, ENOUGH_PARTICLES = 3, 40
"""How many it takes for what they have in common to be no accident."""
LOOKED_AT = 20
NEAR = 1 / 3
"""Part of the radius that counts here: in crowded micrographs a whole one finds half of all by chance."""
BETTER, TIMES_BETTER = 0.2, 2.0
"""How much more recall, and how many times, another frame must have."""


@dataclass(frozen=True)
class FramePair:
    """Picks and true particles of a micrograph, in pixels, and the radius within which they match."""

    picks: Centres
    truth: Centres
    shape: Shape | None
    radius_px: float


def check_inside(centres: Centres, shape: Shape, said: str, margin_px: float = 0.0) -> None:
    """Refuse coordinates outside their micrograph, with the factor that would fit.

    Parameters
    ----------
    centres
        ``(n, 2)`` columns and rows.
    said
        Whose they are, for a person: "labels of a.mrc in FOLDER".
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
    factor = next((one for one in FACTORS if need <= one), None)
    remedy = (
        f"they would fit images {factor} times as large: convert them with `binning` {1 / factor:.4g}"
        if factor and need > 1
        else "they must be centres in pixels of the micrograph as it is, not binned"
    )
    raise UsageError(
        f"{int(outside.sum())} {said} lie outside its {width} x {height} pixels, the first at x {x:g}, "
        f"y {y:g}; {remedy}"
    )


def corner_factor(labelled: Iterable[tuple[Centres, Shape]]) -> int | None:
    """Return by how much images seem to be binned whose labels all lie in the first corner; else ``None``."""
    some = [(centres.max(axis=0) + 0.5, shape[::-1]) for centres, shape in labelled if len(centres)]
    if len(some) < ENOUGH_MICROGRAPHS:
        return None
    reach = max(float(np.max(most / sides)) for most, sides in some)
    factor = int(1 / reach)
    return factor if reach < CORNER and 1 < factor <= max(FACTORS) else None


def other_frame(pairs: Sequence[FramePair]) -> str | None:
    """Return in words a frame in which true particles fit the picks far better; ``None`` if there is none."""
    some = [pair for pair in pairs if len(pair.truth) and len(pair.picks)][:LOOKED_AT]
    n_truth = sum(len(one.truth) for one in some)
    if n_truth < ENOUGH_PARTICLES:
        return None
    recall = {
        words: sum(_hits(one, move(one.truth, one.shape)) for one in some) / n_truth
        for words, move in _frames(all(one.shape for one in some)).items()
    }
    own = recall.pop("")
    words, best = max(recall.items(), key=lambda item: item[1])
    if not _is_better(best, own):
        return None
    return f"{words} ({best:.0%} of them close to a pick, {own:.0%} as they are)"


def _is_better(best: float, own: float) -> bool:
    return best >= own + BETTER and best >= TIMES_BETTER * own


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
