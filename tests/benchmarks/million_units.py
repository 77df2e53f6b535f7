"""What a million units cost the driver: a stub worker that only answers, through the Ray engine.

Units are handed out, and their reports come back, one by one; nothing is read or computed, so what is left
is scheduling. With ``--publish`` each unit's worker publishes a shard of one candidate per micrograph, and
the picks are then resumed: what a run does before its first unit, when all is done.
"""

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from cryopick_ray.engine.choice import open_engine
from cryopick_ray.engine.plan import cut
from cryopick_ray.engine.unit import UnitReport, WorkUnit
from cryopick_ray.engine.unit import stay as never
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.picks.shard import Picked
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.settings import EngineSettings
from cryopick_ray.stages.ledger import covered_ids

DIGEST = "d"


@dataclass(frozen=True, slots=True)
class Named:
    """A micrograph of which nothing but its name is needed."""

    micrograph_id: str


class StubWorker:
    """Answers at once; publishes one candidate per micrograph if it is given a place."""

    def __init__(self, picks_url: str | None) -> None:
        self._shards = PickShards(picks_url, DIGEST) if picks_url else None

    def process(self, items: Sequence[Named], leaving: Callable[[], bool] = never) -> UnitReport:
        """Do nothing, and say that it is done."""
        del leaving
        if self._shards:
            one = Candidates(*np.ones((3, 1), np.float32))
            self._shards.publish([Picked(item.micrograph_id, "", one) for item in items])
        return UnitReport(complete=len(items), candidates=len(items))

    def give_up(self, items: Sequence[Named], reason: str) -> UnitReport:
        """Say that it cannot be done."""
        return UnitReport(complete=0, failures=tuple((item.micrograph_id, reason) for item in items))


@dataclass(frozen=True)
class Outcome:
    """What it took; memory is that of the driver's process, before and at its peak."""

    units: int
    micrographs: int
    workers: int
    cut_s: float
    first_report_s: float
    units_per_s: float
    memory_before_bytes: int
    peak_memory_bytes: int
    resume_s: float


def run(units: Sequence[WorkUnit[Named]], picks_url: str | None, workers: int) -> Iterator[float]:
    """Yield the time of each report."""
    with open_engine(EngineSettings(workers=(workers, workers)), threads=1) as engine:
        for report in engine.run(units, partial(StubWorker, picks_url), on_gpu=False):
            if report.failures:
                raise RuntimeError(f"a unit was not done: {report}")
            if report.complete:  # else it is a note
                yield time.perf_counter()


def memory(kind: str) -> int:
    """Return this process's resident memory (``VmRSS``) or its peak (``VmHWM``) in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(kind))


def measure(count: int, size: int, workers: int, picks_url: str | None) -> Outcome:
    """Run them all, then see what a second run would do."""
    start = time.perf_counter()
    items = [Named(f"10000/data/FoilHole_{number:08d}_Data.mrc") for number in range(count * size)]
    units = cut(items, size)
    cut_s, before = time.perf_counter() - start, memory("VmRSS")
    start = time.perf_counter()
    first, done = 0.0, 0
    for last in run(units, picks_url, workers):
        first, done = first or last, done + 1
    if done != count:
        raise RuntimeError(f"{done} reports of {count} units")
    peak = memory("VmHWM")
    again = time.perf_counter()
    if picks_url:
        covered, _ = covered_ids(PickShards(picks_url, DIGEST), {})
        if any(item.micrograph_id not in covered for item in items):
            raise RuntimeError("a unit that was done is not in the ledger")
    return Outcome(
        units=count,
        micrographs=len(items),
        workers=workers,
        cut_s=cut_s,
        first_report_s=first - start,
        units_per_s=(count - 1) / (last - first),
        memory_before_bytes=before,
        peak_memory_bytes=peak,
        resume_s=time.perf_counter() - again,
    )


def main(
    units: Annotated[int, typer.Option(min=2)] = 1_000_000,
    size: Annotated[int, typer.Option(help="Micrographs of a unit.")] = 1,
    workers: int = 2,
    publish: Annotated[bool, typer.Option("--publish", help="Publish tiny shards, and resume.")] = False,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Run the units and print what they took."""
    with tempfile.TemporaryDirectory(prefix="cryopick-units-") as folder:
        if publish:
            PickShards(folder, DIGEST).describe({})
        found = measure(units, size, workers, folder if publish else None)
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=1))
        return
    typer.echo(
        f"{found.units} units of {size}, {workers} workers: first report after {found.first_report_s:.1f} s, "
        f"then {found.units_per_s:.0f} units/s; driver {found.memory_before_bytes / 2**20:.0f} MiB with the "
        f"units in hand, {found.peak_memory_bytes / 2**20:.0f} MiB at its peak"
        + (f"; resumed in {found.resume_s:.1f} s" if publish else "")
    )


if __name__ == "__main__":
    typer.run(main)
