"""Labels from a table of picks: particles, known false picks, and unsure places."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import UsageError
from cryopick_ray.evaluation.truth import Centres, Truth
from cryopick_ray.formats.export_paths import bare_name
from cryopick_ray.picks.reasons import Reason
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.picks.table import open_table
from cryopick_ray.training.training_settings import LabelChoice


@dataclass(frozen=True)
class TableLabels:
    """Labels that a table holds, by micrograph.

    Attributes
    ----------
    particles
        The chosen picks.
    false
        Candidates that a person removed or that are in a bad class.
    unsure
        The other picks, and candidates that are not picked for any reason but their score.
    excluded
        Micrographs that a person excluded; they have no labels.
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
        If the table lacks a column of the choice.
    """
    labels: dict[str, dict[str, Centres]] = {"particles": {}, "false": {}, "unsure": {}}
    columns: list[str] = []
    excluded = set()
    for micrograph in open_table(where):
        if micrograph.micrograph.status != "complete":
            continue
        columns += micrograph.more
        name = bare_name(micrograph.micrograph.micrograph_id)
        if micrograph.is_excluded:
            excluded.add(name)
            micrograph = micrograph.take(slice(0))
        is_label = micrograph.picked & is_chosen(micrograph, choice)
        is_false = micrograph.has(Reason.REMOVED_BY_HAND | Reason.BAD_CLASS)
        is_unsure = (micrograph.picked & ~is_label) | (micrograph.is_kept_out & ~is_false)
        places = np.column_stack([micrograph.x_px, micrograph.y_px]).astype(np.float64)
        for kind, mask in (("particles", is_label), ("false", is_false), ("unsure", is_unsure)):
            labels[kind][name] = places[mask]
    _check_known(where, choice, columns)
    truths = {kind: Truth(where, places, ()) for kind, places in labels.items()}
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
    conditions: dict[str, list[Any]] = {}
    if choice.least_votes is not None:
        conditions["votes"] = list(range(choice.least_votes, 256))
    if choice.source is not None:
        conditions["source"] = [choice.source]
    if choice.classes:
        conditions["class_number"] = list(choice.classes)
    return conditions


def _check_known(where: Path, choice: LabelChoice | None, columns: Iterable[str]) -> None:
    if missing := sorted(_conditions(choice).keys() - set(columns)):
        raise UsageError(f"the table in {where} has no {missing[0]} to choose labels by; change `chosen`")
