"""What a table of many picks costs: ours with Dask, pyarrow alone and DuckDB on the same shards.

``passes`` is the table with three of them: no pick near the edge, 200 of a micrograph at most, a threshold;
``spacing`` has a fourth, a least distance of picks, which SQL has no words for.

Shards of 64 micrographs with 300 candidates each are made in a folder. Each trial is a process of its own;
trials alternate. ``table`` writes the sorted table from the shards, ``counts`` is candidates per
micrograph, ``resume`` reads the manifest and the ledger, as a run does before its first unit. pyarrow
holds all rows in memory at once, so it is left out above 50 million picks.

With ``--run`` a whole run of as many micrographs as hold the picks is made in place of that, and the
commands for it are started as a person starts them: this version's and, ``--also``, another's, in turn.
"""

import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import typer
from made_run import FEWEST, MOST, make_run
from spent import Spent, spend
from table_variants import DIGEST, PER_MICROGRAPH, PER_SHARD, VARIANTS, make

IN_MEMORY_PICKS = 50_000_000
EXPORTED = ("star", "box", "cbox", "cs", "csv", "topaz", "eman2")


@dataclass(frozen=True)
class Trial:
    """What one process took; ``answer`` says that all did the same."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    answer: int


def trial(variant: str, folder: Path) -> Trial:
    """Do it once, in a process that did nothing else."""
    out = folder / "out"
    start, cpu_start = time.perf_counter(), time.process_time()
    answer = VARIANTS[variant](folder, out)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    status = Path("/proc/self/status").read_text()
    peak_KiB = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    for left in (out, Path(f"{out}.spill")):
        shutil.rmtree(left, ignore_errors=True)
    return Trial(seconds, cpu_seconds, 1024 * peak_KiB, answer)


def orders(run: Path, out: Path) -> dict[str, list[object]]:
    """Return the commands for a finished run."""
    digest = next((run / "picks").iterdir())
    table = ["table", run / "picks", "--digest", digest.name]
    export = {f"export {name}": ["export", run, "--format", name] for name in EXPORTED}
    onto: dict[str, list[object]] = {
        "table": table,
        "table, three passes": [*table, "--edge", 100, "--most-picks", 200, "--min-distance", 75],
        **export,
    }
    resume = ["run", "--resume", "--engine", "serial", "--out", run]
    return {
        "resume, results to make": resume,
        "resume, nothing to do": resume,
        "report": ["report", run],
        **{name: [*words, "--out", out] for name, words in onto.items()},
        "help": ["run", "--help"],
    }


def compare_commands(place: Path, micrographs: int, rounds: int, only: str, programs: list[Path]) -> None:
    """Print what each command takes of each program."""
    if not (place / "run").is_dir():
        make_run(place, micrographs)
    typer.echo("| what | program | s, least | CPU s, least | peak MiB |\n|---|---|---|---|---|")
    for name, words in orders(place / "run", place / "out").items():
        spent: dict[Path, list[Spent]] = {program: [] for program in programs}
        for program in programs * rounds * (only in name):
            spent[program].append(spend(program, *words))
            shutil.rmtree(place / "out", ignore_errors=True)
        for number, own in enumerate(filter(None, spent.values())):
            wall_s, cpu_s = min(one.wall_s for one in own), min(one.cpu_s for one in own)
            peak = max(one.peak_MiB for one in own)
            typer.echo(f"| {name} | {number} | {wall_s:.1f} | {cpu_s:.1f} | {peak:.0f} |")


def main(
    picks: Annotated[int, typer.Option(help="Candidates of all micrographs.")] = 20_000_000,
    rounds: Annotated[int, typer.Option(help="Trials of each.")] = 3,
    only: Annotated[str, typer.Option(help="Variants whose names contain this.")] = "",
    folder: Annotated[Path | None, typer.Option(help="Made and kept; default: a temporary one.")] = None,
    run: Annotated[bool, typer.Option("--run", help="Commands on a whole run.")] = False,
    also: Annotated[list[Path] | None, typer.Option(help="Another version's cryopick.")] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Time all variants in alternation and print a table."""
    if run:
        with tempfile.TemporaryDirectory(prefix="cryopick-run-") as temporary:
            place, programs = folder or Path(temporary), [Path(sys.executable).with_name("cryopick")]
            compare_commands(place, picks // ((FEWEST + MOST) // 2), rounds, only, programs + (also or []))
        return
    micrographs = -(-picks // (PER_MICROGRAPH * PER_SHARD)) * PER_SHARD
    names = [name for name in VARIANTS if only in name]
    if picks > IN_MEMORY_PICKS:
        names = [name for name in names if "pyarrow" not in name or name == "counts, pyarrow"]
    trials: dict[str, list[Trial]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory(prefix="cryopick-tables-") as temporary:
        place = folder or Path(temporary)
        if not (place / DIGEST).is_dir():
            place.mkdir(exist_ok=True)
            make(place, micrographs)
        for _ in range(rounds):
            for name in names:
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                    trials[name].append(pool.submit(trial, name, place).result())
    if as_json:
        typer.echo(json.dumps({name: list(map(asdict, done)) for name, done in trials.items()}, indent=1))
        return
    typer.echo(f"{micrographs * PER_MICROGRAPH} picks of {micrographs} micrographs, {os.cpu_count()} CPUs\n")
    typer.echo(
        "| what | s: least, median | CPU s: least, median | peak MiB | answer |\n|---|---|---|---|---|"
    )
    for name, done in trials.items():
        times = (sorted(getattr(one, kind) for one in done) for kind in ("seconds", "cpu_seconds"))
        columns = [f"{least[0]:.1f}, {statistics.median(least):.1f}" for least in times]
        peak = f"{max(one.peak_bytes for one in done) / 2**20:.0f}"
        answers = ", ".join(map(str, {one.answer for one in done}))
        typer.echo(f"| {' | '.join([name, *columns, peak, answers])} |")


if __name__ == "__main__":
    typer.run(main)
