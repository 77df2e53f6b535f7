"""The comparison of several runs: the picks that they share, and those that only one has."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from cryopick_ray.errors import PicksError, UsageError, few
from cryopick_ray.evaluation.alike import Entries
from cryopick_ray.evaluation.comparison import ComparedMicrograph, Comparison
from cryopick_ray.evaluation.frame import check_inside
from cryopick_ray.evaluation.nearest import Indices
from cryopick_ray.evaluation.paired import PairedPicks
from cryopick_ray.evaluation.remarks import FrameCheck, missing
from cryopick_ray.evaluation.sums import MicrographInRuns, PairSum, RunSum, match_truth
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

    Picks are paired one to one within half a diameter. Of two runs, picks are shared or not only in
    micrographs that both have picked; the others are counted as elsewhere. With truth, hits are as in
    :func:`~cryopick_ray.evaluation.evaluate.evaluate`, in micrographs that all runs and the truth have.

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
    truth_comparison, frame_check = _TruthComparison(truth), FrameCheck()
    rows = []
    for name, entries in micrographs:
        micrograph = micrograph_in_runs(name, entries, diameter_A)
        frame_check.add(micrograph)
        paired = [pair.add(micrograph) for pair in pairs]
        for run in sums:
            run.add(micrograph, list(_shared(run.number, pairs, paired)))
        truth_comparison.add(micrograph, sums, pairs, paired)
        rows.append(_row(micrograph, paired))
    rows.sort(key=lambda row: (-row.differing(), row.micrograph_id))
    if not any(pair.micrographs for pair in pairs):
        raise _nothing_in_common(rows, runs)
    truth_comparison.check()
    has_truth = truth is not None
    totals = tuple(run.total(name, with_truth=has_truth) for name, run in zip(runs, sums, strict=True))
    return Comparison(
        radius_A=diameter_A / 2,
        runs=totals,
        pairs=tuple(pair.total(with_truth=has_truth) for pair in pairs),
        micrographs=tuple(rows),
        settings=settings or {},
        notes=(*missing(totals, rows, diameter_A), *frame_check.notes(), *truth_comparison.notes()),
    )


def micrograph_in_runs(name: str, entries: Entries, diameter_A: float) -> MicrographInRuns:
    """Return a micrograph in all runs, with the pixel size of the first run that has one.

    Raises
    ------
    PicksError
        None has.
    """
    ready = [
        entry if entry is not None and entry.micrograph.status == "complete" else None for entry in entries
    ]
    picked = [picks.micrograph for picks in ready if picks is not None]
    sizes = [micrograph.pixel_size_A for micrograph in picked if micrograph.pixel_size_A]
    if picked and not sizes:
        raise PicksError(f"{name!r} has no pixel size in any run; make its table again")
    pixel_size_A = sizes[0] if sizes else np.nan
    return MicrographInRuns(name, tuple(entries), tuple(ready), pixel_size_A, diameter_A / 2 / pixel_size_A)


class _TruthComparison:
    """Comparison of the runs with truth, in micrographs that all runs have."""

    def __init__(self, truth: Truth | None) -> None:
        self._truth, self._used, self._without = truth, dict[str, str](), list[str]()

    def add(
        self,
        micrograph: MicrographInRuns,
        runs: Sequence[RunSum],
        pairs: Sequence[PairSum],
        paired: Sequence[PairedPicks | None],
    ) -> None:
        if self._truth is None or None in micrograph.entries:
            return
        name = self._truth.name_of(micrograph.name)
        if name is None:
            self._without.append(micrograph.name)
            return
        if self._used.setdefault(name, micrograph.name) != micrograph.name:
            raise PicksError(
                f"truth {name!r} in {self._truth.source} fits both {self._used[name]!r} and "
                f"{micrograph.name!r}; give the truth the micrographs' folders"
            )
        centres = self._truth.centres(name, micrograph.shape)
        if micrograph.shape:
            label = f"particles of {micrograph.name} in {self._truth.source}"
            check_inside(centres, micrograph.shape, label, margin_px=micrograph.radius_px)
        matches = match_truth(micrograph, centres)
        for run in runs:
            run.judge(micrograph, matches)
        for pair, picks in zip(pairs, paired, strict=True):
            pair.judge(picks, matches)

    def check(self) -> None:
        if self._truth is not None and not self._used:
            names = few(sorted(self._truth.particles))
            raise UsageError(
                f"no micrograph that all runs have has truth in {self._truth.source}, which knows {names}; "
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


def _shared(number: int, pairs: Sequence[PairSum], paired: Sequence[PairedPicks | None]) -> Iterator[Indices]:
    """Yield which of a run's candidates each other run shares."""
    for pair, picks in zip(pairs, paired, strict=True):
        if picks is not None and number in (pair.first, pair.second):
            yield picks.shared[number == pair.second]


def _row(micrograph: MicrographInRuns, paired: Sequence[PairedPicks | None]) -> ComparedMicrograph:
    return ComparedMicrograph(
        micrograph.name,
        tuple(None if entry is None else int(entry.picked.sum()) for entry in micrograph.ready),
        tuple(None if picks is None else len(picks.apart_px) for picks in paired),
        tuple(None if picks is None else (len(picks.only[0]), len(picks.only[1])) for picks in paired),
    )


def _nothing_in_common(rows: Sequence[ComparedMicrograph], runs: Sequence[str]) -> UsageError:
    """Return the error of runs without a common micrograph, with the micrographs of each."""
    names_of_runs = [
        [row.micrograph_id for row in rows if row.picks[number] is not None] for number in range(len(runs))
    ]
    text = "; ".join(
        f"{run} has {few(sorted(names)) or 'none'}" for run, names in zip(runs, names_of_runs, strict=True)
    )
    return UsageError(
        f"no micrograph was picked by two of the runs: {text}. Give runs of the same micrographs"
    )
