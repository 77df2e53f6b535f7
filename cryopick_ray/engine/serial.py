"""The serial engine: the reference, and the debugger's friend."""

from collections.abc import Callable, Generator, Sequence

from cryopick_ray.engine.unit import ItemT, UnitReport, Worker, WorkUnit


class SerialEngine:
    """Runs every unit in this process, in order."""

    @property
    def has_gpus(self) -> bool:
        """Whether this machine has a GPU."""
        import torch

        return torch.cuda.is_available()

    def run(
        self, units: Sequence[WorkUnit[ItemT]], make_worker: Callable[[], Worker[ItemT]], *, on_gpu: bool
    ) -> Generator[UnitReport]:
        """Yield a report for each unit as it ends."""
        del on_gpu  # the worker's own device decides
        if units:
            worker = make_worker()
            for unit in units:
                yield worker.process(unit.items)
