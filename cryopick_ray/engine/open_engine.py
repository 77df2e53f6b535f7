"""The engine that the settings ask for."""

from collections.abc import Iterator
from contextlib import contextmanager

from cryopick_ray.engine.engine import Engine
from cryopick_ray.engine.serial import SerialEngine
from cryopick_ray.settings.engine_settings import EngineSettings


@contextmanager
def open_engine(settings: EngineSettings, *, threads: int) -> Iterator[Engine]:
    """Start the engine and end it.

    Parameters
    ----------
    threads
        CPU threads of one worker.
    """
    if settings.engine == "serial":
        yield SerialEngine()
        return
    from cryopick_ray.engine.ray_engine import RayEngine
    from cryopick_ray.engine.sizing import PoolSize

    with RayEngine(
        size=PoolSize(*settings.workers) if settings.workers else PoolSize(),
        threads=threads,
        gpus_per_worker=settings.gpus_per_worker,
        wants_gpus=settings.device == "cuda",
        address=settings.address,
    ) as engine:
        yield engine
