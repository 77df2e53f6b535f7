"""One stage alone: units to an engine, what it reports to a listener."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryopick_ray.engine.engine import PULSE_SECONDS, Engine, WorkerKind
from cryopick_ray.engine.events import Events
from cryopick_ray.engine.unit import UnitReport, Worker, WorkUnit


@dataclass(frozen=True)
class StagePart:
    """A part of a stage, such as one data set of many.

    Attributes
    ----------
    units
        What is to be done.
    make_worker
        Makes a worker where it is to run.
    on_gpu
        Whether its workers take GPUs, where there are any.
    done
        Micrographs that were done before.
    """

    units: Sequence[WorkUnit[Any]]
    make_worker: Callable[[], Worker[Any]]
    on_gpu: bool = False
    done: int = 0


def run_stage(
    name: str, parts: Mapping[str, StagePart], engine: Engine, events: Events
) -> Generator[tuple[str, UnitReport]]:
    """Do all parts on the same workers, under one line of progress; yield reports with their part's name.

    Closed early, or left by an interrupt, the engine's workers publish what they have.
    """
    done = sum(part.done for part in parts.values())
    left = {key: part for key, part in parts.items() if part.units}
    events.stage(name, done + sum(len(unit.items) for part in left.values() for unit in part.units), done)
    if not left:
        return
    with engine.shift(
        [WorkerKind(key, part.make_worker, part.on_gpu) for key, part in left.items()]
    ) as shift:
        for key, part in left.items():
            shift.add(key, part.units)
        shift.finish()
        while shift.unfinished:
            for key, report in shift.reports(PULSE_SECONDS):
                events.report(name, report)
                if key in left:
                    yield key, report
