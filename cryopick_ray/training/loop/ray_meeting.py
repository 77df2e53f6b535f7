"""What Ray Train's controller runs on a private Ray; it imports no torch, which would take it seconds.

The process group of the workers is joined by a file, without a port open to other machines.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import ray
import ray.train
from ray.train import backend

from cryopick_ray.errors import CryoPickError

train: Any = ray.train  # its type hints are those of its first version
ray_backend: Any = backend
SHUTDOWN_SECONDS = 30.0
"""For the workers to leave their group, before they are ended."""


class OwnErrorsEnd(train.UserCallback):  # type: ignore[misc]
    """Ends a training at an error of the program, which starting again would not mend."""

    def after_exception(self, run_context: Any, worker_exceptions: dict[int, Exception]) -> None:
        """Raise the program's own error: Ray does not try again after one in a callback."""
        for error in worker_exceptions.values():
            if isinstance(error, CryoPickError):
                raise error


class LoopbackBackend(ray_backend.Backend):  # type: ignore[misc]
    """Forms the process group of one machine by a file: torch's own way listens to other machines."""

    share_cuda_visible_devices = True

    def on_start(self, worker_group: Any, backend_config: Any) -> None:
        """Form the group."""
        meeting = Path(backend_config.folder, f"meeting-{uuid4().hex}").as_uri()
        size = len(worker_group)
        ray.get(
            [
                worker_group.execute_single_async(rank, _join, backend_config.backend, rank, size, meeting)
                for rank in range(size)
            ]
        )

    def on_shutdown(self, worker_group: Any, backend_config: Any) -> None:
        """Leave the group."""
        left = worker_group.execute_async(_leave, together=len(worker_group) > 1)
        ray.wait(left, num_returns=len(left), timeout=SHUTDOWN_SECONDS)


@dataclass
class LoopbackConfig(ray_backend.BackendConfig):  # type: ignore[misc]
    """Process group of a private Ray, formed in its folder.

    Attributes
    ----------
    backend
        What carries messages within the group; the trainer chooses it.
    """

    folder: str = ""
    backend: str | None = None

    @property
    def backend_cls(self) -> type[LoopbackBackend]:
        """Return what forms the group."""
        return LoopbackBackend

    @property
    def train_func_context(self) -> Any:
        """Return what chooses a worker's GPU."""
        return _torch_config().TorchConfigContextManager


def _torch_config() -> Any:
    """Return Ray's module of process groups; it imports torch."""
    import ray.train.torch.config

    return ray.train.torch.config


def _join(backend: str, rank: int, size: int, meeting: str) -> None:
    """Join the group, as a worker."""
    config = _torch_config()
    config._set_torch_distributed_env_vars()
    config._setup_torch_process_group(backend, rank, size, meeting)


def _leave(*, together: bool) -> None:
    """Leave the group, as a worker."""
    _torch_config()._shutdown_torch(destroy_process_group=together)
