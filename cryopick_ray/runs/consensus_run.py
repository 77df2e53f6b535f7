"""Runs, tables and coordinates of other programs -> a table of what they agree on."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryopick_ray.errors import UsageError
from cryopick_ray.formats.known import KnownMicrographs
from cryopick_ray.formats.reading import is_table
from cryopick_ray.passes.agreement import PickerAgreement, agreement
from cryopick_ray.passes.votes import Vote, Voted, vote
from cryopick_ray.report.consensus_page import render_consensus
from cryopick_ray.runs.voters import paired, read_input
from cryopick_ray.store.publish import write_whole

AGREEMENT, PAGE = "agreement.json", "consensus.html"


@dataclass(frozen=True)
class ConsensusResult:
    """What a consensus came to; ``notes`` says what was left out or doubted."""

    table: str
    agreement: PickerAgreement
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
) -> ConsensusResult:
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
    _check_free(out, [where for _, where in named])
    tables = [where for _, where in named if is_table(where)]
    reference = micrographs or next(iter(tables), None)
    if reference is None:
        raise UsageError("shapes of the micrographs are not known: give `micrographs`, or a run as an input")
    notes: list[str] = []
    known = KnownMicrographs(reference)
    found = [read_input(name, where, known, pixel_size_A, diameter_A, notes) for name, where in named]
    across_A = diameter_A or next((one.diameter_A for one in found if one.diameter_A), None)
    if across_A is None:
        raise UsageError("diameter of the particles is missing: give `diameter_A`")
    other = [
        one for one in found if one.diameter_A and not math.isclose(one.diameter_A, across_A, rel_tol=0.1)
    ]
    if other:
        notes.append(
            f"diameters differ: {other[0].name} has {other[0].diameter_A:g} A; {across_A:g} A is used "
            "(`diameter_A`)"
        )
    listed, sources = paired(found, Path(reference.rstrip("/")).stem, notes)
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
    outcome = ConsensusResult(str(out / "table"), agreed, result, (*notes, *result.reliability.doubts))
    write_whole(out / AGREEMENT, json.dumps(outcome.to_dict(), indent=1) + "\n")
    return outcome


def _check_free(out: Path, inputs: Sequence[str]) -> None:
    """Refuse to write over the table of a run or of an input."""
    table = (out / "table").resolve()
    if (out / "config.yaml").exists():
        raise UsageError(f"{out} holds a run, whose table would be lost; choose another `out`")
    for where in inputs:
        if {Path(where).resolve(), (Path(where) / "table").resolve()} & {table}:
            raise UsageError(f"{table} is that of the input {where} and would be lost; choose another `out`")


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
