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
    from cryopick_ray.config import EngineSettings
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
        CPU threads of a worker.
    """

    engine: "EngineSettings"
    workers: tuple[int, int] | None
    threads: int


def learning_options(
    engine: str | None, workers: str | None, threads: int | None, device: str | None, address: str | None
) -> LearningOptions:
    """Check what a person gave."""
    from cryopick_ray.config import EngineSettings, fill
    from cryopick_ray.errors import UsageError

    settings = fill(EngineSettings, engine=engine, device=device, address=address)
    wanted = None
    if workers is not None:
        ends = workers.split(",")
        if not all(end.isdigit() for end in ends) or not 1 <= int(ends[0]) <= int(ends[-1]) or len(ends) > 2:
            raise UsageError(f"--workers is {workers!r}: expected a number or LO,HI, such as 4 or 2,8")
        wanted = int(ends[0]), int(ends[-1])
    if settings.engine == "serial" and wanted not in (None, (1, 1)):
        raise UsageError(f"--workers is {workers!r}, and --engine serial has one; use --engine ray")
    share = max(1, (os.cpu_count() or 1) // (wanted[1] if wanted else 1))
    return LearningOptions(settings, wanted, threads or share)


def means(
    learning: LearningOptions, precision: Literal["auto", "float32", "bfloat16"], events: ConsoleEvents
) -> "Means":
    """Return what trainings are run with."""
    import torch

    from cryopick_ray.training.course import Means

    torch.set_num_threads(learning.threads)
    device = learning.engine.device
    on_gpu = device == "cuda" or (device == "auto" and _has_gpu(learning))
    return Means(
        train=_trainer(learning, on_gpu=on_gpu),
        device=device,
        precision=("bfloat16" if on_gpu else "float32") if precision == "auto" else precision,
        on_epoch=events.epoch,
        events=events,
    )


def _trainer(learning: LearningOptions, *, on_gpu: bool) -> "Trainer":
    if learning.engine.engine == "serial":
        from cryopick_ray.pickers.device import usable_device
        from cryopick_ray.training.alone import train_alone

        return partial(_alone, train_alone, usable_device("cuda" if on_gpu else "cpu"))
    from cryopick_ray.engine.ray_engine import gpu_count
    from cryopick_ray.training.ray_train import train_on_ray

    count = gpu_count() if on_gpu else 1
    return partial(
        _together,
        partial(
            train_on_ray,
            workers=learning.workers or (count, count),
            threads=learning.threads,
            device="cuda" if on_gpu else "cpu",
        ),
    )


def _alone(train: Callable[..., Any], device: Any, job: Any, folder: Path, on_epoch: Any) -> Any:
    return train(job, folder, device, on_epoch)


def _together(train: Callable[..., Any], job: Any, folder: Path, on_epoch: Any) -> Any:
    return train(job, folder, on_epoch=on_epoch)


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
    if isinstance(data.get("start"), str):
        data = data | {"start": options.absolute_model(data["start"])}
    return data


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
