"""Rates and amounts to hours and bytes; pure."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from cryopick_ray.errors import UsageError

Bound = Literal["reading", "computing", "writing"]


@dataclass(frozen=True)
class StageRates:
    """What one micrograph costs, on average.

    Attributes
    ----------
    source_bytes, store_bytes, picks_bytes
        Its file, its array in the store, and its part of a shard of picks.
    candidates
        Found in it.
    ingest_s, pick_s
        Seconds that one worker takes.
    cpu_s
        CPU seconds of both.
    on_gpu
        Whether ``pick_s`` is that of a worker with a GPU.
    """

    source_bytes: float
    store_bytes: float
    picks_bytes: float
    candidates: float
    ingest_s: float
    pick_s: float
    cpu_s: float
    on_gpu: bool

    def scaled(self, source_bytes: float) -> "StageRates":
        """Return the rates of a micrograph of another size: all in proportion to its file."""
        factor = source_bytes / self.source_bytes
        amounts = {
            field.name: factor * getattr(self, field.name) for field in fields(self) if field.name != "on_gpu"
        }
        return StageRates(**amounts, on_gpu=self.on_gpu)


@dataclass(frozen=True)
class Machines:
    """Who does the work.

    Attributes
    ----------
    workers
        CPU workers.
    gpus
        GPUs, each with a worker of its own.
    bytes_per_s
        What all workers together read, and write, at most; ``None`` for no limit.
    """

    workers: int
    gpus: int = 0
    bytes_per_s: float | None = None

    def __post_init__(self) -> None:
        """Refuse machines that do nothing."""
        if self.workers < 1:
            raise UsageError(f"{self.workers} workers; expected at least 1 (`workers`)")
        if self.gpus < 0:
            raise UsageError(f"{self.gpus} GPUs; expected none or more (`gpus`)")
        if self.bytes_per_s is not None and not 0 < self.bytes_per_s < float("inf"):
            raise UsageError(
                f"a bandwidth of {self.bytes_per_s / 1e6:g} MB/s; expected more than 0 (`bandwidth_MB_s`)"
            )


@dataclass(frozen=True)
class StageCost:
    """Seconds that a stage takes at least to read, to compute and to write; they go on side by side."""

    name: str
    reading_s: float
    computing_s: float
    writing_s: float

    @property
    def bound(self) -> Bound:
        """What it waits for."""
        times: dict[Bound, float] = {
            "computing": self.computing_s,
            "reading": self.reading_s,
            "writing": self.writing_s,
        }
        return max(times, key=lambda name: times[name])

    @property
    def seconds(self) -> float:
        """What it takes."""
        return max(self.reading_s, self.computing_s, self.writing_s)


@dataclass(frozen=True)
class Estimate:
    """What a run will cost; start-up, table and report are not in it."""

    micrographs: int
    source_bytes: float
    store_bytes: float
    picks_bytes: float
    candidates: float
    cpu_hours: float
    gpu_hours: float
    stages: tuple[StageCost, ...]

    @property
    def seconds(self) -> float:
        """Wall-clock seconds: one stage follows the other."""
        return sum(stage.seconds for stage in self.stages)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON."""
        stages = [asdict(stage) | {"seconds": stage.seconds, "bound": stage.bound} for stage in self.stages]
        return asdict(self) | {"seconds": self.seconds, "stages": stages}


def estimate(micrographs: int, source_bytes: float, rates: StageRates, machines: Machines) -> Estimate:
    """Return what ``micrographs`` files of ``source_bytes`` in all will cost.

    Raises
    ------
    UsageError
        If there is nothing to do, or there are GPUs whose speed is not known.
    """
    if micrographs < 1 or not 0 < source_bytes < float("inf"):
        raise UsageError(
            f"{micrographs} micrographs of {source_bytes:g} bytes: expected at least 1 of each "
            "(`micrographs`, `bytes`)"
        )
    if machines.gpus and not rates.on_gpu:
        raise UsageError(
            "`gpus`: these rates are of a CPU; give `bench` FILE with what "
            "`cryopick bench` prints as JSON on a machine with such a GPU"
        )
    one = rates.scaled(source_bytes / micrographs)
    store_bytes, picks_bytes = micrographs * one.store_bytes, micrographs * one.picks_bytes
    pickers = max(1, machines.gpus) if rates.on_gpu else machines.workers

    def moving_s(amount: float) -> float:
        return amount / machines.bytes_per_s if machines.bytes_per_s else 0.0

    ingest_s, pick_s = micrographs * one.ingest_s, micrographs * one.pick_s
    return Estimate(
        micrographs=micrographs,
        source_bytes=source_bytes,
        store_bytes=store_bytes,
        picks_bytes=picks_bytes,
        candidates=micrographs * one.candidates,
        cpu_hours=micrographs * one.cpu_s / 3600,
        gpu_hours=pick_s / 3600 if rates.on_gpu else 0.0,
        stages=(
            StageCost("ingest", moving_s(source_bytes), ingest_s / machines.workers, moving_s(store_bytes)),
            StageCost("pick", moving_s(store_bytes), pick_s / pickers, moving_s(picks_bytes)),
        ),
    )
