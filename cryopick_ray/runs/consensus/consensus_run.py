"""``cryopick consensus``: a table of the picks that runs and other programs agree on."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryopick_ray.errors import UsageError
from cryopick_ray.formats.known_micrographs import KnownMicrographs
from cryopick_ray.formats.reading import is_table
from cryopick_ray.passes.agreement import PickerAgreement, agreement
from cryopick_ray.passes.votes import VoteResult, VoteSettings, vote
from cryopick_ray.report.consensus_page import render_consensus
from cryopick_ray.runs.consensus.consensus_inputs import paired, read_input
from cryopick_ray.store.publish import write_whole

AGREEMENT, PAGE = "agreement.json", "consensus.html"


@dataclass(frozen=True)
class ConsensusResult:
    """Result of a consensus; ``notes`` lists what was left out or doubted."""

    table: str
    agreement: PickerAgreement
    voted: VoteResult
    notes: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        reliability = self.voted.reliability
        recall = reliability.recall
        return {
            "table": self.table,
            "micrographs": self.voted.micrographs,
            "candidates": self.voted.groups,
            "picks": self.voted.picks,
            "grouped_greedily": self.voted.greedily,
            "particles_estimated": None if reliability.rates is None else reliability.rates.particles,
            "pickers": {
                name: {
                    "picks": self.agreement.places[name],
                    "precision_estimated": None if recall is None else float(reliability.precision[index]),
                    "recall_estimated": None if recall is None else float(recall[index]),
                }
                for index, name in enumerate(reliability.names)
            },
            "agreement": self.agreement.to_dict(),
            "notes": list(self.notes),
        }

    def text(self) -> str:
        """Return the counts, and each picker's precision and recall estimated from agreement, as text."""
        reliability = self.voted.reliability
        width = max(map(len, reliability.names))
        counts = f"{self.voted.picks} picks of {self.voted.groups} candidates"
        lines = [f"{counts} in {self.voted.micrographs} micrographs"]
        for index, name in enumerate(reliability.names):
            line = f"{name:{width}}  {self.agreement.places[name]:8d} picks"
            if reliability.recall is not None:
                precision, recall = reliability.precision[index], reliability.recall[index]
                line += f"  precision {precision:.2f}, recall {recall:.2f} by agreement"
            lines.append(line)
        return "\n".join([*lines, f"table {self.table}"])


def find_consensus(
    inputs: Sequence[str],
    out: Path,
    rule: VoteSettings,
    *,
    diameter_A: float | None = None,
    pixel_size_A: float | None = None,
    micrographs: str | None = None,
) -> ConsensusResult:
    """Write the consensus of several pickers: ``table/``, ``agreement.json``, ``consensus.html`` in ``out``.

    Parameters
    ----------
    inputs
        Runs, tables, coordinate files or folders; a name may precede each, as ``NAME=``, else its folder's.
    diameter_A, pixel_size_A
        Particle diameter and pixel size, where no input has them.
    micrographs
        Folder of the micrographs, if all inputs are coordinates of other programs, which lack image shapes.

    Raises
    ------
    UsageError
        If inputs share no micrographs, or a diameter, pixel size or shape is unknown.
    """
    named = _named(inputs)
    _check_free(out, [where for _, where in named])
    tables = [where for _, where in named if is_table(where)]
    reference = micrographs or next(iter(tables), None)
    if reference is None:
        raise UsageError("shapes of the micrographs are not known: give `micrographs`, or a run as an input")
    notes: list[str] = []
    known = KnownMicrographs(reference)
    pickers = [read_input(name, where, known, pixel_size_A, diameter_A, notes) for name, where in named]
    used_diameter_A = diameter_A or next((picker.diameter_A for picker in pickers if picker.diameter_A), None)
    if used_diameter_A is None:
        raise UsageError("diameter of the particles is missing: give `diameter_A`")
    differing = [
        picker
        for picker in pickers
        if picker.diameter_A and not math.isclose(picker.diameter_A, used_diameter_A, rel_tol=0.1)
    ]
    if differing:
        notes.append(
            f"diameters differ: {differing[0].name} has {differing[0].diameter_A:g} A; "
            f"{used_diameter_A:g} A is used "
            "(`diameter_A`)"
        )
    listed, sources = paired(pickers, Path(reference.rstrip("/")).stem, notes)
    sizes: Counter[str] = Counter()
    for picker, source in zip(pickers, sources, strict=True):
        for name, own_name in source.own.items():
            sizes[name] += picker.sizes[own_name]
    voters = {picker.name: source for picker, source in zip(pickers, sources, strict=True)}
    labels = [f"{picker.name}={picker.where}" for picker in pickers]
    result = vote(voters, listed, sizes, used_diameter_A, out / "table", rule, labels)
    picker_agreement = agreement(result.patterns)
    if result.greedily:
        notes.append(f"{result.greedily} crowded parts of micrographs were grouped greedily")
    write_whole(out / PAGE, render_consensus(rule, result, picker_agreement, notes))
    consensus = ConsensusResult(
        str(out / "table"), picker_agreement, result, (*notes, *result.reliability.doubts)
    )
    write_whole(out / AGREEMENT, json.dumps(consensus.to_dict(), indent=1) + "\n")
    return consensus


def _check_free(out: Path, inputs: Sequence[str]) -> None:
    """Refuse to overwrite the table of a run or of an input."""
    table = (out / "table").resolve()
    if (out / "config.yaml").exists():
        raise UsageError(f"{out} holds a run, whose table would be lost; choose another `out`")
    for where in inputs:
        if {Path(where).resolve(), (Path(where) / "table").resolve()} & {table}:
            raise UsageError(f"{table} is that of the input {where} and would be lost; choose another `out`")


def _named(inputs: Sequence[str]) -> list[tuple[str, str]]:
    """Return the name and the path of each input."""
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
