"""How well and how fast real micrographs are picked: a table of docs/results.md.

Seconds per micrograph are those of ingest and pick (Topaz: preprocess and extract) on one thread, start-up
taken out: a run of all micrographs less a run of one, over the others. Programs alternate.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Annotated

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy, and for the commands run from here

import typer
from other_pickers import read_published, read_topaz, run_topaz
from spent import Spent, spend

from cryopick_ray.evaluation.evaluate import evaluate
from cryopick_ray.evaluation.truth import read_truth
from cryopick_ray.pickers.importers import open_model
from cryopick_ray.pickers.log import PARTICLE_PX

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"
MEASURABLE_S = 0.1
"""Less drowns in how start-up varies."""
TOPAZ_MODEL, TOPAZ_SCALE = "resnet8_u64", 3
CRYOPICK = Path(sys.executable).with_name("cryopick")
PUBLISHED = {"crYOLO": "crYOLO", "Topaz": "topaz", "DeepPicker": "deepPicker"}


@dataclass(frozen=True)
class RealSet:
    """A labelled set, and what a person would say about its particle.

    Attributes
    ----------
    radius_A
        Largest distance of a pick to the particle it finds.
    particle_px
        Pixels of a particle for Topaz's networks: the diameter at a third of the micrograph's pixels.
    topaz_radius_px
        Topaz's suppression radius at that scale: half a particle.
    exclude
        Under-labelled micrographs.
    unpublished
        Micrographs without published picks.
    """

    name: str
    diameter_A: float
    radius_A: float
    particle_px: int
    topaz_radius_px: int
    exclude: tuple[str, ...] = ()
    unpublished: tuple[str, ...] = ()


APOFERRITIN = RealSet("apoferritin-10146", 120, 31 * 1.5, 27, 14)
BETAGAL = RealSet("betagal-10017", 190, 27 * 3.54, 18, 9, ("*15_07_41*", "*16_51_03*"), ("*16_59_12*",))
SETS = (APOFERRITIN, BETAGAL)


@dataclass(frozen=True)
class Line:
    """One line of the table; ``f1`` is at the threshold that ``auto`` chose, seconds are per micrograph."""

    name: str
    picker: str
    f1: float | None
    best_f1: float
    auprc: float
    wall_s: float | None = None
    cpu_s: float | None = None


@dataclass(frozen=True)
class Took:
    """What a micrograph takes, on average, and a run before its first one.

    Attributes
    ----------
    wall_s, cpu_s
        Of one micrograph.
    start_up_s
        A run of one micrograph, less that micrograph.
    peak_MiB
        Of the programs of a run, the largest one's.
    """

    wall_s: float
    cpu_s: float
    start_up_s: float
    peak_MiB: float


class Cryopick:
    """The installed command with one model, on a CPU.

    Parameters
    ----------
    weights
        A weights file; ``None`` for the blob detector. Topaz's are used at the particle size that Topaz
        gets, ours at their own.
    mode
        Options that say how a network is asked.
    """

    def __init__(self, weights: Path | None, mode: Sequence[str] = ()) -> None:
        self.name = f"cryopick, Topaz's {weights.stem}" if weights else "cryopick, log"
        self._weights, self._mode = weights, mode

    def _particle_px(self, one: RealSet) -> float:
        if self._weights is None:
            return PARTICLE_PX
        own = self._weights.suffix == ".safetensors"
        return open_model(self._weights)[1].particle_px if own else one.particle_px

    def _options(self, one: RealSet) -> list[str]:
        scale = ["--diameter", str(one.diameter_A), "--particle-px", str(self._particle_px(one))]
        model = ["--model", str(self._weights or "log")]
        return [*scale, *model, *self._mode, "--device", "cpu"]

    def run(self, one: RealSet, micrographs: Sequence[Path], scratch: Path) -> Spent:
        """Ingest and pick on one thread, in this order of micrographs."""
        store, serial = ["--store", scratch / "store.zarr"], ["--engine", "serial"]
        pixel_size_A = one.diameter_A / self._particle_px(one)
        ingest = ["ingest", *micrographs, *store, "--store-pixel-size", pixel_size_A, *serial]
        pick = ["pick", *store, *self._options(one), *serial, "--out", scratch / "picks"]
        return spend(CRYOPICK, *ingest) + spend(CRYOPICK, *pick)

    def score(self, one: RealSet, folder: Path, scratch: Path) -> list[Line]:
        """Run the whole way, and evaluate; once more on the micrographs that have published picks."""
        _cryopick("run", str(folder), *self._options(one), "--out", str(scratch / "run"), "--json")
        wholes = [(self.name, one.exclude)]
        if one.unpublished:
            wholes.append((f"{self.name} (on those)", one.exclude + one.unpublished))
        lines = []
        for name, exclude in wholes:
            left_out = [word for pattern in exclude for word in ("--exclude", pattern)]
            truth = ["--truth", str(folder), "--radius", str(one.radius_A)]
            outcome = _cryopick("evaluate", str(scratch / "run"), *truth, *left_out, "--json")
            pooled = json.loads(outcome)["pooled"]
            lines.append(Line(one.name, name, pooled["f1"], pooled["best_f1"], pooled["auprc"]))
        return lines


class Topaz:
    """Topaz itself, on a CPU.

    Parameters
    ----------
    scale
        How many times smaller it makes the micrographs' sides.
    """

    def __init__(self, program: str, model: str = TOPAZ_MODEL, scale: int = TOPAZ_SCALE) -> None:
        self.name = f"Topaz itself, {model}"
        self.model = model
        self._program, self._scale = program, scale

    def run(self, one: RealSet, micrographs: Sequence[Path], scratch: Path) -> Spent:
        """Preprocess and extract on one thread."""
        return run_topaz(
            self._program,
            micrographs,
            scratch,
            model=self.model,
            scale=self._scale,
            radius_px=one.topaz_radius_px,
        )

    def score(self, one: RealSet, folder: Path, scratch: Path) -> list[Line]:
        """Run it, and evaluate its picks as ours are."""
        micrographs = sorted(folder.glob("*.mrc"))
        self.run(one, micrographs, scratch)
        found = read_topaz(scratch, micrographs, one.diameter_A)
        pooled = evaluate(found, read_truth(folder), radius_A=one.radius_A, exclude=one.exclude).pooled
        return [Line(one.name, self.name, None, pooled.best_f1 or 0, pooled.auprc or 0)]


def published_lines(data: Path) -> list[Line]:
    """Evaluate what others published for beta-galactosidase."""
    folder, lines = data / BETAGAL.name, []
    truth, micrographs = read_truth(folder), sorted(folder.glob("*.mrc"))
    for name, where in PUBLISHED.items():
        picks = read_published(data / "formats" / "repic-box" / where, micrographs, BETAGAL.diameter_A)
        outcome = evaluate(picks, truth, radius_A=BETAGAL.radius_A, exclude=BETAGAL.exclude)
        picker, pooled = f"{name}, published ({len(outcome.micrographs)} micrographs)", outcome.pooled
        lines.append(Line(BETAGAL.name, picker, None, pooled.best_f1 or 0, pooled.auprc or 0))
    return lines


def _cryopick(*arguments: str) -> str:
    return subprocess.run([CRYOPICK, *arguments], check=True, capture_output=True, text=True).stdout


def took(picker: Cryopick | Topaz, one: RealSet, micrographs: Sequence[Path]) -> Took:
    """Run a picker on one micrograph, then on all, and return what one of them takes."""
    runs = []
    for some in (micrographs[:1], micrographs):
        with tempfile.TemporaryDirectory() as scratch:
            runs.append(picker.run(one, some, Path(scratch)))
    few, whole = runs
    wall_s, cpu_s = (
        (all_of_them - first) / (len(micrographs) - 1)
        for all_of_them, first in ((whole.wall_s, few.wall_s), (whole.cpu_s, few.cpu_s))
    )
    return Took(wall_s, cpu_s, few.wall_s - wall_s, max(few.peak_MiB, whole.peak_MiB))


Times = dict[tuple[str, str], tuple[float, float]]


def time_pickers(pickers: Sequence[Cryopick | Topaz], data: Path, rounds: int) -> Times:
    """Return wall-clock and CPU seconds per micrograph by set and picker: medians over the rounds."""
    samples: defaultdict[tuple[str, str], list[Took]] = defaultdict(list)
    for _, one, picker in product(range(rounds), SETS, pickers):
        last = took(picker, one, sorted((data / one.name).glob("*.mrc")))
        samples[one.name, picker.name].append(last)
        typer.echo(f"{one.name} {picker.name}: {last.wall_s:.2f} s, CPU {last.cpu_s:.2f} s", err=True)
    return {
        key: (statistics.median(one.wall_s for one in own), statistics.median(one.cpu_s for one in own))
        for key, own in samples.items()
    }


def to_markdown(lines: Sequence[Line]) -> str:
    """Return the table; times come with their ratio to Topaz's, where that was timed."""
    topaz = {line.name: (line.wall_s, line.cpu_s) for line in lines if line.picker.startswith("Topaz itself")}
    text = [
        "| set | picker | F1 at auto | best F1 | AUPRC | wall s a micrograph | CPU s a micrograph |",
        "|---|---|---|---|---|---|---|",
    ]
    for line in lines:
        rival_wall_s, rival_cpu_s = topaz.get(line.name, (None, None))
        times = _time(line.wall_s, rival_wall_s), _time(line.cpu_s, rival_cpu_s)
        f1 = f"{line.f1:.3f}" if line.f1 is not None else "-"
        cells = line.name, line.picker, f1, f"{line.best_f1:.3f}", f"{line.auprc:.3f}", *times
        text.append(f"| {' | '.join(cells)} |")
    return "\n".join(text)


def _time(seconds: float | None, rival_s: float | None) -> str:
    if seconds is None:
        return "-"
    if seconds < MEASURABLE_S:
        return f"< {MEASURABLE_S}"
    return f"{seconds:.2f}" + (f" ({seconds / rival_s:.2f})" if rival_s else "")


def main(
    data: Annotated[Path, typer.Option(envvar="CRYOPICK_DATA", help="Folder of the real sets.")] = BESIDE,
    weights: Annotated[Path | None, typer.Option(help="Folder of Topaz's .sav files.")] = None,
    resnet16: Annotated[bool, typer.Option("--resnet16", help="Its larger network too.")] = False,
    topaz: Annotated[str | None, typer.Option(help="Topaz's program, to run beside ours.")] = None,
    rounds: Annotated[int, typer.Option(help="Times that each is timed; 0 for not at all.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print the lines as JSON.")] = False,
) -> None:
    """Pick the real sets, score the picks and print the table."""
    models = (TOPAZ_MODEL, *(["resnet16_u64"] if resnet16 else [])) if weights else ()
    pickers: list[Cryopick | Topaz] = [Cryopick(None)]
    pickers += [Cryopick(Path(weights or "", f"{model}.sav").absolute()) for model in models]
    pickers += [Topaz(topaz)] if topaz else []
    lines: list[Line] = []
    for one, picker in product(SETS, pickers):
        with tempfile.TemporaryDirectory() as scratch:
            lines += picker.score(one, data / one.name, Path(scratch))
        typer.echo(str(lines[-1]), err=True)
    times = time_pickers(pickers, data, rounds)
    for index, line in enumerate(lines):
        if (line.name, line.picker) in times:
            wall_s, cpu_s = times[line.name, line.picker]
            lines[index] = replace(line, wall_s=wall_s, cpu_s=cpu_s)
    lines += published_lines(data)
    typer.echo(json.dumps([asdict(line) for line in lines], indent=1) if as_json else to_markdown(lines))


if __name__ == "__main__":
    typer.run(main)
