"""What a worker's death costs: plain Ray actors under our policy, and Ray Data under several of its settings.

One worker goes through small units; under one of them it dies, once or whenever it is tried.
"""

import contextlib
import json
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from mortal_worker import SECONDS_A_UNIT, TRIES, Fault, Item, MortalWorker

from cryopick_ray.engine.engine import Engine
from cryopick_ray.engine.open_engine import open_engine
from cryopick_ray.engine.unit import UnitReport
from cryopick_ray.engine.unit_rules import cut
from cryopick_ray.settings.engine_settings import EngineSettings

UNITS = 40
FAULTS: tuple[Fault, ...] = ("killed once", "exits once", "killed always")

RAY_DATA: dict[str, dict[str, Any]] = {
    "Ray Data as it comes": {},
    "Ray Data, errors passed over": {"max_errored_blocks": -1},
    "Ray Data, one retry, errors passed over": {
        "max_errored_blocks": -1,
        "actor_options": {"max_restarts": -1, "max_task_retries": 1},
    },
    "Ray Data, one restart and retry, errors passed over": {
        "max_errored_blocks": -1,
        "actor_options": {"max_restarts": 1, "max_task_retries": 1},
    },
}
ENGINES = ("Ray actors", *RAY_DATA)


@dataclass(frozen=True)
class Outcome:
    """How a run with a fatal unit went.

    Attributes
    ----------
    end
        ``done``, ``still running`` at the limit, or the error that ended it.
    published, reported
        Units done by a worker, and units whose report arrived.
    named
        Whether a report says which unit was given up.
    tries
        Times that a worker took up the fatal unit.
    pause_s
        Longest time without a unit done or given up, once the first was done.
    """

    engine: str
    fault: Fault
    end: str
    published: int
    reported: int
    named: bool
    tries: int
    pause_s: float


def run_trial(name: str, fault: Fault, limit_s: int) -> Outcome:
    """Run the units once in this process."""
    reports: list[UnitReport] = []
    given_up: list[float] = []
    end = "done"
    signal.signal(signal.SIGALRM, _out_of_time)
    with (
        contextlib.redirect_stdout(sys.stderr),  # Ray prints notices of its own
        tempfile.TemporaryDirectory() as scratch,
        open_engine(EngineSettings(workers=1), threads=1) as actors,
    ):
        engine: Engine = actors
        if name in RAY_DATA:
            from ray_data_engine import RayDataEngine

            engine = RayDataEngine(1, **RAY_DATA[name])
        units = cut([Item(f"m{number}") for number in range(UNITS)], 1)
        signal.alarm(limit_s)
        try:
            for report in engine.run(units, partial(MortalWorker, Path(scratch), fault), on_gpu=False):
                reports.append(report)
                given_up += [time.monotonic()] * len(report.failures)
        except TimeoutError:
            end = "still running"
        except Exception as error:  # noqa: BLE001 - how it ends is what is asked
            end = type(error).__name__
        signal.alarm(0)
        published = [float(path.read_text()) for path in Path(scratch).glob("m*")]
        tries = len((Path(scratch) / TRIES).read_text().split())
    moments = sorted(published + given_up + ([] if end == "done" else [time.monotonic()]))
    return Outcome(
        engine=name,
        fault=fault,
        end=end,
        published=len(published),
        reported=len(reports),
        named=bool(given_up),
        tries=tries,
        pause_s=max(after - before for before, after in pairwise(moments)),
    )


def _out_of_time(number: int, frame: FrameType | None) -> None:
    raise TimeoutError


def to_markdown(outcomes: Sequence[Outcome], limit_s: int) -> str:
    """Return a table of the outcomes."""
    lines = [
        f"{UNITS} units of {SECONDS_A_UNIT} s, one worker, limit {limit_s} s",
        "",
        "| engine | worker is | end | published | reported | unit named | its tries | longest pause s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {outcome.engine} | {outcome.fault} | {outcome.end} | {outcome.published} | {outcome.reported} | "
        f"{'yes' if outcome.named else 'no'} | {outcome.tries} | {outcome.pause_s:.1f} |"
        for outcome in outcomes
    ]
    return "\n".join(lines)


def main(
    limit: Annotated[int, typer.Option(help="Seconds after which a run counts as hung.")] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcomes as JSON.")] = False,
) -> None:
    """Kill workers and print what becomes of the run."""
    outcomes = []
    for name in ENGINES:
        for fault in FAULTS:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                outcomes.append(pool.submit(run_trial, name, fault, limit).result())
            typer.echo(str(outcomes[-1]), err=True)
    typer.echo(
        json.dumps([asdict(outcome) for outcome in outcomes], indent=1)
        if as_json
        else to_markdown(outcomes, limit)
    )


if __name__ == "__main__":
    typer.run(main)
