"""A stage's record: what it took over several passes, beside the least that this machine could take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from cryopick_ray.bench.stopwatch import TimedPart


@dataclass(frozen=True)
class Limits:
    """What this machine reaches, measured with the threads and the device in use.

    Attributes
    ----------
    bytes_per_s
        Copying a large array: bytes read plus bytes written, by route (``memory``, ``device``, ``link``).
    flops_per_s
        A large convolution in the precision in use.
    """

    bytes_per_s: Mapping[str, float]
    flops_per_s: float


@dataclass(frozen=True)
class StageRecord:
    """One stage of the way of a micrograph.

    Attributes
    ----------
    seconds, least_seconds
        Median and least over the passes.
    cpu_seconds
        Median CPU time of all threads.
    busy_seconds
        Least over the passes of :attr:`~cryopick_ray.bench.stopwatch.TimedPart.busy_seconds`.
    bytes, flops
        Bytes it must read and write at least, arithmetic it did; zero where unknown or none.
    bytes_per_s, flops_per_s
        Reached in ``busy_seconds``.
    bound
        Which limit decides: ``memory``, ``device``, ``link``, ``convolution``; ``None`` without any amount.
    share
        Of that limit, reached in ``busy_seconds``.
    """

    name: str
    seconds: float
    least_seconds: float
    cpu_seconds: float
    busy_seconds: float
    bytes: int = 0
    flops: int = 0
    bytes_per_s: float = 0.0
    flops_per_s: float = 0.0
    bound: str | None = None
    share: float | None = None


def stages(
    passes: Sequence[Mapping[str, TimedPart]], counted: Mapping[str, TimedPart], limits: Limits
) -> list[StageRecord]:
    """Return the stages of several passes over one micrograph.

    Parameters
    ----------
    passes
        The parts of each timed pass.
    counted
        Those of a pass that was counted, not timed.
    """
    return [
        _stage(name, [pass_[name] for pass_ in passes], counted[name].flops, limits) for name in passes[0]
    ]


def _stage(name: str, parts: Sequence[TimedPart], flops: int, limits: Limits) -> StageRecord:
    busy = min(part.busy_seconds for part in parts)
    amount = parts[0].bytes
    bound, share = roofline(busy, amount, parts[0].route, flops, limits)
    return StageRecord(
        name,
        median(part.seconds for part in parts),
        min(part.seconds for part in parts),
        median(part.cpu_seconds for part in parts),
        busy,
        amount,
        flops,
        _rate(amount, busy),
        _rate(flops, busy),
        bound,
        share,
    )


def roofline(
    seconds: float, amount: int, route: str, flops: int, limits: Limits
) -> tuple[str | None, float | None]:
    """Return the limit that decides and the share of it that was reached.

    Williams, Waterman & Patterson (2009), Commun. ACM 52(4):65: work can be no quicker than the slower
    of its traffic at full bandwidth and its arithmetic at full speed.

    Parameters
    ----------
    seconds
        What the work took.
    amount, route
        Bytes that it moves, and where.
    flops
        Its arithmetic.
    """
    ideal = {route: amount / limits.bytes_per_s[route], "convolution": flops / limits.flops_per_s}
    bound = max(ideal, key=lambda name: ideal[name])
    if ideal[bound] == 0 or seconds <= 0:
        return None, None
    return bound, ideal[bound] / seconds


def _rate(amount: int, seconds: float) -> float:
    return amount / seconds if seconds > 0 else 0.0
