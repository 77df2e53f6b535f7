"""The Ray engine: workers as actors, a GPU or a stated share of CPUs each."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

import ray

from cryopick_ray.engine.engine import Engine, WorkerKind
from cryopick_ray.engine.ray_pool import RayPool
from cryopick_ray.engine.ray_private import private_ray
from cryopick_ray.engine.ray_shift import RayShift
from cryopick_ray.engine.sizing import PoolSize
from cryopick_ray.errors import EngineError

CONNECT_SECONDS = 10.0
ROUNDING = 1e-6
"""Of thirds of a GPU."""


def gpu_count() -> int:
    """Return how many GPUs the Ray that this process has joined offers."""
    return int(ray.cluster_resources().get("GPU", 0))


class RayEngine(Engine):
    """Runs units on a pool of actors that follows the cluster as nodes come and go.

    A context manager: it starts a private Ray on this machine, or joins the cluster at ``address``,
    and leaves it at the end.

    Parameters
    ----------
    size
        Actors wanted.
    threads
        CPUs an actor takes when it has no GPU.
    gpus_per_worker
        GPUs an actor takes when the cluster has any and its work wants one; fractions share a GPU.
    wants_gpus
        Wait for GPUs even if the cluster at ``address`` has none yet: it may grow.
    address
        A Ray cluster to join; ``None`` for this machine alone.
    """

    def __init__(
        self, *, size: PoolSize, threads: int, gpus_per_worker: float, wants_gpus: bool, address: str | None
    ) -> None:
        self._size = size
        self._threads = threads
        self._gpus_per_worker = gpus_per_worker
        self._wants_gpus = wants_gpus
        self._address = address
        self._owns_ray = False
        self._ray = ExitStack()

    def __enter__(self) -> RayEngine:
        """Start or join Ray, unless this process already has."""
        if not ray.is_initialized():
            _check_reachable(self._address)
            # Ray would otherwise warn that it empties CUDA_VISIBLE_DEVICES of actors without a GPU.
            os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
            try:
                with _same_sigterm():
                    self._ray.enter_context(
                        _joined_ray(self._address) if self._address else private_ray(self._cpus())
                    )
            except EngineError:
                raise
            except Exception as error:
                where = f"the Ray cluster at {self._address} (`address`)" if self._address else "Ray"
                raise EngineError(f"{where} cannot be reached: {error}; or use `engine` serial") from error
            self._owns_ray = True
        return self

    def __exit__(self, *_: object) -> None:
        """Leave Ray as it was found."""
        self._ray.close()

    @property
    def has_gpus(self) -> bool:
        """Whether the cluster has a GPU, or shall have one."""
        return gpu_count() > 0 or (self._wants_gpus and self._address is not None)

    def shift(self, kinds: Sequence[WorkerKind]) -> RayShift:
        """Bring actors together; a unit that kills its workers is given up."""
        pools: dict[bool, RayPool] = {}
        for on_gpu in (False, True):
            if own := [kind for kind in kinds if (kind.on_gpu and self.has_gpus) == on_gpu]:
                resources = self._resources(on_gpu=on_gpu)
                pools[on_gpu] = RayPool(own, resources, self._size, partial(self._room, resources))
        return RayShift({kind.name: pools[kind.on_gpu and self.has_gpus] for kind in kinds})

    def _cpus(self) -> int:
        """Return the CPUs a private Ray offers: at least what the wanted workers take."""
        return max(os.cpu_count() or 1, (self._size.most or 1) * self._threads)

    def _resources(self, *, on_gpu: bool) -> dict[str, float]:
        if on_gpu:
            return {"num_gpus": self._gpus_per_worker, "num_cpus": 0}
        return {"num_gpus": 0, "num_cpus": self._threads}

    def _room(self, resources: dict[str, float], have: int) -> int:
        """Return how many more actors there is a place for.

        A Ray of our own is free for us, though it may not know yet that earlier actors have gone.
        """
        kind = "GPU" if resources["num_gpus"] else "CPU"
        share = resources[f"num_{kind.lower()}s"]
        is_own = self._owns_ray and self._address is None
        free = ray.cluster_resources() if is_own else ray.available_resources()
        return int(free.get(kind, 0.0) / share + ROUNDING) - (have if is_own else 0)


@contextmanager
def _joined_ray(address: str) -> Iterator[None]:
    """Join a cluster, with the token of the environment or the home folder, and leave it."""
    ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _same_sigterm() -> Iterator[None]:
    """Keep the program's answer to SIGTERM: Ray puts its own in place, which ends the process at once."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _check_reachable(address: str | None) -> None:
    """Refuse an address where nobody listens; Ray would try it for ten minutes."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if not (host and port.isdigit()):
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise EngineError(
            f"nobody answers at `address` {address} ({error}); start Ray there, or leave `address` out"
        ) from error
