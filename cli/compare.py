"""``cryopick compare``: what two or more runs share, and where they differ."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options
from .bridge import ENGINE, Given, Offer, takes
from .console import ConsoleEvents, say

if TYPE_CHECKING:
    from cryopick_ray.evaluation.comparison import Comparison, Run, TwoRuns
    from cryopick_ray.particles.volume.picker_maps import Structure

SHOWN = 10
"""Micrographs and settings in the terminal."""
WIDEST = 48
"""Characters of a value in the terminal."""


@takes(engine=Offer(ENGINE, ("engine", "workers", "address")))
def compare(
    engine: Given,
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN", help="Two or more: runs, tables, or coordinates of any program."),
    ],
    truth: Annotated[
        str | None,
        typer.Option("--truth", metavar="DIR", help="Coordinates of any program, or a run or a table."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder for a page with pictures, and all numbers."),
    ] = None,
    pixel_size: Annotated[
        float | None,
        typer.Option("--pixel-size", metavar="A", help="Of the micrographs, where no RUN says it."),
    ] = None,
    diameter: Annotated[
        float | None,
        typer.Option("--diameter", metavar="A", help="Of the particles, where no RUN says it."),
    ] = None,
    structure: Annotated[
        str | None,
        typer.Option(
            "--structure",
            metavar="MAP|MOLECULE",
            help="Compare by the maps that picks of runs make, against this one or a molecule of simulate.",
        ),
    ] = None,
    symmetry: Annotated[
        str, typer.Option("--symmetry", metavar="C1|D7", help="Of the maps, the main axis along z.")
    ] = "C1",
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Say what runs share and where they differ, and why: one-to-one matching within half a diameter.

    With --structure each run's picks are extracted, matched to the reference and reconstructed:
    structure.html in DIR shows what they are worth.
    """
    del debug
    from cryopick_ray.runs.compare_run import PAGE
    from cryopick_ray.runs.compare_run import compare as count

    if structure is not None:
        _structures(
            runs, engine, structure, symmetry, truth=truth, out=out, diameter_A=diameter, as_json=as_json
        )
        return
    found = count(runs, truth=truth, out=out, pixel_size_A=pixel_size, diameter_A=diameter)
    page = None if out is None else str(out / PAGE)
    lines = [*_text(found), *([f"page  {page}"] if page else [])]
    say({**found.to_dict(), "page": page}, "\n".join(lines), as_json=as_json)


def _structures(
    runs: list[str],
    engine: Given,
    reference: str,
    symmetry: str,
    *,
    truth: str | None,
    out: Path | None,
    diameter_A: float | None,
    as_json: bool,
) -> None:
    from cryopick_ray.engine.open_engine import open_engine
    from cryopick_ray.errors import UsageError
    from cryopick_ray.runs.compare_structures import PAGE, StructureSettings, compare_structures
    from cryopick_ray.settings.config import fill
    from cryopick_ray.settings.engine_settings import EngineSettings

    if out is None:
        raise UsageError("`out` is missing: give the folder for particles, maps and the page")
    wanted = StructureSettings(reference, symmetry, None if truth is None else Path(truth), diameter_A)
    running = fill(EngineSettings, **engine)
    with ConsoleEvents() as events, open_engine(running, threads=1) as runner:
        found = compare_structures(runs, wanted, out, runner, events)
    rows = [["", "run", "particles", "poses", "reference A", "half maps A"]]
    rows += [row for number, one in enumerate(found) for row in _maps(number, one)]
    page = str(out / PAGE)
    outcome = {"runs": [one.to_dict() for one in found], "page": page}
    say(outcome, "\n".join([*_table(rows, words=2), f"page  {page}"]), as_json=as_json)


def _maps(number: int, structure: "Structure") -> list[list[str]]:
    """Return what the maps of a run's picks came to."""
    from cryopick_ray.evaluation.comparison import letter

    return [
        [
            letter(number),
            structure.name,
            f"{worth.particles} {which}",
            how,
            f"{worth.reference_A:.1f}",
            f"{sum(worth.half_A) / len(worth.half_A):.1f}",
        ]
        for (which, how), worth in structure.worth.items()
    ]


def _text(found: "Comparison") -> list[str]:
    """Return the comparison as a person reads it in a terminal."""
    from cryopick_ray.evaluation.comparison import letter

    lines = _table([_head(found.runs), *(_run(n, run) for n, run in enumerate(found.runs))], words=2)
    for pair in found.pairs:
        lines += ["", *_pair(pair)]
    shown = [micrograph for micrograph in found.micrographs if micrograph.differing()][:SHOWN]
    if shown:
        letters = [letter(number) for number in range(len(found.runs))]
        rows = [
            [one.micrograph_id, *(_count(picks) for picks in one.picks), str(one.differing())]
            for one in shown
        ]
        head = ["most different micrographs", *letters, "unshared"]
        lines += ["", *_table([head, *rows])]
    if found.settings:
        rows = [[name, *map(_short, values)] for name, values in [*found.settings.items()][:SHOWN]]
        more = len(found.settings) - SHOWN
        lines += ["", *_table([["settings that differ", *[""] * len(found.runs)], *rows], words=99)]
        lines += [f"  and {more} more: --out DIR or --json shows them"] if more > 0 else []
    return [*lines, *([""] if found.notes else []), *found.notes]


def _head(runs: "tuple[Run, ...]") -> list[str]:
    judged = ["precision", "recall", "F1"] if runs[0].hits else []
    return ["", "run", "micrographs", "failed", "candidates", "picks", *judged]


def _run(number: int, run: "Run") -> list[str]:
    from cryopick_ray.evaluation.comparison import letter

    counts = (run.micrographs, len(run.failed), run.candidates, run.picks)
    judged = (
        [_number(value) for value in (run.hits.precision, run.hits.recall, run.hits.f1)] if run.hits else []
    )
    return [letter(number), run.name, *map(str, counts), *judged]


def _pair(pair: "TwoRuns") -> list[str]:
    """Return what two runs share, and why either lacks what the other has."""
    from cryopick_ray.evaluation.comparison import letter

    a, b = letter(pair.first), letter(pair.second)
    apart = "" if pair.median_apart_A is None else f", {pair.median_apart_A:.3g} A apart (median)"
    lines = [
        f"{a} and {b} share {pair.shared}: {_percent(pair.share[0])} of {a}, "
        f"{_percent(pair.share[1])} of {b}, Jaccard {_number(pair.jaccard)}{apart}"
    ]
    for side, (own, other) in enumerate(((a, b), (b, a))):
        true = pair.truth.only[side] if pair.truth else None
        judged = f", of {true[1]} judged {true[0]} are true" if true else ""
        score, usual = pair.median_score_only[side], pair.median_score_shared[side]
        scores = f", median score {score:.3f}" if score is not None else ""
        scores += f" (of shared ones {usual:.3f})" if scores and usual is not None else ""
        lines.append(f"  only {own}: {pair.only[side]}{scores}{judged}; {other} did not pick them, as")
        total = sum(pair.why[side].values())
        width = len(str(total))
        lines += [
            f"    {count:>{width}}  {_percent(count / total):>6}  {words}"
            for words, count in pair.why[side].items()
        ]
        if not total:
            lines[-1] = f"  only {own}: none"
    return lines


def _table(rows: list[list[str]], words: int = 1) -> list[str]:
    """Return rows in columns: the first so many to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if at < words else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _count(value: int | None) -> str:
    return "-" if value is None else str(value)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _percent(part: float | None) -> str:
    return "-" if part is None else f"{100 * part:.1f} %"


def _short(value: str) -> str:
    return value if len(value) <= WIDEST else f"{value[: WIDEST - 1]}…"
