"""What a million units cost the driver, and that none is lost or done twice when it is killed at half.

Units of a stub worker are handed out, and their reports come back, one by one; nothing is read or computed,
so what is left is scheduling. A worker writes down what it did before it reports: a line in a journal of its
own, or with ``--publish`` a shard of picks as a run has it. The first driver kills itself, without a word,
once half of the units are reported. A second one finds out what is done, does the rest, and all that was
written down is counted.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import typer

from cryopick_ray.engine.open_engine import open_engine
from cryopick_ray.engine.unit import UnitReport
from cryopick_ray.engine.unit import stay as never
from cryopick_ray.engine.unit_rules import cut
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.picks.shard import Picked
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.settings.engine_settings import EngineSettings

DIGEST = "d"


@dataclass(frozen=True, slots=True)
class Named:
    """A micrograph of which nothing but its name is needed."""

    micrograph_id: str


class Journal:
    """What was done, as lines of a file for each process: a killed one loses none that it has reported."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = (folder / f"{os.getpid()}.journal").open("a", buffering=1)

    def write(self, names: Sequence[str]) -> None:
        """Write down a unit."""
        self._file.write("".join([f"{name}\n" for name in names]))

    @staticmethod
    def read(folder: Path) -> list[str]:
        """Return all that was written down, what was twice twice."""
        return [name for path in folder.glob("*.journal") for name in path.read_text().splitlines()]


class Shards:
    """What was done, as shards of one candidate a micrograph."""

    def __init__(self, folder: Path) -> None:
        self._shards = PickShards(str(folder), DIGEST)

    def write(self, names: Sequence[str]) -> None:
        """Publish a unit."""
        one = Candidates(*np.ones((3, 1), np.float32))
        self._shards.publish([Picked(name, "", one) for name in names])

    @staticmethod
    def read(folder: Path) -> list[str]:
        """Return all that shards cover, what several do several times."""
        found = PickShards(str(folder), DIGEST).coverages(verified=True)
        return [line.micrograph_id for _, lines in found if isinstance(lines, list) for line in lines]


LEDGERS: dict[str, type[Journal] | type[Shards]] = {"journal": Journal, "shards": Shards}


class StubWorker:
    """Writes down that a unit is done, and says so."""

    def __init__(self, ledger: str, folder: Path) -> None:
        self._ledger = LEDGERS[ledger](folder)

    def process(self, items: Sequence[Named], leaving: Callable[[], bool] = never) -> UnitReport:
        """Do nothing else."""
        del leaving
        self._ledger.write([item.micrograph_id for item in items])
        return UnitReport(complete=len(items), candidates=len(items))

    def give_up(self, items: Sequence[Named], reason: str) -> UnitReport:
        """Say that it cannot be done."""
        return UnitReport(complete=0, failures=tuple((item.micrograph_id, reason) for item in items))


@dataclass(frozen=True)
class Driven:
    """What one driver took: seconds, and its own CPU seconds, memory as it began, halfway and at the end."""

    done_before: int
    reported: int
    seconds_to_plan: float
    seconds_to_first: float
    seconds: float
    driver_cpu_seconds: float
    MiB: tuple[int, ...]
    peak_MiB: int

    def text(self) -> str:
        """Return it in words."""
        rate = self.reported / self.seconds
        each_us = 1e6 * self.driver_cpu_seconds / self.reported
        return (
            f"{self.done_before} done before (found in {self.seconds_to_plan:.1f} s); {self.reported} units "
            f"reported, the first after {self.seconds_to_first:.1f} s, then {rate:.0f} a second; driver: "
            f"{each_us:.0f} us of CPU a unit, {' / '.join(map(str, self.MiB))} MiB at its beginning, middle "
            f"and end, {self.peak_MiB} at most"
        )


def memory(kind: Literal["VmRSS", "VmHWM"]) -> int:
    """Return this process's resident memory or its peak in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(kind))


def drive(count: int, size: int, engine: EngineSettings, ledger: str, folder: Path, stop_at: int) -> Driven:
    """Do the units that are not done; kill this process once ``stop_at`` are reported, if that is above 0."""
    began = time.perf_counter()
    done = set(LEDGERS[ledger].read(folder))
    items = [Named(f"10000/data/FoilHole_{number:08d}_Data.mrc") for number in range(count * size)]
    units = cut([item for item in items if item.micrograph_id not in done], size)
    planned, cpu, held = time.perf_counter() - began, time.process_time(), [memory("VmRSS")]
    middle = (stop_at or len(units)) // 2
    reported, first, start = 0, 0.0, time.perf_counter()

    def told() -> Driven:
        took = time.perf_counter() - start - first
        spent = time.process_time() - cpu
        about = (*held, memory("VmRSS")), memory("VmHWM")
        return Driven(len(done), reported, planned, first, took, spent, *about)

    with open_engine(engine, threads=1) as runner:
        for report in runner.run(units, partial(StubWorker, ledger, folder), on_gpu=False):
            if report.failures:
                raise RuntimeError(f"a unit was not done: {report}")
            reported += report.complete > 0  # else it is a note
            first = first or time.perf_counter() - start
            if reported == middle and len(held) == 1:
                held.append(memory("VmRSS"))
            if stop_at and reported == stop_at:
                (folder / "driven.json").write_text(json.dumps(asdict(told())))
                os.kill(os.getpid(), signal.SIGKILL)
    return told()


def driven(folder: Path, words: Sequence[str], stop_at: int) -> Driven:
    """Let a driver work in a process of its own; return what it took."""
    command = [sys.executable, __file__, *words, "--folder", str(folder), "--stop-at", str(stop_at)]
    ended = subprocess.run(command).returncode
    if ended != (-signal.SIGKILL if stop_at else 0):
        raise SystemExit(f"a driver ended with {ended}")
    found = json.loads((folder / "driven.json").read_text())
    return Driven(**found | {"MiB": tuple(found["MiB"])})


def main(
    units: Annotated[int, typer.Option(min=4)] = 1_000_000,
    size: Annotated[int, typer.Option(help="Micrographs of a unit.")] = 1,
    workers: int = 2,
    serial: Annotated[bool, typer.Option("--serial", help="In the driver, without Ray.")] = False,
    publish: Annotated[bool, typer.Option("--publish", help="Shards in place of journals.")] = False,
    folder: Annotated[Path | None, typer.Option(help="Of a driver, started by this program.")] = None,
    stop_at: Annotated[int, typer.Option(help="Units after which that driver kills itself.")] = 0,
) -> None:
    """Run the units, killed at half, and print what they took and what was proved."""
    ledger = "shards" if publish else "journal"
    if folder is not None:
        engine = EngineSettings(engine="serial" if serial else "ray", workers=(workers, workers))
        found = drive(units, size, engine, ledger, folder, stop_at)
        (folder / "driven.json").write_text(json.dumps(asdict(found)))
        return
    words = ["--units", str(units), "--size", str(size), "--workers", str(workers)]
    words += ["--serial"] * serial + ["--publish"] * publish
    with tempfile.TemporaryDirectory(prefix="cryopick-units-") as name:
        if publish:
            PickShards(name, DIGEST, create=True).describe({})
        for stop in (units // 2, 0):
            typer.echo(f"{'killed' if stop else 'resumed'}: {driven(Path(name), words, stop).text()}")
        times = Counter(LEDGERS[ledger].read(Path(name)))
    lost, twice = units * size - len(times), sum(count > 1 for count in times.values())
    typer.echo(f"{units} units of {size}: {len(times)} micrographs done, {lost} lost, {twice} done twice")
    if lost or twice:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
