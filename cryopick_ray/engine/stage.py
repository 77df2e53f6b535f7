"""One stage of a run: units to an engine, what it reports to a listener."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from cryopick_ray.engine.events import Events
from cryopick_ray.engine.unit import Engine, ItemT, Worker, WorkUnit


@dataclass(frozen=True)
class Outcome:
    """What a stage came to: ids and reasons of failed micrographs, ids of those damaged in the store."""

    failures: list[tuple[str, str]] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


def run_stage(
    name: str,
    units: Sequence[WorkUnit[ItemT]],
    make_worker: Callable[[], Worker[ItemT]],
    engine: Engine,
    events: Events,
    *,
    on_gpu: bool,
) -> Outcome:
    """Run all units; left early, by an interrupt, too, the engine's workers publish what they have."""
    outcome = Outcome()
    events.stage(name, sum(len(unit.items) for unit in units))
    with closing(engine.run(units, make_worker, on_gpu=on_gpu)) as reports:
        for report in reports:
            events.report(report)
            outcome.failures.extend(report.failures)
            outcome.damaged.extend(report.damaged)
    return outcome
