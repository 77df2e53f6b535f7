"""What a person should know of runs that are compared: other frames, other sizes, what is missing."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from cryopick_ray.errors import UsageError, few
from cryopick_ray.evaluation.comparison import OneMicrograph, Run, letter
from cryopick_ray.evaluation.frame import LOOKED_AT, FramePair, other_frame
from cryopick_ray.evaluation.paired import places
from cryopick_ray.evaluation.sums import Beside

SAME_SIZE = 0.01
"""Relative difference up to which two pixel sizes are one."""


class Frames:
    """Whether the picks of all runs lie in the frame of the first's."""

    def __init__(self) -> None:
        self._pairs: defaultdict[int, list[FramePair]] = defaultdict(list)
        self._sizes: list[str] = []

    def add(self, beside: Beside) -> None:
        """Look at a micrograph.

        Raises
        ------
        UsageError
            It has two shapes.
        """
        there = [(number, one) for number, one in enumerate(beside.ready) if one is not None]
        for number, one in there:
            if (shape := one.micrograph.shape) and beside.shape and shape != beside.shape:
                (h, w), (height, width) = beside.shape, shape
                raise UsageError(
                    f"{beside.name} has {width} x {height} pixels in {letter(number)}, {w} x {h} in another "
                    "run; expected picks in one frame: convert those of one with `binning`"
                )
        sizes = [one.micrograph.pixel_size_A for _, one in there if one.micrograph.pixel_size_A]
        if sizes and max(sizes) > (1 + SAME_SIZE) * min(sizes):
            self._sizes.append(beside.name)
        first = beside.ready[0]
        for number, one in there[1:]:
            if first is not None and len(self._pairs[number]) < LOOKED_AT:
                picks, theirs = (places(some, np.flatnonzero(some.picked)) for some in (first, one))
                self._pairs[number].append(FramePair(picks, theirs, beside.shape, beside.radius_px))

    def notes(self) -> Iterator[str]:
        """Yield what is doubted."""
        for number, pairs in sorted(self._pairs.items()):
            if words := other_frame(pairs):
                yield f"picks of {letter(number)} fit those of A far better {words}"
        if self._sizes:
            yield f"pixel sizes differ between runs, the first's are used: {few(self._sizes)}"


def missing(runs: Sequence[Run], micrographs: Sequence[OneMicrograph], diameter_A: float) -> Iterator[str]:
    """Yield which micrographs not all runs have, and whose diameter is another."""
    sizes = {letter(number): run.diameter_A for number, run in enumerate(runs) if run.diameter_A is not None}
    if any(size != diameter_A for size in sizes.values()):
        said = ", ".join(f"{size:g} A in {name}" for name, size in sizes.items())
        yield f"diameters differ ({said}); picks are one within half of {diameter_A:g} A"
    for number, run in enumerate(runs):
        for names, words in ((run.alone, "has micrographs that no other has"), (run.failed, "failed on")):
            if names:
                yield f"{letter(number)} {words}: {few(names)}"
    for number, run in enumerate(runs):
        if len(runs) > 2 and (lacking := len(micrographs) - run.micrographs - len(run.failed)):
            yield f"{letter(number)} lacks {lacking} of {len(micrographs)} micrographs"
