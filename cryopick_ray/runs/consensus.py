"""Runs, tables and coordinates of other programs -> a table of what they agree on."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from cryopick_ray.errors import UsageError
from cryopick_ray.evaluation.coordinates import as_picks
from cryopick_ray.evaluation.frame import check_inside
from cryopick_ray.formats.convert import Frame
from cryopick_ray.formats.known import KnownMicrographs, NamesAlike
from cryopick_ray.formats.reading import is_table, read_coordinates
from cryopick_ray.passes.agreement import Agreement, agreement
from cryopick_ray.passes.votes import Source, Vote, Voted, vote
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph
from cryopick_ray.picks.table import PickTable, open_table
from cryopick_ray.report.consensus import render_consensus
from cryopick_ray.store.publish import write_whole

AGREEMENT, PAGE = "agreement.json", "consensus.html"
_JUDGED: Mapping[str, Any] = {
    "mean_score": None, "just_below": None, "on_junk": None, "verdict": "", "reasons": "",
}  # fmt: skip
"""What was said of a micrograph by one picker's picks alone."""


@dataclass(frozen=True)
class Read:
    """Coordinates of other programs in memory, as picks by micrograph."""

    picks: Mapping[str, MicrographPicks]

    def of(self, micrograph_ids: Sequence[str]) -> dict[str, MicrographPicks]:
        """Return some of the micrographs, by id."""
        return {name: self.picks[name] for name in micrograph_ids if name in self.picks}


@dataclass(frozen=True)
class Renamed:
    """A source whose micrographs are called as in the consensus; ``own`` says what it calls each."""

    source: Source
    own: Mapping[str, str]

    def of(self, micrograph_ids: Sequence[str]) -> dict[str, MicrographPicks]:
        """Return some of the micrographs, by id."""
        theirs = {name: self.own[name] for name in micrograph_ids if name in self.own}
        found = self.source.of(list(theirs.values()))
        return {name: found[own] for name, own in theirs.items() if own in found}


@dataclass(frozen=True)
class Input:
    """What one picker found.

    Attributes
    ----------
    name
        What it is called in the consensus.
    where
        The run, table, file or folder.
    sizes
        Its micrographs, and the picks of each.
    """

    name: str
    where: str
    source: Source
    micrographs: Mapping[str, PickedMicrograph]
    sizes: Mapping[str, int]
    diameter_A: float | None


@dataclass(frozen=True)
class Outcome:
    """What a consensus came to; ``notes`` says what was left out or doubted."""

    table: str
    agreement: Agreement
    voted: Voted
    notes: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        told = self.voted.reliability
        recall = told.recall
        return {
            "table": self.table,
            "micrographs": self.voted.micrographs,
            "candidates": self.voted.groups,
            "picks": self.voted.picks,
            "grouped_greedily": self.voted.greedily,
            "particles_estimated": None if told.rates is None else told.rates.particles,
            "pickers": {
                name: {
                    "picks": self.agreement.places[name],
                    "precision_estimated": None if recall is None else float(told.precision[at]),
                    "recall_estimated": None if recall is None else float(recall[at]),
                }
                for at, name in enumerate(told.names)
            },
            "agreement": self.agreement.to_dict(),
            "notes": list(self.notes),
        }

    def text(self) -> str:
        """Return the counts, and what agreement tells of each picker, for a person."""
        told = self.voted.reliability
        width = max(map(len, told.names))
        counts = f"{self.voted.picks} picks of {self.voted.groups} candidates"
        lines = [f"{counts} in {self.voted.micrographs} micrographs"]
        for at, name in enumerate(told.names):
            said = f"{name:{width}}  {self.agreement.places[name]:8d} picks"
            if told.recall is not None:
                said += f"  precision {told.precision[at]:.2f}, recall {told.recall[at]:.2f} by agreement"
            lines.append(said)
        return "\n".join([*lines, f"table {self.table}"])


def agree(
    inputs: Sequence[str],
    out: Path,
    how: Vote,
    *,
    diameter_A: float | None = None,
    pixel_size_A: float | None = None,
    micrographs: str | None = None,
) -> Outcome:
    """Write ``table/``, ``agreement.json`` and ``consensus.html`` below ``out``: what pickers agree on.

    Parameters
    ----------
    inputs
        A run, a table, a file or a folder of coordinates each, ``NAME=`` before it or called by its folder.
    diameter_A, pixel_size_A
        Of particles and micrographs, where no input says them.
    micrographs
        Where the micrographs are, if only coordinates of other programs are given, which do not know shapes.

    Raises
    ------
    UsageError
        If inputs have nothing in common, or something that is needed is not known.
    """
    named = _named(inputs)
    tables = [where for _, where in named if is_table(where)]
    reference = micrographs or next(iter(tables), None)
    if reference is None:
        raise UsageError("shapes of the micrographs are not known: give `micrographs`, or a run as an input")
    notes: list[str] = []
    known = KnownMicrographs(reference)
    found = [_read(name, where, known, pixel_size_A, diameter_A, notes) for name, where in named]
    across_A = diameter_A or next((one.diameter_A for one in found if one.diameter_A), None)
    if across_A is None:
        raise UsageError("diameter of the particles is missing: give `diameter_A`")
    listed, sources = _paired(found, Path(reference.rstrip("/")).stem, notes)
    sizes: Counter[str] = Counter()
    for one, source in zip(found, sources, strict=True):
        for name, own in source.own.items():
            sizes[name] += one.sizes[own]
    voters = {one.name: source for one, source in zip(found, sources, strict=True)}
    of = [f"{one.name}={one.where}" for one in found]
    result = vote(voters, listed, sizes, across_A, out / "table", how, of)
    agreed = agreement(result.patterns)
    if result.greedily:
        notes.append(f"{result.greedily} crowded parts of micrographs were grouped greedily")
    write_whole(out / PAGE, render_consensus(how, result, agreed, notes))
    outcome = Outcome(str(out / "table"), agreed, result, (*notes, *result.reliability.doubts))
    write_whole(out / AGREEMENT, json.dumps(outcome.to_dict(), indent=1) + "\n")
    return outcome


def _named(inputs: Sequence[str]) -> list[tuple[str, str]]:
    """Return what each input is called, and where it is."""
    pairs = []
    for text in inputs:
        name, is_named, where = text.partition("=")
        if not is_named or Path(text).exists():
            name, where = Path(text.rstrip("/")).name, text
        pairs.append((name, where))
    if twice := [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]:
        raise UsageError(
            f"two of the `inputs` are called {twice[0]!r}; give them names, as NAME={pairs[0][1]}"
        )
    if len(pairs) == 1:
        raise UsageError(f"{pairs[0][1]} is alone; a consensus takes two `inputs` or more")
    return pairs


def _read(
    name: str,
    where: str,
    known: KnownMicrographs,
    pixel_size_A: float | None,
    diameter_A: float | None,
    notes: list[str],
) -> Input:
    if is_table(where):
        table = open_table(where)
        seen = {one.micrograph_id: one for one in table.micrographs if one.status == "complete"}
        sizes = {key: one.candidates if one.picks is None else one.picks for key, one in seen.items()}
        counted = {key: 1 if size is None else size for key, size in sizes.items()}
        return Input(name, where, table, seen, counted, table.diameter_A)
    read = read_coordinates(where)
    notes += read.notes
    frame, moved, unknown = Frame(known=known, pixel_size_A=pixel_size_A), [], []
    for one in read.coordinates:
        try:
            moved.append(frame.moved(one))
        except UsageError as error:
            unknown.append(str(error))
    if unknown:
        notes.append(f"{name}: {len(unknown)} micrographs are left out: {unknown[0]}")
    said_A = next((one.diameter_A for one in moved if one.diameter_A), diameter_A)
    made = as_picks(moved, pixel_size_A=pixel_size_A, diameter_A=said_A or 1.0)  # the table's own is used
    picks = {one.micrograph.micrograph_id: one for one in made}
    for key, own in picks.items():
        assert own.micrograph.shape is not None
        check_inside(
            np.column_stack([own.x_px, own.y_px]), own.micrograph.shape, f"picks of {key} in {where}"
        )
    about = {key: own.micrograph for key, own in picks.items()}
    return Input(name, where, Read(picks), about, {key: len(own) for key, own in picks.items()}, said_A)


def _paired(
    found: Sequence[Input], dataset: str, notes: list[str]
) -> tuple[list[PickedMicrograph], list[Renamed]]:
    """Return all micrographs, and each input with the names that they have in it.

    Parameters
    ----------
    dataset
        Of micrographs whose input does not say it.
    """
    listed: dict[str, PickedMicrograph] = {}
    own: dict[str, dict[str, str]] = {}
    for one in sorted(found, key=lambda one: not isinstance(one.source, PickTable)):
        names = NamesAlike(listed)
        ids = {key: _reference(key, names, listed) for key in one.micrographs}
        if listed and not set(ids.values()) & set(listed):
            raise UsageError(
                f"{one.name} has none of the micrographs of the others, such as {next(iter(listed))!r}; "
                "give `inputs` of the same micrographs"
            )
        own[one.name] = {}
        for key, name in ids.items():
            if (before := own[one.name].setdefault(name, key)) != key:
                raise UsageError(f"{one.name} has {name!r} as {before!r} and as {key!r}; keep one of them")
            about = one.micrographs[key]
            listed.setdefault(name, replace(about, dataset=about.dataset or dataset, **_JUDGED))
    for one in found:
        if lacks := sorted(listed.keys() - own[one.name].keys()):
            notes.append(f"{one.name} lacks {len(lacks)} of {len(listed)} micrographs, such as {lacks[0]}")
    everything = sorted(listed.values(), key=lambda one: (one.dataset, one.micrograph_id))
    return everything, [Renamed(one.source, own[one.name]) for one in found]


def _reference(key: str, names: NamesAlike, listed: Mapping[str, PickedMicrograph]) -> str:
    """Return what a micrograph is called by the inputs before."""
    if key in listed:
        return key
    alike = names.find(key)
    return alike[0] if len(alike) == 1 else key
