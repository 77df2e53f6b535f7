"""A table of picks -> labels: particles, places that are none, and places that may be either."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import UsageError
from cryopick_ray.evaluation.truth import Centres, Truth
from cryopick_ray.formats.export_paths import bare_name
from cryopick_ray.picks.reasons import Why
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.picks.table import open_table
from cryopick_ray.training.training_settings import LabelChoice


@dataclass(frozen=True)
class TableLabels:
    """Labels that a table holds, by micrograph.

    Attributes
    ----------
    particles
        The picks that are chosen.
    false
        What a person removed or a bad class holds.
    unsure
        The other picks, and what is not picked for any reason but its score.
    excluded
        Micrographs that are no data, and have none of it.
    """

    particles: Truth
    false: Truth
    unsure: Truth
    excluded: frozenset[str] = frozenset()


def read_table_labels(where: Path, choice: LabelChoice | None) -> TableLabels:
    """Read the labels in a table or a run.

    Raises
    ------
    UsageError
        If the table does not say what is to be chosen by.
    """
    found: dict[str, dict[str, Centres]] = {"particles": {}, "false": {}, "unsure": {}}
    some: list[str] = []
    excluded = set()
    for one in open_table(where):
        if one.micrograph.status != "complete":
            continue
        some += one.more
        name = bare_name(one.micrograph.micrograph_id)
        if one.is_excluded:
            excluded.add(name)
            one = one.take(slice(0))
        is_label = one.picked & is_chosen(one, choice)
        is_false = one.has(Why.REMOVED_BY_HAND | Why.BAD_CLASS)
        is_unsure = (one.picked & ~is_label) | (one.is_kept_out & ~is_false)
        places = np.column_stack([one.x_px, one.y_px]).astype(np.float64)
        for kind, which in (("particles", is_label), ("false", is_false), ("unsure", is_unsure)):
            found[kind][name] = places[which]
    _check_known(where, choice, some)
    truths = {kind: Truth(where, places, ()) for kind, places in found.items()}
    return TableLabels(**truths, excluded=frozenset(excluded))


def is_chosen(picks: MicrographPicks, choice: LabelChoice | None) -> NDArray[np.bool_]:
    """Tell which of a micrograph's ``(n,)`` candidates a choice allows."""
    chosen = np.ones(len(picks), bool)
    for name, allows in _conditions(choice).items():
        values = picks.more.get(name)
        chosen &= np.isin(values, allows) if values is not None else False
    return chosen


def _conditions(choice: LabelChoice | None) -> Mapping[str, list[Any]]:
    """Return the values that each column may have."""
    if choice is None:
        return {}
    wanted: dict[str, list[Any]] = {}
    if choice.least_votes is not None:
        wanted["votes"] = list(range(choice.least_votes, 256))
    if choice.source is not None:
        wanted["source"] = [choice.source]
    if choice.classes:
        wanted["class_number"] = list(choice.classes)
    return wanted


def _check_known(where: Path, choice: LabelChoice | None, known: Iterable[str]) -> None:
    if lacks := sorted(_conditions(choice).keys() - set(known)):
        raise UsageError(f"the table in {where} has no {lacks[0]} to choose labels by; change `chosen`")
