"""What each model found of each data set -> the rows of the table: seeds and molecules averaged."""

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FOUND = (
    *("precision", "recall", "f1", "best_f1", "best_threshold", "auprc"),
    *("recall_at_precision", "calibration_error", "centring_error", "picks_per_particle"),
)
"""Measured where there are particles."""
PRECISION = 0.85
"""Of the picks whose recall is ``recall_at_precision``."""
RATIO = "recall_ratio"
"""Recall of the first of a data set's parts over that of the last."""
FALSE = ("false_mean", "false_median", "false_most")
"""Measured where there are none, or nobody labelled them: picks of a micrograph."""
SECONDS = "seconds"

Measures = Mapping[str, float | None]
"""Numbers by name; ``None`` where one is not defined."""


@dataclass(frozen=True)
class Result:
    """One model on one data set.

    Attributes
    ----------
    data, group
        Name in the table, and what it is averaged in; empty for nothing.
    model, seed
        Name of the group, and which of its models.
    is_empty
        Whether there are no particles to be found.
    micrographs
        How many were picked or failed.
    measures
        What was measured; nothing if the model failed.
    overlap
        What of it the model was trained on.
    failure
        Why the model or some of the micrographs failed.
    picks
        Digest of the picks.
    is_labelled
        Whether it is known what a pick is: if not, picks are only counted.
    labels
        Who made the labels, where they are no truth.
    curve
        Recall and precision at falling thresholds; nothing where there are no particles.
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


@dataclass(frozen=True)
class SuiteRow:
    """A model's results on a data set: means and standard deviations over its seeds.

    Attributes
    ----------
    seeds
        How many went well.
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


def table_rows(results: Sequence[Result]) -> list[SuiteRow]:
    """Return the rows by data set, in the order of the results, each group of molecules with its mean."""
    place = {name: number for number, name in enumerate(dict.fromkeys(map(_whole, results)))}
    both = sorted([*results, *_group_means(results)], key=lambda one: place[_whole(one)])
    return [
        _row([one for one in both if (one.data, one.model) == key])
        for key in dict.fromkeys((one.data, one.model) for one in both)
    ]


def _whole(result: Result) -> str:
    return result.group or result.data


def _group_means(results: Sequence[Result]) -> Iterator[Result]:
    """Yield each model's mean over the molecules of each group."""
    for group, model, seed in dict.fromkeys(
        (result.group, result.model, result.seed) for result in results if result.group
    ):
        own = [
            result for result in results if (result.group, result.model, result.seed) == (group, model, seed)
        ]
        failed = [one.data for one in own if not one.measures]
        yield Result(
            data=group,
            group="",
            model=model,
            seed=seed,
            is_empty=False,
            micrographs=sum(one.micrographs for one in own),
            measures={} if failed else _each(statistics.fmean, own),
            overlap=_joined(one.overlap for one in own),
            failure=f"no mean without {_joined(failed)}" if failed else "",
        )


def _row(seeds: Sequence[Result]) -> SuiteRow:
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
    )


def _each(statistic: Callable[[Sequence[float]], float], results: Sequence[Result]) -> Measures:
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
