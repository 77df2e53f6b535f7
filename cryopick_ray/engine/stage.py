"""A stage on its own: its units go to an engine, its reports to a listener."""

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
        Units to process.
    make_worker
        Makes a worker; called in the worker's process.
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
    """Process all parts on the same workers, as one progress line; yield reports with their part's name.

    Closed early, or on an interrupt, the workers publish what they have.
    """
    done = sum(part.done for part in parts.values())
    left = {key: part for key, part in parts.items() if part.units}
    events.stage(name, done + sum(len(unit.items) for part in left.values() for unit in part.units), done)
    if not left:
        return
    with engine.open_session(
        [WorkerKind(key, part.make_worker, part.on_gpu) for key, part in left.items()]
    ) as session:
        for key, part in left.items():
            session.add(key, part.units)
        session.finish()
        while session.unfinished:
            for key, report in session.reports(PULSE_SECONDS):
                events.report(name, report)
                if key in left:
                    yield key, report
