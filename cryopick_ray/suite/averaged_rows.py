"""Rows of the suite's table: results averaged over seeds and over groups of molecules."""

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FOUND = (
    *("precision", "recall", "f1", "best_f1", "best_threshold", "auprc"),
    *("recall_at_precision", "calibration_error", "centring_error", "picks_per_particle"),
)
"""Measures of micrographs with labelled particles."""
FOUND_FILAMENTS = (
    *("precision", "recall", "f1", "best_f1", "best_threshold", "auprc", "breaks", "bridges"),
    *("false_joins", "crossings", "angle_deg", "offset"),
)
"""Measures of micrographs with labelled filaments."""
PRECISION = 0.85
"""Precision at which the recall is ``recall_at_precision``."""
RATIO = "recall_ratio"
"""Recall of the first of a data set's parts over that of the last."""
FALSE = ("false_mean", "false_median", "false_most")
"""Measures of micrographs without labels or particles: numbers of picks of a micrograph."""
SECONDS = "seconds"

Measures = Mapping[str, float | None]
"""Numbers by name; ``None`` where one is not defined."""


@dataclass(frozen=True)
class CaseResult:
    """The result of one model on one data set.

    Attributes
    ----------
    data, group
        Name in the table, and the group that it is averaged in; empty for none.
    model, seed
        Name of the model's group, and the model (one training of it).
    is_empty
        Whether there are no particles.
    micrographs
        Number of micrographs that were picked or failed.
    measures
        Measures by name; empty if the model failed.
    overlap
        Data leakage: the part of the data set that the model was trained on.
    failure
        Why the model or some of the micrographs failed.
    picks
        Digest of the picks.
    is_labelled
        Whether there are labels to score picks by; otherwise picks are only counted.
    labels
        Who made the labels, where they are no truth.
    curve
        Recall and precision at falling thresholds; empty without particles.
    of_filaments
        Whether the labels are of filaments, scored by their length.
    """

    data: str
    group: str
    model: str
    seed: str
    is_empty: bool
    micrographs: int
    measures: Measures
    overlap: str
    failure: str = ""
    picks: str = ""
    is_labelled: bool = True
    labels: str = ""
    curve: tuple[tuple[float, float], ...] = ()
    of_filaments: bool = False


@dataclass(frozen=True)
class SuiteRow:
    """A model's results on a data set: means and standard deviations over its seeds.

    Attributes
    ----------
    seeds
        Number of trainings without failure.
    spread
        Standard deviations (of a sample); nothing for a single seed.
    """

    data: str
    model: str
    is_empty: bool
    seeds: int
    micrographs: int
    mean: Measures
    spread: Measures
    overlap: str
    failure: str
    is_labelled: bool = True
    labels: str = ""
    of_filaments: bool = False


def table_rows(results: Sequence[CaseResult]) -> list[SuiteRow]:
    """Return the rows by data set, in the order of the results, each group of molecules with its mean."""
    place = {name: number for number, name in enumerate(dict.fromkeys(map(_whole, results)))}
    all_results = sorted([*results, *_group_means(results)], key=lambda result: place[_whole(result)])
    return [
        _row([result for result in all_results if (result.data, result.model) == key])
        for key in dict.fromkeys((result.data, result.model) for result in all_results)
    ]


def _whole(result: CaseResult) -> str:
    return result.group or result.data


def _group_means(results: Sequence[CaseResult]) -> Iterator[CaseResult]:
    """Yield each model's mean over the molecules of each group."""
    for group, model, seed in dict.fromkeys(
        (result.group, result.model, result.seed) for result in results if result.group
    ):
        members = [
            result for result in results if (result.group, result.model, result.seed) == (group, model, seed)
        ]
        failed = [member.data for member in members if not member.measures]
        yield CaseResult(
            data=group,
            group="",
            model=model,
            seed=seed,
            is_empty=False,
            micrographs=sum(member.micrographs for member in members),
            measures={} if failed else _each(statistics.fmean, members),
            overlap=_joined(member.overlap for member in members),
            failure=f"no mean without {_joined(failed)}" if failed else "",
            of_filaments=members[0].of_filaments,
        )


def _row(seeds: Sequence[CaseResult]) -> SuiteRow:
    first, good = seeds[0], [seed for seed in seeds if seed.measures]
    failures = [(Path(seed.seed).stem, seed.failure) for seed in seeds if seed.failure]
    return SuiteRow(
        data=first.data,
        model=first.model,
        is_empty=first.is_empty,
        seeds=len(good),
        micrographs=first.micrographs,
        mean=_each(statistics.fmean, good),
        spread=_each(statistics.stdev, good) if len(good) > 1 else {},
        overlap=_joined(seed.overlap for seed in seeds),
        failure=_joined(f"{seed}: {why}" if len(seeds) > 1 else why for seed, why in failures),
        is_labelled=first.is_labelled,
        labels=first.labels,
        of_filaments=first.of_filaments,
    )


def _each(statistic: Callable[[Sequence[float]], float], results: Sequence[CaseResult]) -> Measures:
    """Return a statistic of each measure; one that is not defined everywhere has none."""
    names = dict.fromkeys(name for result in results for name in result.measures)
    values = {name: [result.measures.get(name) for result in results] for name in names}
    return {
        name: None if None in several else float(statistic([x for x in several if x is not None]))
        for name, several in values.items()
    }


def _joined(texts: Iterable[str]) -> str:
    """Return different texts, each once."""
    return "; ".join(dict.fromkeys(text for text in texts if text))
