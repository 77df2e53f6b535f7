"""One stage alone: units to an engine, what it reports to a listener."""

from collections.abc import Callable, Sequence
from contextlib import closing

from cryopick_ray.engine.engine import Engine
from cryopick_ray.engine.events import Events
from cryopick_ray.engine.unit import ItemT, Worker, WorkUnit


def run_stage(
    name: str,
    units: Sequence[WorkUnit[ItemT]],
    make_worker: Callable[[], Worker[ItemT]],
    engine: Engine,
    events: Events,
    *,
    done: int = 0,
) -> list[tuple[str, str]]:
    """Run all units on CPUs; return ids and reasons of what failed.

    Left early, by an interrupt, too, the engine's workers publish what they have.

    Parameters
    ----------
    done
        Micrographs that were done before.
    """
    failures: list[tuple[str, str]] = []
    events.stage(name, done + sum(len(unit.items) for unit in units), done)
    with closing(engine.run(units, make_worker, on_gpu=False)) as reports:
        for report in reports:
            events.report(name, report)
            failures.extend(report.failures)
    return failures
