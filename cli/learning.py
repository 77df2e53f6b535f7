"""What ``train`` and ``refine`` share: where networks learn, and how it looks."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from . import options
from .console import ConsoleEvents

if TYPE_CHECKING:
    from cryopick_ray.settings import EngineSettings
    from cryopick_ray.training.course import Means, Trainer


@dataclass(frozen=True)
class LearningOptions:
    """Where networks learn.

    Attributes
    ----------
    engine
        Runs everything but the learning.
    workers
        Least and most workers; ``None`` for one per GPU.
    threads
        CPU threads of a worker; ``None`` for its share of what there is.
    """

    engine: "EngineSettings"
    workers: tuple[int, int] | None
    threads: int | None


def learning_options(
    engine: str | None, workers: str | None, threads: int | None, device: str | None, address: str | None
) -> LearningOptions:
    """Check what a person gave."""
    from cryopick_ray.config import fill
    from cryopick_ray.errors import UsageError
    from cryopick_ray.settings import EngineSettings

    wanted = fill(EngineSettings, workers=workers).workers
    settings = fill(EngineSettings, engine=engine, device=device, address=address)
    if settings.engine == "serial" and wanted not in (None, (1, 1)):
        raise UsageError(f"--workers is {workers!r}, and --engine serial has one; use --engine ray")
    return LearningOptions(settings, wanted, threads)


def means(
    learning: LearningOptions, precision: Literal["auto", "float32", "bfloat16"], events: ConsoleEvents
) -> "Means":
    """Return what trainings are run with, on the engine that is open."""
    from cryopick_ray.training.course import Means

    device = learning.engine.device
    on_gpu = device == "cuda" or (device == "auto" and _has_gpu(learning))
    return Means(
        train=_trainer(learning, on_gpu=on_gpu),
        device=device,
        precision=("bfloat16" if on_gpu else "float32") if precision == "auto" else precision,
        listener=events,
        events=events,
    )


def _trainer(learning: LearningOptions, *, on_gpu: bool) -> "Trainer":
    import torch

    if learning.engine.engine == "serial":
        from cryopick_ray.pickers.device.choice import usable_device
        from cryopick_ray.training.alone import train_alone

        torch.set_num_threads(learning.threads or _own_cpus())
        return partial(_alone, train_alone, usable_device("cuda" if on_gpu else "cpu"))
    from cryopick_ray.engine.ray_engine import gpu_count
    from cryopick_ray.training.ray_train import check_room, most_threads, train_on_ray

    count = max(gpu_count(), 1) if on_gpu else 1
    workers = learning.workers or (count, count)
    if learning.engine.address:
        share = most_threads(workers[1], on_gpu=on_gpu)
    else:
        share = max(1, _own_cpus() // workers[1])
    threads = learning.threads or share
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


def _has_gpu(learning: LearningOptions) -> bool:
    if learning.engine.engine == "serial":
        import torch

        return bool(torch.cuda.is_available())
    from cryopick_ray.engine.ray_engine import gpu_count

    return gpu_count() > 0


def rooted(data: dict[str, Any]) -> dict[str, Any]:
    """Return settings whose paths mean the same from any folder."""
    sets = data.get("data")
    if isinstance(sets, list):
        data = data | {"data": [_rooted(one) if isinstance(one, dict) else one for one in sets]}
    groups = data.get("simulated")
    if isinstance(groups, list):
        data = data | {"simulated": [_with_files(one) if isinstance(one, dict) else one for one in groups]}
    if isinstance(data.get("start"), str):
        data = data | {"start": options.absolute_model(data["start"])}
    return data


def _with_files(group: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(names := group.get("molecules"), list):
        return group
    return group | {"molecules": [options.absolute_model(str(name)) for name in names]}


def _rooted(one: dict[str, Any]) -> dict[str, Any]:
    paths: dict[str, Any] = {
        name: options.absolute(str(one[name])) for name in ("labels", "false_labels") if one.get(name)
    }
    inputs = one.get("micrographs")
    if isinstance(inputs, str):
        inputs = [inputs]
    if isinstance(inputs, list):
        paths["micrographs"] = [options.absolute(str(text)) for text in inputs]
    return one | paths
