"""How the workers of a private Ray find each other: no other machine is listened to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import ray
import ray.train.torch.config

ray_torch: Any = ray.train.torch.config


class LoopbackBackend(ray_torch._TorchBackend):  # type: ignore[misc]
    """Brings the workers of one machine together by a file: torch's own way listens to other machines."""

    def on_start(self, worker_group: Any, backend_config: Any) -> None:
        """Form the group."""
        worker_group.execute(ray_torch._set_torch_distributed_env_vars)
        meeting = Path(backend_config.folder, f"meeting-{uuid4().hex}").as_uri()
        on_gpu = worker_group.get_resources_per_worker().get("GPU", 0) > 0
        ray.get(
            [
                worker_group.execute_single_async(
                    rank,
                    ray_torch._setup_torch_process_group,
                    backend="nccl" if on_gpu else "gloo",
                    world_rank=rank,
                    world_size=len(worker_group),
                    init_method=meeting,
                    timeout_s=backend_config.timeout_s,
                )
                for rank in range(len(worker_group))
            ]
        )


@dataclass
class LoopbackConfig(ray_torch.TorchConfig):  # type: ignore[misc]
    """How the workers of a private Ray, whose folder this is, come together."""

    folder: str = ""

    @property
    def backend_cls(self) -> type[LoopbackBackend]:
        """Return what forms the group."""
        return LoopbackBackend
