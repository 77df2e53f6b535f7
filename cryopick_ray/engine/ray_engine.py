"""The Ray engine: workers as actors, a GPU or a stated share of CPUs each."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from cryopick_ray.engine.plan import after_death, cut
from cryopick_ray.engine.unit import ItemT, UnitReport, Worker, WorkUnit
from cryopick_ray.errors import CryoPickError, EngineError

IN_FLIGHT = 2
"""Units an actor holds: one to work on, one so that it never waits for the driver."""
DEATHS_IN_A_ROW = 10
"""Workers that may die with nothing finished between them before the run stops."""
FAILED_STARTS = 2
"""The same for workers that die before their first unit: more likely a fault than bad luck."""
CONNECT_SECONDS = 10.0
OBJECT_STORE_BYTES = 100 * 2**20
"""Ids and reports only; the default would claim a third of the memory."""


def gpu_count() -> int:
    """Return how many GPUs the Ray that this process has joined offers."""
    return int(ray.cluster_resources().get("GPU", 0))


class _Host:
    """The actor: makes its worker where it runs."""

    def __init__(self, make_worker: Callable[[], Worker[Any]]) -> None:
        self._worker = make_worker()

    def ready(self) -> None:
        """Answer once the worker is made."""

    def process(self, items: Sequence[Any]) -> UnitReport:
        return self._worker.process(items)

    def again(self, items: Sequence[Any], reason: str) -> UnitReport:
        """Do, or with a reason give up, what the worker that died had not published yet."""
        left = [items[position] for position in self._worker.unpublished(items)]
        done = UnitReport(complete=len(items) - len(left))
        if not left:
            return done
        report = self._worker.give_up(left, reason) if reason else self._worker.process(left)
        return replace(report, complete=report.complete + done.complete)


@dataclass(frozen=True)
class _Job:
    """A unit to process; ``again`` after its worker died, or with a ``reason`` to give up."""

    unit: WorkUnit[Any]
    again: bool = False
    reason: str = ""

    def start(self, actor: Any) -> Any:
        """Send the job to ``actor`` and return the reference of its report."""
        items = self.unit.items
        return actor.again.remote(items, self.reason) if self.again else actor.process.remote(items)


@dataclass(frozen=True)
class _Call:
    """A call under way: a job, or ``None`` while its actor starts."""

    actor: Any
    job: _Job | None


class RayEngine:
    """Runs units on a pool of actors that is kept at its size as actors die.

    A context manager: it starts a private Ray on this machine, or joins the cluster at ``address``,
    and leaves it at the end.

    Parameters
    ----------
    workers
        Actors wanted; ``None`` for as many as the cluster has room for.
    threads
        CPUs an actor takes when it has no GPU.
    gpus_per_worker
        GPUs an actor takes when the cluster has any and its work wants one; fractions share a GPU.
    address
        A Ray cluster to join; ``None`` for this machine alone.
    """

    def __init__(
        self, *, workers: int | None, threads: int, gpus_per_worker: float, address: str | None
    ) -> None:
        self._workers = workers
        self._threads = threads
        self._gpus_per_worker = gpus_per_worker
        self._address = address
        self._owns_ray = False

    def __enter__(self) -> RayEngine:
        """Start or join Ray, unless this process already has."""
        if not ray.is_initialized():
            _check_reachable(self._address)
            # Ray would otherwise warn that it empties CUDA_VISIBLE_DEVICES of actors without a GPU.
            os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
            local: dict[str, Any] = {"object_store_memory": OBJECT_STORE_BYTES, "num_cpus": self._cpus()}
            try:
                with _same_sigterm():
                    ray.init(
                        address=self._address or "local",
                        include_dashboard=None if self._address else False,
                        log_to_driver=False,
                        logging_level=logging.ERROR,
                        **({} if self._address else local),
                    )
            except Exception as error:
                where = f"the Ray cluster at {self._address} (--address)" if self._address else "Ray"
                raise EngineError(f"{where} cannot be reached: {error}; or use --engine serial") from error
            self._owns_ray = True
        return self

    def __exit__(self, *_: object) -> None:
        """Leave Ray as it was found."""
        if self._owns_ray:
            ray.shutdown()

    @property
    def has_gpus(self) -> bool:
        """Whether the cluster has a GPU."""
        return gpu_count() > 0

    def run(
        self, units: Sequence[WorkUnit[ItemT]], make_worker: Callable[[], Worker[ItemT]], *, on_gpu: bool
    ) -> Iterator[UnitReport]:
        """Yield a report for each unit as it ends; a unit that kills its workers is given up."""
        if not units:
            return
        resources = self._resources(on_gpu=on_gpu)
        remote: Any = ray.remote  # its overloads cannot take resources from a dict
        host = remote(**resources)(_Host)
        pool = _Pool(lambda: host.remote(make_worker), units)
        try:
            yield from pool.drain(size=min(self._pool_size(resources), len(units)))
        finally:
            pool.close()

    def _cpus(self) -> int:
        """Return the CPUs a private Ray offers: at least what the wanted workers take."""
        return max(os.cpu_count() or 1, (self._workers or 1) * self._threads)

    def _resources(self, *, on_gpu: bool) -> dict[str, float]:
        if on_gpu and self.has_gpus:
            return {"num_gpus": self._gpus_per_worker, "num_cpus": 0}
        return {"num_gpus": 0, "num_cpus": self._threads}

    def _pool_size(self, resources: dict[str, float]) -> int:
        kind, share = (
            ("GPU", resources["num_gpus"]) if resources["num_gpus"] else ("CPU", resources["num_cpus"])
        )
        return self._workers or max(1, int(ray.cluster_resources().get(kind, 1) / share))


class _Pool:
    """Actors with the jobs they hold, and the jobs that wait.

    An actor lives as long as a call of it is under way, so those without work give up their place.
    """

    def __init__(self, make_actor: Callable[[], Any], units: Sequence[WorkUnit[Any]]) -> None:
        self._make_actor = make_actor
        self._waiting = deque(_Job(unit) for unit in units)
        self._calls: dict[Any, _Call] = {}
        self._deaths: Counter[WorkUnit[Any]] = Counter()
        self._deaths_in_a_row = 0

    def drain(self, size: int) -> Iterator[UnitReport]:
        """Yield reports until no job is left."""
        for _ in range(size):
            self._hire()
        while self._waiting or any(call.job for call in self._calls.values()):
            ready, _ = ray.wait(list(self._calls), num_returns=1)
            call = self._calls[ready[0]]
            try:
                report = ray.get(ready[0])
            except RayTaskError as error:
                raise _readable(error) from error
            except RayError as error:
                self._bury(call.actor, error)
                continue
            del self._calls[ready[0]]
            self._deaths_in_a_row = 0
            self._feed(call.actor, wanted=1 if call.job else IN_FLIGHT)
            if report is not None:
                yield report

    def close(self) -> None:
        """Let all actors go."""
        for actor in {call.actor for call in self._calls.values()}:
            ray.kill(actor)
        self._calls.clear()

    def _hire(self) -> None:
        actor = self._make_actor()
        self._calls[actor.ready.remote()] = _Call(actor, None)

    def _feed(self, actor: Any, wanted: int) -> None:
        for _ in range(min(wanted, len(self._waiting))):
            job = self._waiting.popleft()
            self._calls[job.start(actor)] = _Call(actor, job)

    def _bury(self, actor: Any, error: RayError) -> None:
        """Replace a dead actor; its oldest job is the suspect, the others go back to the queue."""
        held = [ref for ref, call in self._calls.items() if call.actor == actor]
        jobs = [job for ref in held if (job := self._calls.pop(ref).job)]
        self._deaths_in_a_row += 1
        if self._deaths_in_a_row > (DEATHS_IN_A_ROW if jobs else FAILED_STARTS):
            last_words = str(error).strip().rpartition("\n")[2]
            raise EngineError(f"workers keep dying; the last one: {last_words}") from error
        # A report can die with its actor: whatever it held may be published already.
        self._waiting.extendleft(replace(job, again=True) for job in reversed(jobs[1:]))
        if jobs:
            self._judge(jobs[0])
        self._hire()

    def _judge(self, job: _Job) -> None:
        unit = job.unit
        self._deaths[unit] += 1
        match after_death(unit, self._deaths[unit]):
            case "retry":
                self._waiting.append(_Job(unit, again=True))
            case "split":
                singles = cut(unit.items, 1)
                self._deaths.update(dict.fromkeys(singles, 1))
                self._waiting.extend(_Job(single, again=True) for single in singles)
            case "give up":
                reason = "it killed its worker twice (memory, or a fault in a library)"
                self._waiting.append(_Job(unit, again=True, reason=reason))


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
            f"nobody answers at --address {address} ({error}); start Ray there, or leave --address out"
        ) from error


def _readable(error: RayTaskError) -> CryoPickError:
    """Return the worker's own error, without Ray's wrapping."""
    cause = error.cause
    return cause if isinstance(cause, CryoPickError) else EngineError(f"a worker failed: {cause!r}")
