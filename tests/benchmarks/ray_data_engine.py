"""The engine that was not chosen: Ray Data's actor pool over rows of units, to be measured against ours."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import ray.data
from ray.data import ActorPoolStrategy, DataContext

from cryopick_ray.engine.ray_pool import IN_FLIGHT
from cryopick_ray.engine.unit import ItemT, UnitReport, Worker, WorkUnit


class _Call:
    """The callable class that ``map_batches`` wants: makes its worker where it runs."""

    def __init__(self, make_worker: Callable[[], Worker[Any]]) -> None:
        self._worker = make_worker()

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[UnitReport]]:
        return {"report": [self._worker.process(unit.items) for unit in batch["unit"]]}


class RayDataEngine:
    """Runs units as one-row blocks through ``map_batches``, in a Ray that is up already.

    Parameters
    ----------
    workers
        Actors, from the start to the end.
    max_errored_blocks
        Blocks that may fail before the run stops; -1 for any number.
    actor_options
        ``max_restarts`` and ``max_task_retries``; Ray Data's own are -1, again and again.
    """

    def __init__(
        self, workers: int, *, max_errored_blocks: int = 0, actor_options: dict[str, Any] | None = None
    ) -> None:
        self._workers = workers
        self._max_errored_blocks = max_errored_blocks
        self._actor_options = actor_options or {}

    def run(
        self, units: Sequence[WorkUnit[ItemT]], make_worker: Callable[[], Worker[ItemT]], *, on_gpu: bool
    ) -> Iterator[UnitReport]:
        """Yield a report for each unit as it ends."""
        del on_gpu  # the CPU is measured
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        context = DataContext.get_current()
        context.enable_progress_bars = False
        context.max_errored_blocks = self._max_errored_blocks
        rows = ray.data.from_items([{"unit": unit} for unit in units], override_num_blocks=len(units))
        reports = rows.map_batches(
            _Call,
            batch_size=1,
            fn_constructor_args=(make_worker,),
            compute=ActorPoolStrategy(size=self._workers, max_tasks_in_flight_per_actor=IN_FLIGHT),
            num_cpus=1,
            **self._actor_options,
        )
        for row in reports.iter_rows():
            yield row["report"]
