"""Notes about compared runs: different frames, pixel sizes and diameters, missing micrographs."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from cryopick_ray.errors import UsageError, few
from cryopick_ray.evaluation.comparison import ComparedMicrograph, RunSummary, letter
from cryopick_ray.evaluation.frame import LOOKED_AT, FramePair, other_frame
from cryopick_ray.evaluation.paired import places
from cryopick_ray.evaluation.sums import MicrographInRuns

SAME_SIZE = 0.01
"""Relative difference up to which two pixel sizes are one."""


class FrameCheck:
    """Checks that the picks of all runs are in the frame of the first run."""

    def __init__(self) -> None:
        self._pairs: defaultdict[int, list[FramePair]] = defaultdict(list)
        self._sizes: list[str] = []

    def add(self, micrograph: MicrographInRuns) -> None:
        """Check a micrograph.

        Raises
        ------
        UsageError
            It has two shapes.
        """
        picked = [(number, picks) for number, picks in enumerate(micrograph.ready) if picks is not None]
        for number, picks in picked:
            if (shape := picks.micrograph.shape) and micrograph.shape and shape != micrograph.shape:
                (h, w), (height, width) = micrograph.shape, shape
                raise UsageError(
                    f"{micrograph.name} has {width} x {height} pixels in {letter(number)}, {w} x {h} in "
                    "another run; expected picks in one frame: convert those of one with `binning`"
                )
        sizes = [picks.micrograph.pixel_size_A for _, picks in picked if picks.micrograph.pixel_size_A]
        if sizes and max(sizes) > (1 + SAME_SIZE) * min(sizes):
            self._sizes.append(micrograph.name)
        first = micrograph.ready[0]
        for number, picks in picked[1:]:
            if first is not None and len(self._pairs[number]) < LOOKED_AT:
                of_first, of_other = (places(run, np.flatnonzero(run.picked)) for run in (first, picks))
                pair = FramePair(of_first, of_other, micrograph.shape, micrograph.radius_px)
                self._pairs[number].append(pair)

    def notes(self) -> Iterator[str]:
        """Yield notes about frames and pixel sizes."""
        for number, pairs in sorted(self._pairs.items()):
            if words := other_frame(pairs):
                yield f"picks of {letter(number)} fit those of A far better {words}"
        if self._sizes:
            yield f"pixel sizes differ between runs, the first's are used: {few(self._sizes)}"


def missing(
    runs: Sequence[RunSummary], micrographs: Sequence[ComparedMicrograph], diameter_A: float
) -> Iterator[str]:
    """Yield notes about micrographs that not all runs have, and about different diameters."""
    sizes = {letter(number): run.diameter_A for number, run in enumerate(runs) if run.diameter_A is not None}
    if any(size != diameter_A for size in sizes.values()):
        text = ", ".join(f"{size:g} A in {name}" for name, size in sizes.items())
        yield f"diameters differ ({text}); picks are one within half of {diameter_A:g} A"
    for number, run in enumerate(runs):
        for names, words in ((run.alone, "has micrographs that no other has"), (run.failed, "failed on")):
            if names:
                yield f"{letter(number)} {words}: {few(names)}"
    for number, run in enumerate(runs):
        if len(runs) > 2 and (lacking := len(micrographs) - run.micrographs - len(run.failed)):
            yield f"{letter(number)} lacks {lacking} of {len(micrographs)} micrographs"
