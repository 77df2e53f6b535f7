"""What orchestration costs: the serial engine, plain Ray actors and Ray Data on the same micrographs.

Every trial is a process of its own and makes the whole way (ingest, pick, table); trials alternate.
Start-up is all that comes before the first unit's report: Ray, actors, imports and that unit. Work is
the time from that report to the last one; CPU time is that of the driver, Ray and all workers meanwhile
and tells more than the wall clock where others use the machine.
"""

import hashlib
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy; equal threads for all

import mrcfile
import ray  # noqa: F401 - brings psutil along
import typer

from cryopick_ray.engine.engine import Engine, WorkerKind
from cryopick_ray.engine.events import Silence
from cryopick_ray.engine.open_engine import open_engine
from cryopick_ray.engine.unit import ItemT, UnitReport, Worker, WorkUnit
from cryopick_ray.micrographs.sources import list_sources
from cryopick_ray.pickers.log import PARTICLE_PX
from cryopick_ray.settings.cut_settings import CutSettings
from cryopick_ray.settings.engine_settings import EngineSettings
from cryopick_ray.settings.run_settings import IngestSettings, PickSettings
from cryopick_ray.simulate.phantom import make_phantom
from cryopick_ray.stages.cut_table import table
from cryopick_ray.stages.flow import ingest
from cryopick_ray.stages.pick import pick
from cryopick_ray.units import working_pixel_size_A

DIAMETER_A, PIXEL_SIZE_A = 150.0, 3.0
STAGES = ("ingest", "pick")


@dataclass(frozen=True)
class Variant:
    """An engine and its number of workers."""

    engine: str
    workers: int

    def __str__(self) -> str:
        return self.engine if self.engine == "serial" else f"{self.engine}, {self.workers} worker(s)"


SERIAL = Variant("serial", 1)
VARIANTS = (SERIAL, *(Variant(engine, n) for n in (1, 2) for engine in ("Ray actors", "Ray Data")))


@dataclass
class Trial:
    """One run: seconds before and after the first report of each stage, and what it published."""

    variant: Variant
    start_up_s: float = 0.0
    work_s: dict[str, float] = field(default_factory=dict)
    cpu_s: dict[str, float] = field(default_factory=dict)
    published: str = ""

    @property
    def total_work_s(self) -> float:
        """Seconds of all stages' work."""
        return sum(self.work_s.values())

    @property
    def total_cpu_s(self) -> float:
        """CPU seconds of all stages' work."""
        return sum(self.cpu_s.values())


class Stopwatch:
    """An engine that notes when its reports arrive."""

    has_gpus = False

    def __init__(self, engine: Engine, trial: Trial) -> None:
        self._engine = engine
        self._trial = trial

    @contextmanager
    def shift(self, kinds: Sequence[WorkerKind]) -> Iterator["OneRun"]:
        """Give all units of a stage to the engine at once, as Ray Data wants them."""
        yield OneRun(self, kinds[0])

    def run(
        self, units: Sequence[WorkUnit[ItemT]], make_worker: Callable[[], Worker[ItemT]], *, on_gpu: bool
    ) -> Iterator[UnitReport]:
        stage, start = STAGES[len(self._trial.work_s)], time.perf_counter()
        for number, report in enumerate(self._engine.run(units, make_worker, on_gpu=on_gpu), 1):
            if number == 1:
                ready, cpu = time.perf_counter(), _cpu_seconds()
                self._trial.start_up_s += ready - start
            if number == len(units):  # while the workers are still there
                self._trial.work_s[stage] = time.perf_counter() - ready
                self._trial.cpu_s[stage] = _cpu_between(cpu, _cpu_seconds())
            yield report


class OneRun:
    """A shift whose units are all there before the first report is asked for."""

    def __init__(self, watch: Stopwatch, kind: WorkerKind) -> None:
        self._watch, self._kind = watch, kind
        self._units: list[WorkUnit[Any]] = []
        self._reports: Iterator[UnitReport] | None = None
        self.unfinished = 0

    def add(self, kind: str, units: Sequence[WorkUnit[Any]]) -> None:
        """Take units."""
        self._units += units
        self.unfinished += len(units)

    def finish(self) -> None:
        """Do nothing."""

    def reports(self, seconds: float) -> list[tuple[str, UnitReport]]:
        """Return the next report."""
        if not self.unfinished:
            return []
        if self._reports is None:
            self._reports = self._watch.run(self._units, self._kind.make_worker, on_gpu=False)
        self.unfinished -= 1
        return [(self._kind.name, next(self._reports))]


def _cpu_seconds() -> dict[int, float]:
    """Return the CPU seconds of this process and all below it, by process id."""
    import psutil

    own = psutil.Process()
    seconds = {}
    for process in (own, *own.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            seconds[process.pid] = sum(process.cpu_times()[:2])
    return seconds


def _cpu_between(before: dict[int, float], after: dict[int, float]) -> float:
    return sum(seconds - before.get(pid, 0) for pid, seconds in after.items())


def run_trial(variant: Variant, micrographs: Path) -> Trial:
    """Make the whole way once, in a folder that is thrown away."""
    import torch  # noqa: F401 - the serial engine works in this process; imports are nobody's start-up here

    trial = Trial(variant)
    settings = PickSettings(model="log", diameter_A=DIAMETER_A)
    running = EngineSettings(engine="serial" if variant == SERIAL else "ray", workers=variant.workers)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch, open_engine(running, threads=1) as engine:
        trial.start_up_s = time.perf_counter() - start
        if variant.engine == "Ray Data":
            from ray_data_engine import RayDataEngine

            engine = RayDataEngine(variant.workers)
        watched, events = Stopwatch(engine, trial), Silence()
        store, picks, out = (f"{scratch}/{name}" for name in ("store.zarr", "picks", "table"))
        crop = IngestSettings(store_pixel_size_A=working_pixel_size_A(DIAMETER_A, PARTICLE_PX))
        ingest(list_sources([str(micrographs)], relion_project=micrographs), store, crop, watched, events)
        digest = pick(store, picks, settings, watched, events, device="cpu")
        table(store, picks, digest, Path(out), CutSettings())
        trial.published = _digest(Path(picks), Path(out))
    return trial


def _digest(*folders: Path) -> str:
    """Return a digest of all files' names and bytes."""
    total = hashlib.sha256()
    for folder in folders:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            total.update(
                f"{path.relative_to(folder)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode()
            )
    return total.hexdigest()[:16]


def make_micrographs(folder: Path, count: int) -> None:
    """Write phantoms of 1024 x 1024 pixels, unless they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(count):
        path = folder / f"{seed:04d}.mrc"
        if not path.exists():
            with mrcfile.new(path) as file:
                file.set_data(make_phantom(seed, pixel_size_A=PIXEL_SIZE_A, diameter_A=DIAMETER_A).pixels)
                file.voxel_size = PIXEL_SIZE_A


def measure(micrographs: Path, rounds: int) -> list[Trial]:
    """Run all variants ``rounds`` times, one after the other, each round from another start."""
    trials = []
    for number in range(rounds):
        turn = number % len(VARIANTS)
        for variant in VARIANTS[turn:] + VARIANTS[:turn]:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                trials.append(pool.submit(run_trial, variant, micrographs).result())
            last = trials[-1]
            typer.echo(f"{variant}: {last.total_work_s:.2f} s, CPU {last.total_cpu_s:.2f} s", err=True)
    return trials


def to_markdown(trials: list[Trial]) -> str:
    """Return medians, and medians of the ratios to the same round's serial trial."""
    serial = [trial for trial in trials if trial.variant == SERIAL]
    lines = [
        "| engine | start-up s | ingest s | pick s | work s (least to most) | / serial | CPU s | / serial |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for variant in VARIANTS:
        own = [trial for trial in trials if trial.variant == variant]
        work = [trial.total_work_s for trial in own]
        start_up = statistics.median(trial.start_up_s for trial in own)
        stages = [statistics.median(trial.work_s[stage] for trial in own) for stage in STAGES]
        pairs = list(zip(own, serial, strict=True))
        ratio = statistics.median(one.total_work_s / other.total_work_s for one, other in pairs)
        cpu_ratio = statistics.median(one.total_cpu_s / other.total_cpu_s for one, other in pairs)
        cpu = statistics.median(trial.total_cpu_s for trial in own)
        lines.append(
            f"| {variant} | {start_up:.1f} | {stages[0]:.2f} | {stages[1]:.2f} | "
            f"{statistics.median(work):.2f} ({min(work):.2f} to {max(work):.2f}) | {ratio:.2f} | "
            f"{cpu:.2f} | {cpu_ratio:.2f} |"
        )
    equal = len({trial.published for trial in trials}) == 1
    return "\n".join([*lines, "", f"Shards and table byte-equal in all {len(trials)} trials: {equal}"])


def main(
    rounds: Annotated[int, typer.Option(help="Times that each engine runs.")] = 7,
    count: Annotated[int, typer.Option("--micrographs", help="How many.")] = 200,
    folder: Annotated[Path | None, typer.Option(help="Where to keep them; default: nowhere.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the trials as JSON.")] = False,
) -> None:
    """Time the engines and print medians."""
    with tempfile.TemporaryDirectory() as scratch:
        make_micrographs(folder or Path(scratch), count)
        trials = measure(folder or Path(scratch), rounds)
    typer.echo(json.dumps([asdict(trial) for trial in trials], indent=1) if as_json else to_markdown(trials))


if __name__ == "__main__":
    typer.run(main)
