"""A pool of Ray actors that follows the cluster, outlives its nodes and ends every unit once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from cryopick_ray.engine.engine import PULSE_SECONDS, WorkerKind
from cryopick_ray.engine.nodes import Nodes
from cryopick_ray.engine.ray_host import PickHost
from cryopick_ray.engine.sizing import PoolSize, hires, keeps
from cryopick_ray.engine.stragglers import StragglerRule
from cryopick_ray.engine.unit import UnitReport
from cryopick_ray.engine.unit_queue import QueuedUnit, UnitQueue
from cryopick_ray.errors import CryoPickError, DeviceError, EngineError

IN_FLIGHT = 2
"""Units an actor holds: one to work on, one so that it never waits for the driver."""
DEATHS_IN_A_ROW = 10
"""Workers that may fail before their first unit, with none ended between them, before the run stops."""
LONELY_SECONDS = 30.0
"""Without a place for any worker before a person is told."""


@dataclass(eq=False)
class _Actor:
    """A worker's process with the jobs it holds, the first of which it has been at ``since``."""

    handle: Any
    node: str = ""
    has_started: bool = False
    has_worked: bool = False
    jobs: list[QueuedUnit] = field(default_factory=list)
    since: float = 0.0


@dataclass(frozen=True, eq=False)
class _Call:
    """A call under way: of a job, or ``None`` while its actor starts."""

    actor: _Actor
    job: QueuedUnit | None


class RayPool:
    """Actors that take the same of a node and do units of one or several kinds.

    Parameters
    ----------
    kinds
        What they do.
    resources
        What an actor takes (``num_cpus``, ``num_gpus``).
    size
        How many actors there may be.
    room
        Returns how many more actors there is a place for, given how many there are.
    """

    def __init__(
        self,
        kinds: Sequence[WorkerKind],
        resources: dict[str, float],
        size: PoolSize,
        room: Callable[[int], int],
    ) -> None:
        self._makers = {kind.name: kind.make_worker for kind in kinds}
        self._resources = resources
        self._size = size
        self._room = room
        self.jobs = UnitQueue(list(self._makers))
        self._actors: list[_Actor] = []
        self._calls: dict[Any, _Call] = {}
        self._nodes = Nodes()
        self._patience = {kind: StragglerRule() for kind in self._makers}
        self._more_may_come = True
        self._deaths_in_a_row = 0
        self._looked = self._met = time.monotonic() - PULSE_SECONDS
        self._notes: list[str] = []

    @property
    def calls(self) -> list[Any]:
        """What is under way: an answer to one of these is for :meth:`settle`."""
        return list(self._calls)

    def finish(self) -> None:
        """Let actors go that have nothing to do, from now on."""
        self._more_may_come = False

    def notes(self) -> list[str]:
        """Return what a person should know, once."""
        notes, self._notes = self._notes, []
        return notes

    def close(self) -> None:
        """Let all actors go."""
        for actor in list(self._actors):
            self._dismiss(actor)

    def leave(self) -> list[Any]:
        """Tell all workers to leave; return what to wait for until they have published what they have."""
        busy = [ref for ref, call in self._calls.items() if call.job]
        for ref in busy:
            ray.cancel(ref)
        return busy

    def look(self, now: float) -> None:
        """Now and then see whether there is room for more workers, and whether one takes too long."""
        if now - self._looked < PULSE_SECONDS:
            return
        self._looked = now
        self._hire()
        if any(actor.node for actor in self._actors) or not self.jobs.unfinished:
            self._met = now
        elif now - self._met > LONELY_SECONDS:
            self._met = now
            self._notes.append(
                f"waiting for a worker: the cluster has no room for one ({self._wants()} each)"
            )
        self._replace_hung(now)
        self._help_stragglers(now)

    def _wants(self) -> str:
        wanted = {kind.removeprefix("num_"): amount for kind, amount in self._resources.items() if amount}
        return ", ".join(f"{kind} {amount:g}" for kind, amount in wanted.items())

    def _hire(self) -> None:
        have = len(self._actors)
        starting = sum(not actor.has_started for actor in self._actors)
        count = hires(
            self._size, have=have, starting=starting, jobs=self.jobs.unfinished, room=self._room(have)
        )
        shunned = ",".join(self._nodes.shunned)
        where = {"label_selector": {"ray.io/node-id": f"!in({shunned})"}} if shunned else {}
        remote: Any = ray.remote  # its overloads cannot take resources from a dict
        for _ in range(count):
            actor = _Actor(remote(**self._resources, **where)(PickHost).remote())
            self._actors.append(actor)
            self._calls[actor.handle.where.remote()] = _Call(actor, None)

    def settle(self, ref: Any) -> tuple[str, UnitReport] | None:
        """Take an answer; return a report with its kind if it is one that counts."""
        if (call := self._calls.pop(ref, None)) is None:
            return None
        actor, job = call.actor, call.job
        try:
            answer = ray.get(ref)
        except RayTaskError as error:
            cause = readable(error)
            if job is not None and not cause.elsewhere:
                raise cause from error
            self._lose(actor, cause, blame=isinstance(cause, DeviceError))
        except RayError as error:
            last_words = str(error).strip().rpartition("\n")[2]
            cause = EngineError(f"workers keep dying; the last one: {last_words}")
            self._lose(actor, cause, blame=actor.node in _nodes())
        else:
            if job is None:
                self._welcome(actor, answer)
            elif (counted := self._end(actor, job, answer)) is not None:
                return job.kind, counted
        return None

    def _welcome(self, actor: _Actor, answer: str) -> None:
        """Let an actor make its worker, once it has said where it is; then give it work."""
        if actor.node:
            actor.has_started = True
            self._feed(actor)
        else:
            actor.node = answer
            self._calls[actor.handle.start.remote(self._makers)] = _Call(actor, None)

    def _end(self, actor: _Actor, job: QueuedUnit, report: UnitReport) -> UnitReport | None:
        now = time.monotonic()
        counted = self.jobs.end(job, report)
        actor.jobs.remove(job)
        if report.undone:
            if self._nodes.left(actor.node):
                self._notes.append(f"{_name(actor.node)} is about to vanish; its work goes on elsewhere")
            self._drop(actor)
            return counted
        self._patience[job.kind].learn(now - actor.since)
        self._nodes.worked(actor.node)
        self._deaths_in_a_row = 0
        actor.has_worked, actor.since = True, now
        self._feed(actor)
        return counted

    def _feed(self, actor: _Actor) -> None:
        """Give an actor work, or let it go if there is none and nobody may need its help."""
        enough = IN_FLIGHT if self.jobs.waiting > IN_FLIGHT * len(self._actors) else 1
        while self.jobs.waiting and len(actor.jobs) < enough:
            self._give(actor, self.jobs.take())
        idle = sum(actor.has_started and not actor.jobs for actor in self._actors)
        busy = sum(bool(actor.jobs) for actor in self._actors)
        if not (actor.jobs or self._more_may_come) and idle > keeps(idle=idle, busy=busy):
            self._dismiss(actor)

    def _give(self, actor: _Actor, job: QueuedUnit) -> None:
        if not actor.jobs:
            actor.since = time.monotonic()
        actor.jobs.append(job)
        do, items = actor.handle, job.unit.items
        process, give_up = do.process, do.give_up
        ref = give_up.remote(job.kind, items, job.reason) if job.reason else process.remote(job.kind, items)
        self._calls[ref] = _Call(actor, job)

    def _lose(self, actor: _Actor, cause: CryoPickError, *, blame: bool) -> None:
        """Part with an actor that died or is no good; its oldest job is the suspect, if any is.

        Raises
        ------
        CryoPickError
            ``cause``, if it is no use to go on.
        """
        if not actor.has_worked:
            self._deaths_in_a_row += 1
            # A death may be the unit's fault: it speaks against a node only if others do well elsewhere.
            fault_is_clear = not blame or any(a.has_worked and a.node != actor.node for a in self._actors)
            if actor.node and fault_is_clear and self._nodes.failed(actor.node):
                self._notes.append(f"{_name(actor.node)} gets no more work; workers fail there: {cause}")
            most = max(DEATHS_IN_A_ROW, 2 * len(self._actors))
            if self._deaths_in_a_row > most or self._nodes.all_bad(_nodes()):
                raise cause
        suspect = actor.jobs.pop(0) if blame and actor.jobs else None
        self._drop(actor)
        if suspect is not None and (said := self.jobs.blame(suspect, _why(cause))):
            self._notes.append(said)
        self._looked -= PULSE_SECONDS  # so that its place is filled at once

    def _drop(self, actor: _Actor) -> None:
        """Let an actor go and put back what it holds."""
        for job in reversed(actor.jobs):
            self.jobs.put_back(job)
        self._dismiss(actor)

    def _dismiss(self, actor: _Actor) -> None:
        self._actors.remove(actor)
        for ref in [ref for ref, call in self._calls.items() if call.actor is actor]:
            del self._calls[ref]
        ray.kill(actor.handle)

    def _replace_hung(self, now: float) -> None:
        for kind, patience in self._patience.items():
            busy = [actor for actor in self._actors if actor.jobs and actor.jobs[0].kind == kind]
            position = patience.hung(now - actor.since for actor in busy)
            if position is not None:
                self._lose(busy[position], EngineError("workers hang over their units"), blame=True)

    def _help_stragglers(self, now: float) -> None:
        """Let workers with nothing to do start on what waits, then on a unit that takes too long."""
        for helper in self.feed_idle():
            if (late := self._late(now)) is not None:
                slow, job = late
                self.jobs.copy(job)
                self._give(helper, job)
                self._notes.append(f"a unit takes long on {_name(slow.node)} and is done a second time")

    def feed_idle(self) -> list[_Actor]:
        """Give work to actors that have none; return those that stay without."""
        idle = [actor for actor in self._actors if actor.has_started and not actor.jobs]
        for actor in idle:
            self._feed(actor)
        return [actor for actor in idle if not actor.jobs and actor in self._actors]

    def _late(self, now: float) -> tuple[_Actor, QueuedUnit] | None:
        """Return the job that one worker has had in hand for too long, with that worker."""
        for kind, patience in self._patience.items():
            held = [(a, job) for a in self._actors for job in a.jobs if job.is_alone and job.kind == kind]
            position = patience.straggler(now - actor.since for actor, _ in held)
            if position is not None:
                return held[position]
        return None


def readable(error: RayTaskError) -> CryoPickError:
    """Return the worker's own error, without Ray's wrapping."""
    cause = error.cause
    return cause if isinstance(cause, CryoPickError) else EngineError(f"a worker failed: {cause!r}")


def _why(cause: CryoPickError) -> str:
    return str(cause) if isinstance(cause, DeviceError) else "memory, or a fault in a library"


def _nodes() -> dict[str, str]:
    """Return the names of the nodes that are alive, by id."""
    return {node["NodeID"]: node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"]}


def _name(node: str) -> str:
    return f"node {_nodes().get(node, node[:8])}"
