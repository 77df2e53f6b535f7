"""Micrographs of several runs side by side -> what the runs share and where they differ."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from cryopick_ray.errors import PicksError, UsageError, few
from cryopick_ray.evaluation.alike import Entries
from cryopick_ray.evaluation.comparison import Comparison, OneMicrograph
from cryopick_ray.evaluation.frame import check_inside
from cryopick_ray.evaluation.nearest import Indices
from cryopick_ray.evaluation.paired import Paired
from cryopick_ray.evaluation.remarks import Frames, missing
from cryopick_ray.evaluation.sums import Beside, PairSum, RunSum, find
from cryopick_ray.evaluation.truth import Truth


def compare(
    micrographs: Iterable[tuple[str, Entries]],
    runs: Sequence[str],
    *,
    diameter_A: float,
    truth: Truth | None = None,
    settings: Mapping[str, Sequence[str]] | None = None,
) -> Comparison:
    """Compare runs, micrograph by micrograph, in memory that grows by a few numbers with each.

    Picks are one to one within half a diameter. Of two runs only what lies in micrographs that both have
    picked is shared or not; the rest is counted as elsewhere. With truth, what finds a particle is as
    :func:`~cryopick_ray.evaluation.evaluate.evaluate` says, in micrographs that all runs have and the truth
    knows.

    Parameters
    ----------
    micrographs
        Each once, as :func:`~cryopick_ray.evaluation.alike.side_by_side` yields them.
    runs
        Names, of 2 to 26.
    settings
        Those that differ, by run.

    Raises
    ------
    UsageError
        No micrograph is in two runs, one has two shapes, or none that all have is in the truth.
    """
    sums = [RunSum(number, len(runs)) for number in range(len(runs))]
    pairs = [PairSum(*two) for two in combinations(range(len(runs)), 2)]
    judge, frames = _Judge(truth), Frames()
    rows = []
    for name, entries in micrographs:
        beside = beside_of(name, entries, diameter_A)
        frames.add(beside)
        paired = [pair.add(beside) for pair in pairs]
        for run in sums:
            run.add(beside, list(_shared(run.number, pairs, paired)))
        judge.add(beside, sums, pairs, paired)
        rows.append(_row(beside, paired))
    rows.sort(key=lambda one: (-one.differing(), one.micrograph_id))
    if not any(pair.micrographs for pair in pairs):
        raise _nothing_in_common(rows, runs)
    judge.check()
    has_truth = truth is not None
    totals = tuple(one.total(name, with_truth=has_truth) for name, one in zip(runs, sums, strict=True))
    return Comparison(
        radius_A=diameter_A / 2,
        runs=totals,
        pairs=tuple(pair.total(with_truth=has_truth) for pair in pairs),
        micrographs=tuple(rows),
        settings=settings or {},
        notes=(*missing(totals, rows, diameter_A), *frames.notes(), *judge.notes()),
    )


def beside_of(name: str, entries: Entries, diameter_A: float) -> Beside:
    """Return a micrograph in all runs, in the first's pixel size that has one.

    Raises
    ------
    PicksError
        None has.
    """
    ready = [
        entry if entry is not None and entry.micrograph.status == "complete" else None for entry in entries
    ]
    picked = [one.micrograph for one in ready if one is not None]
    sizes = [one.pixel_size_A for one in picked if one.pixel_size_A]
    if picked and not sizes:
        raise PicksError(f"{name!r} has no pixel size in any run; make its table again")
    pixel_size_A = sizes[0] if sizes else np.nan
    return Beside(name, tuple(entries), tuple(ready), pixel_size_A, diameter_A / 2 / pixel_size_A)


class _Judge:
    """What of the runs is true, in micrographs that all have."""

    def __init__(self, truth: Truth | None) -> None:
        self._truth, self._used, self._without = truth, dict[str, str](), list[str]()

    def add(
        self,
        beside: Beside,
        runs: Sequence[RunSum],
        pairs: Sequence[PairSum],
        paired: Sequence[Paired | None],
    ) -> None:
        if self._truth is None or None in beside.entries:
            return
        name = self._truth.name_of(beside.name)
        if name is None:
            self._without.append(beside.name)
            return
        if self._used.setdefault(name, beside.name) != beside.name:
            raise PicksError(
                f"truth {name!r} in {self._truth.source} fits both {self._used[name]!r} and {beside.name!r}; "
                "give the truth the micrographs' folders"
            )
        centres = self._truth.centres(name, beside.shape)
        if beside.shape:
            said = f"particles of {beside.name} in {self._truth.source}"
            check_inside(centres, beside.shape, said, margin_px=beside.radius_px)
        finds = find(beside, centres)
        for run in runs:
            run.judge(beside, finds)
        for pair, who in zip(pairs, paired, strict=True):
            pair.judge(who, finds)

    def check(self) -> None:
        if self._truth is not None and not self._used:
            known = few(sorted(self._truth.particles))
            raise UsageError(
                f"no micrograph that all runs have has truth in {self._truth.source}, which knows {known}; "
                "mend `truth`"
            )

    def notes(self) -> Iterator[str]:
        if self._truth is None:
            return
        yield from self._truth.notes
        unused = sorted(self._truth.particles.keys() - self._used.keys())
        if self._without:
            yield f"not judged for want of truth: {few(sorted(self._without))}"
        if unused:
            yield f"truth of micrographs that not all runs have, not counted: {few(unused)}"


def _shared(number: int, pairs: Sequence[PairSum], paired: Sequence[Paired | None]) -> Iterator[Indices]:
    """Yield which of a run's candidates each other run shares."""
    for pair, who in zip(pairs, paired, strict=True):
        if who is not None and number in (pair.first, pair.second):
            yield who.shared[number == pair.second]


def _row(beside: Beside, paired: Sequence[Paired | None]) -> OneMicrograph:
    return OneMicrograph(
        beside.name,
        tuple(None if one is None else int(one.picked.sum()) for one in beside.ready),
        tuple(None if who is None else len(who.apart_px) for who in paired),
        tuple(None if who is None else (len(who.only[0]), len(who.only[1])) for who in paired),
    )


def _nothing_in_common(rows: Sequence[OneMicrograph], runs: Sequence[str]) -> UsageError:
    """Say what each run has, where no two have picked one micrograph."""
    own = [
        [row.micrograph_id for row in rows if row.picks[number] is not None] for number in range(len(runs))
    ]
    said = "; ".join(
        f"{run} has {few(sorted(names)) or 'none'}" for run, names in zip(runs, own, strict=True)
    )
    return UsageError(
        f"no micrograph was picked by two of the runs: {said}. Give runs of the same micrographs"
    )
