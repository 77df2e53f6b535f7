"""Who learns, who chooses, who is tested: by whole micrographs and molecules, never by patches."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cryopick_ray.errors import UsageError
from cryopick_ray.training.data.examples import LabelledRow
from cryopick_ray.training.data.labels import matches
from cryopick_ray.training.training_settings import DataSettings

Rows = tuple[LabelledRow, ...]


@dataclass(frozen=True)
class Split:
    """Micrographs by what they are for; none is in two parts.

    Attributes
    ----------
    training, validation, test
        To learn from, each as often as it counts; to choose the epoch and the threshold; to be scored
        once, at the end.
    """

    training: Rows
    validation: Rows
    test: Rows

    @property
    def learnt(self) -> Rows:
        """The training micrographs, each once."""
        return tuple(dict.fromkeys(self.training))

    def __add__(self, other: "Split") -> "Split":
        """Return both splits together."""
        return Split(
            self.training + other.training, self.validation + other.validation, self.test + other.test
        )


def split(
    rows: Sequence[LabelledRow],
    settings: DataSettings,
    share: float,
    seed: int,
    *,
    drawn: Collection[LabelledRow] | None = None,
) -> Split:
    """Split one data set as its settings say; without a list, a ``share`` drawn at random validates.

    Parameters
    ----------
    drawn
        Those that validate if the settings have no list, where the share is one of several data sets.

    Raises
    ------
    UsageError
        As :func:`check_patterns`.
    """
    check_patterns([row.row.micrograph_id for row in rows], settings)
    test = [row for row in rows if matches(row.row.micrograph_id, settings.test)]
    rest = [row for row in rows if not matches(row.row.micrograph_id, settings.test)]
    if settings.validation is not None:
        drawn = [row for row in rest if matches(row.row.micrograph_id, settings.validation)]
    elif drawn is None:
        drawn = split_rows(rest, share, seed)[1]
    chosen = set(drawn)
    training = tuple(row for row in rest if row not in chosen)
    validation = tuple(row for row in rest if row in chosen)
    shown = tuple(_sparse(training, settings.labels_used, seed)) * settings.repeat
    return Split(shown, validation, tuple(test))


def split_all(sets: Sequence[tuple[Rows, DataSettings]], share: float, seed: int) -> Split:
    """Split several data sets, each as its settings say, and join the parts.

    Simulated sets are many and small: of all of them together the ``share`` is drawn.
    """
    simulated = [row for rows, settings in sets if settings.simulated for row in rows]
    _, drawn = split_rows(simulated, share, seed)
    whole = Split((), (), ())
    for rows, settings in sets:
        whole += split(rows, settings, share, seed, drawn=drawn if settings.simulated else None)
    return whole


def check_patterns(names: Collection[str], settings: DataSettings) -> None:
    """Refuse parts that are not what the settings mean.

    Parameters
    ----------
    names
        Ids of the labelled micrographs.

    Raises
    ------
    UsageError
        If a pattern fits no micrograph, or one fits both the test and the validation.
    """
    validation = settings.validation or ()
    for role, patterns in (("test", settings.test), ("validation", validation)):
        for pattern in patterns:
            if not any(matches(name, [pattern]) for name in names):
                raise UsageError(
                    f"{role} pattern {pattern!r} fits no labelled micrograph of {settings.name}, such as "
                    f"{min(names)}"
                )
    if both := [name for name in names if matches(name, settings.test) and matches(name, validation)]:
        raise UsageError(f"{both[0]} of {settings.name} is in both test and validation; choose one")


def split_rows(rows: Sequence[LabelledRow], share: float, seed: int) -> tuple[Rows, Rows]:
    """Return micrographs to learn from and about a ``share``, drawn at random, to choose by.

    If there is any share, at least one micrograph chooses; at least one is always left to learn from.
    """
    wanted = min(max(round(share * len(rows)), 1 if share else 0), len(rows) - 1)
    chosen = set(np.random.default_rng(seed).permutation(len(rows))[: max(wanted, 0)].tolist())
    return (
        tuple(row for i, row in enumerate(rows) if i not in chosen),
        tuple(row for i, row in enumerate(rows) if i in chosen),
    )


def folds(rows: Sequence[LabelledRow], count: int, seed: int) -> Iterator[tuple[LabelledRow, ...]]:
    """Yield ``count`` parts of the micrographs, each micrograph in one, sizes equal to within one."""
    order = np.random.default_rng(seed).permutation(len(rows))
    for part in np.array_split(order, count):
        yield tuple(rows[index] for index in sorted(part.tolist()))


def check(split: Split) -> None:
    """Refuse a training set that cannot teach what a particle is.

    Raises
    ------
    UsageError
        If there is no micrograph to learn from, or no particle on any.
    """
    if not split.training:
        raise UsageError("no micrograph is left to learn from; take fewer for test, validation and exclude")
    if not any(len(row.particles) for row in split.training):
        raise UsageError(
            f"none of the {len(split.learnt)} micrographs to learn from has a labelled particle: with one "
            "class only there is nothing to tell apart; mend labels"
        )


def _sparse(rows: Sequence[LabelledRow], labels_used: int | None, seed: int) -> list[LabelledRow]:
    """Keep so many labels of all, drawn at random; the others count as unlabelled."""
    total = sum(len(row.particles) for row in rows)
    if labels_used is None or labels_used >= total:
        return list(rows)
    kept = np.zeros(total, bool)
    kept[np.random.default_rng(seed).permutation(total)[:labels_used]] = True
    ends = np.cumsum([len(row.particles) for row in rows])
    return [
        replace(row, particles=row.particles[own])
        for row, own in zip(rows, np.split(kept, ends[:-1]), strict=True)
    ]
