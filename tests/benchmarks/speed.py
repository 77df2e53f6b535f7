"""How much sooner than Topaz we are with Topaz's own weights, at which accuracy: tables, as Markdown.

Both start from the same MRC files of phantoms, scale them down by 8 and pick in the same pixels, one thread
each, in alternation. What a micrograph takes is a run of all less a run of one, over the others: Topaz's
``preprocess`` and ``extract``, our ``ingest`` and ``pick``. A ratio compares runs of one round.
``--accuracy`` does the same on the real sets, and scores the picks.
"""

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from math import pi
from pathlib import Path
from typing import Annotated, Any

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy, and for the commands run from here

import mrcfile
import typer
from real_sets import (
    BESIDE,
    CRYOPICK,
    SETS,
    TOPAZ_MODEL,
    TOPAZ_SCALE,
    Cryopick,
    Line,
    RealSet,
    Took,
    Topaz,
    took,
)

from cryopick_ray.pickers.scoring import fast_precision
from cryopick_ray.simulate.phantom import make_phantom
from cryopick_ray.units import resampled_shape, working_pixel_size_A

PIXEL_SIZE_A, SCALE = 1.25, 8
PHANTOMS = RealSet("phantoms", diameter_A=270, radius_A=135, particle_px=27, topaz_radius_px=14)
COVERED = 0.2
"""Part of the area that particles cover."""
FIRST_PICK_PX, FIRST_PICK_PIXEL_SIZE_A = 512, 8.0
FIRST_PICK_MODEL = "resnet8_u32"
POLL_S = 0.005
EXACT = "exact"
MODES = {
    EXACT: ("--exact",),
    "fast float32": ("--dtype", "float32"),
    "fast bfloat16": ("--dtype", "bfloat16"),
}
TOPAZ = "Topaz itself"


@dataclass
class Row:
    """One picker on one set.

    Attributes
    ----------
    model
        Its network.
    mode
        How ours is asked, or ``TOPAZ``.
    rounds
        What a micrograph took; the exact mode, our reference, is timed in the first round only.
    ratios
        Topaz's CPU time over ours, by round.
    best_f1, auprc
        On a real set.
    """

    set: str
    model: str
    mode: str
    rounds: list[Took] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    best_f1: float | None = None
    auprc: float | None = None

    def median(self, name: str) -> float:
        """Return the median of what the rounds took, by :class:`Took`'s names."""
        return statistics.median(getattr(one, name) for one in self.rounds)


@dataclass(frozen=True)
class Rivals:
    """Topaz with one of its networks, and, by mode, us with the same network, or with one of ours."""

    topaz: Topaz
    model: str
    ours: dict[str, Cryopick]

    def rows(self, one: RealSet) -> list[Row]:
        """Return a row for each picker, Topaz's first."""
        modes = [Row(one.name, self.model, mode) for mode in self.ours]
        return [Row(one.name, self.topaz.model, TOPAZ), *modes]

    @property
    def pickers(self) -> list[Topaz | Cryopick]:
        """Return the pickers, in the order of the rows."""
        return [self.topaz, *self.ours.values()]


def rivals_at(
    scale: int, topaz: str, weights: Path, models: Sequence[str], own: Sequence[Path]
) -> list[Rivals]:
    """Return who competes where Topaz scales micrographs down by ``scale``."""
    slow = {"bfloat16"} - {fast_precision(on_gpu=False)}  # where the CPU has to emulate it
    known = {mode: words for mode, words in MODES.items() if not slow.intersection(words)}
    files = [(model, weights / f"{model}.sav", model) for model in models]
    files += [(path.stem, path, TOPAZ_MODEL) for path in own]
    return [
        Rivals(
            Topaz(topaz, rival, scale),
            name,
            {mode: Cryopick(path.absolute(), words) for mode, words in known.items()},
        )
        for name, path, rival in files
    ]


def compare(one: RealSet, micrographs: Sequence[Path], rivals: Sequence[Rivals], rounds: int) -> list[Row]:
    """Time all, in alternation."""
    groups = [rival.rows(one) for rival in rivals]
    for number, (rival, rows) in product(range(rounds), list(zip(rivals, groups, strict=True))):
        for row, picker in zip(rows, rival.pickers, strict=True):
            if row.mode == EXACT and number:
                continue
            row.rounds.append(took(picker, one, micrographs))
            row.ratios.append(rows[0].rounds[-1].cpu_s / row.rounds[-1].cpu_s)
            typer.echo(
                f"{one.name} {row.model} {row.mode}: {row.rounds[-1]}, ratio {row.ratios[-1]:.2f}", err=True
            )
    return [row for rows in groups for row in rows]


def score(one: RealSet, folder: Path, rivals: Sequence[Rivals], rows: Sequence[Row]) -> None:
    """Fill in how well each finds a real set's particles."""
    scored: dict[tuple[str, str], Line] = {}  # several networks of ours have the same rival
    for row, picker in zip(rows, (picker for rival in rivals for picker in rival.pickers), strict=True):
        key = row.model, row.mode
        if key not in scored:
            with tempfile.TemporaryDirectory() as scratch:
                scored[key] = picker.score(one, folder, Path(scratch))[0]
        row.best_f1, row.auprc = scored[key].best_f1, scored[key].auprc
        typer.echo(f"{one.name} {row.model} {row.mode}: AUPRC {row.auprc:.3f}", err=True)


def write_phantoms(folder: Path, count: int, size_px: int, pixel_size_A: float) -> list[Path]:
    """Write square float32 MRC files of particles."""
    radius_px = PHANTOMS.diameter_A / pixel_size_A / 2
    paths = [folder / f"{seed:04d}.mrc" for seed in range(count)]
    for seed, path in enumerate(paths):
        phantom = make_phantom(
            seed,
            shape=(size_px, size_px),
            pixel_size_A=pixel_size_A,
            diameter_A=PHANTOMS.diameter_A,
            particles=max(1, int(COVERED * size_px**2 / (pi * radius_px**2))),
        )
        with mrcfile.new(path) as file:
            file.set_data(phantom.pixels)
            file.voxel_size = pixel_size_A
    return paths


def check_size(size_px: int) -> None:
    """Refuse a size that we and Topaz would scale down to different shapes."""
    shape, scaled = (size_px, size_px), (size_px // SCALE, size_px // SCALE)
    working_A = working_pixel_size_A(PHANTOMS.diameter_A, PHANTOMS.particle_px)
    if size_px % SCALE or resampled_shape(shape, PIXEL_SIZE_A, working_A) != scaled:
        raise typer.BadParameter(f"--size {size_px}: expected a multiple of {2 * SCALE}")


def first_picks(model: Sequence[object], micrograph: Path, times: int) -> Iterator[float]:
    """Yield the seconds from the start of a run on one micrograph to the first picks on the disk.

    A run before that, which is not counted, brings what is read into the system's cache.
    """
    diameter, quiet = ["--diameter", PHANTOMS.diameter_A, *model], subprocess.DEVNULL
    for number in range(times + 1):
        with tempfile.TemporaryDirectory() as scratch:
            out = Path(scratch) / "run"
            command = [
                CRYOPICK,
                "run",
                micrograph,
                *diameter,
                "--engine",
                "serial",
                "--device",
                "cpu",
                "--out",
                out,
            ]
            start = time.perf_counter()
            process = subprocess.Popen([str(word) for word in command], stdout=quiet, stderr=quiet)
            while not any(out.glob("picks/*/*.parquet")):
                if process.poll() is not None:
                    raise SystemExit(f"cryopick run ended with {process.returncode} and left no picks")
                time.sleep(POLL_S)
            seconds = time.perf_counter() - start
            process.wait()
        if number:
            yield seconds


def start_ups(weights: Path, times: int) -> dict[str, list[float]]:
    """Return the seconds to the first picks by model."""
    models: dict[str, list[object]] = {
        "log": ["--model", "log"],
        FIRST_PICK_MODEL: [
            *("--model", weights / f"{FIRST_PICK_MODEL}.sav"),
            *("--particle-px", PHANTOMS.particle_px),
        ],
    }
    with tempfile.TemporaryDirectory() as folder:
        micrograph = write_phantoms(Path(folder), 1, FIRST_PICK_PX, FIRST_PICK_PIXEL_SIZE_A)[0]
        return {name: list(first_picks(model, micrograph, times)) for name, model in models.items()}


def to_markdown(outcome: dict[str, Any], rows: Sequence[Row]) -> str:
    """Return one table of all that was timed or scored, and one of start-ups."""
    lines = [
        "| set | network | mode | best F1 | AUPRC | Topaz's CPU time / ours (least-most) | CPU s | wall s "
        "| start-up s | peak MiB |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        qualities = [f"{value:.3f}" if value is not None else "-" for value in (row.best_f1, row.auprc)]
        times = 5 * ["-"]
        if row.rounds:
            times = [
                _spread(row.ratios),
                *(f"{row.median(name):.2f}" for name in ("cpu_s", "wall_s", "start_up_s")),
            ]
            times.append(f"{max(one.peak_MiB for one in row.rounds):.0f}")
        lines.append(f"| {' | '.join((row.set, row.model, row.mode, *qualities, *times))} |")
    lines += ["", "| from the start to the first picks | s (least-most) |", "|---|---|"]
    lines += [f"| {name} | {_spread(seconds)} |" for name, seconds in outcome["start_up_s"].items()]
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def main(
    topaz: Annotated[str, typer.Option(help="Topaz's program, to run beside ours.")],
    weights: Annotated[Path, typer.Option(help="Folder of Topaz's .sav files.")],
    rounds: Annotated[int, typer.Option(help="Times that each is timed; 0 for not at all.")] = 3,
    count: Annotated[int, typer.Option("--micrographs", help="Phantoms, at least 2.", min=2)] = 5,
    size: Annotated[int, typer.Option(help="Their side in pixels, a multiple of 16.")] = 4096,
    models: Annotated[str, typer.Option(help="Topaz's networks.")] = "resnet8_u32,resnet16_u64",
    own: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[SET=]FILE",
            help=f"A network of ours, beside Topaz's {TOPAZ_MODEL}: on every real set, or the one it is for.",
        ),
    ] = None,
    accuracy: Annotated[bool, typer.Option("--accuracy", help="The real sets, too.")] = False,
    exclude: Annotated[
        list[str] | None, typer.Option(help="Leave real micrographs out of the scores: NAMES*; repeatable.")
    ] = None,
    data: Annotated[Path, typer.Option(envvar="CRYOPICK_DATA", help="Folder of the real sets.")] = BESIDE,
    starts: Annotated[int, typer.Option(help="Times that a start-up is timed.", min=1)] = 5,
    out: Annotated[Path | None, typer.Option("--json", help="File for all that was measured.")] = None,
) -> None:
    """Run both programs on the same files and print ratios."""
    check_size(size)
    shared = topaz, weights, models.split(",")
    files = [(name, Path(path)) for name, _, path in (text.rpartition("=") for text in own or [])]
    rows: list[Row] = []
    if rounds:
        with tempfile.TemporaryDirectory() as folder:
            micrographs = write_phantoms(Path(folder), count, size, PIXEL_SIZE_A)
            first = [path for _, path in files[:1]]  # others take as long
            rows += compare(PHANTOMS, micrographs, rivals_at(SCALE, *shared, first), rounds)
    for real in SETS if accuracy else ():
        one = replace(real, exclude=real.exclude + tuple(exclude or ()), unpublished=())
        rivals = rivals_at(TOPAZ_SCALE, *shared, [path for name, path in files if name in ("", one.name)])
        folder = data / one.name
        found = compare(one, sorted(folder.glob("*.mrc")), rivals, rounds)
        score(one, folder, rivals, found)
        rows += found
    outcome = {"start_up_s": start_ups(weights, starts), "rows": [asdict(row) for row in rows]}
    if out:
        out.write_text(json.dumps(outcome, indent=1))
    typer.echo(to_markdown(outcome, rows))


if __name__ == "__main__":
    typer.run(main)
