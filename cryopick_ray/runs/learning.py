"""Where networks learn: in this process, or by Ray's workers."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from cryopick_ray.engine.events import Events
from cryopick_ray.settings.base import Shown
from cryopick_ray.settings.engine_settings import EngineSettings

if TYPE_CHECKING:
    from cryopick_ray.training.loop.loop import Epoch
    from cryopick_ray.training.train_model import TrainContext, Trainer


class LearningSettings(EngineSettings):
    """Where networks learn, and where what they learned is tried."""

    workers: Annotated[tuple[int, int] | None, Shown(metavar="N|LO,HI")] = Field(
        default=None,
        description="Training workers, or at least and at most; default: one per GPU, without GPUs one.",
    )
    threads: Annotated[int | None, Shown(metavar="N")] = Field(
        default=None, ge=1, description="CPU threads of a worker; default: its share."
    )

    @model_validator(mode="after")
    def _serial_is_one(self) -> Self:
        if self.engine == "serial" and self.workers not in (None, (1, 1)):
            raise ValueError(f"`workers` is {self.workers}, and `engine` serial has one; use ray")
        return self

    @property
    def picking(self) -> EngineSettings:
        """Where everything but the learning is run: workers that learn are none that pick."""
        return EngineSettings(engine=self.engine, device=self.device, address=self.address)


class TeachingSettings(LearningSettings):
    """Where a person's marks teach: in this process, for it is a minute's work, unless Ray is asked for."""

    engine: Literal["ray", "serial"] = Field(
        default="serial",
        description="Who runs the work: Ray's workers, as on a cluster's GPU, or this process alone.",
    )

    @model_validator(mode="before")
    @classmethod
    def _ray_where_it_is_meant(cls, given: Any) -> Any:
        """Take Ray where a cluster or workers are given: this process has neither."""
        if isinstance(given, dict) and (given.get("address") or given.get("workers")):
            return {"engine": "ray", **given}
        return given


def train_context(
    learning: LearningSettings, precision: Literal["auto", "float32", "bfloat16"], events: Events
) -> "TrainContext":
    """Return what trainings are run with, on the engine that is open."""
    from cryopick_ray.training.loop.loop import Listener
    from cryopick_ray.training.train_model import TrainContext

    on_gpu = learning.device == "cuda" or (learning.device == "auto" and _has_gpu(learning))
    return TrainContext(
        train=_trainer(learning, on_gpu=on_gpu),
        device=learning.device,
        precision=("bfloat16" if on_gpu else "float32") if precision == "auto" else precision,
        listener=events if isinstance(events, Listener) else _Deaf(),
        events=events,
    )


class _Deaf:
    """Hears nothing of a training: who listens to the run does not ask for it."""

    def steps(self, epoch: int, done: int, total: int) -> None:
        """Do nothing."""

    def epoch(self, epoch: "Epoch") -> None:
        """Do nothing."""


def _trainer(learning: LearningSettings, *, on_gpu: bool) -> "Trainer":
    import torch

    if learning.engine == "serial":
        from cryopick_ray.pickers.device.usable_device import usable_device
        from cryopick_ray.training.loop.single_worker import train_here

        torch.set_num_threads(learning.threads or _own_cpus())
        return partial(_alone, train_here, usable_device("cuda" if on_gpu else "cpu"))
    from cryopick_ray.engine.ray_engine import gpu_count
    from cryopick_ray.training.loop.ray_train import check_room, most_threads, train_on_ray

    count = max(gpu_count(), 1) if on_gpu else 1
    workers = learning.workers or (count, count)
    alone = max(1, _own_cpus() // workers[1])
    threads = learning.threads or (most_threads(workers[1], on_gpu=on_gpu) if learning.address else alone)
    check_room(workers, threads, on_gpu=on_gpu)
    torch.set_num_threads(min(threads, _own_cpus()))  # of the driver, which tries what was learned
    return partial(
        _together,
        partial(
            train_on_ray,
            workers=workers,
            threads=threads,
            device="cuda" if on_gpu else "cpu",
        ),
    )


def _alone(train: Callable[..., Any], device: Any, job: Any, folder: Path, listener: Any) -> Any:
    return train(job, folder, device, listener)


def _together(train: Callable[..., Any], job: Any, folder: Path, listener: Any) -> Any:
    return train(job, folder, listener=listener)


def _own_cpus() -> int:
    """Return how many CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _has_gpu(learning: LearningSettings) -> bool:
    if learning.engine == "serial":
        import torch

        return bool(torch.cuda.is_available())
    from cryopick_ray.engine.ray_engine import gpu_count

    return gpu_count() > 0
