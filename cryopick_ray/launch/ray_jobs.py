"""Runs as jobs of a Ray cluster."""

import asyncio
import os
import re
import shlex
import time
from collections.abc import AsyncIterator, Callable, Iterator
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ipaddress import ip_address
from typing import Any, TypeVar
from urllib.parse import urlsplit

from cryopick_ray.errors import EngineError, UsageError
from cryopick_ray.launch.cluster_jobs import ClusterJob

ANSWER_SECONDS = 10.0
STOP_SECONDS = 60
"""A run that is told to stop waits for the units in hand; Ray's own patience of 3 s would cut it off."""
T = TypeVar("T")


class RayJobs:
    """The attempts at a run, ``NAME-1``, ``NAME-2`` and so on, on the Ray cluster behind ``address``.

    The token is found by Ray: RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ``~/.ray/auth_token``.

    Raises
    ------
    UsageError
        If ``address`` is no URL that a token may be sent to.
    EngineError
        If nobody answers, or the token is missing or wrong.
    """

    def __init__(self, name: str, command: list[str], address: str) -> None:
        _check_answers(address)
        os.environ.setdefault("RAY_AUTH_MODE", "token")  # else Ray would keep a token it has to itself
        from ray.job_submission import JobSubmissionClient

        self._name, self._command, self._address = name, shlex.join(command), address
        self._client = self._ask(lambda: JobSubmissionClient(address))

    def last(self) -> ClusterJob | None:
        """Return the last attempt, if there is one."""
        found = self._numbered()
        return _job(found[max(found)]) if found else None

    def submit(self) -> tuple[ClusterJob, bool]:
        """Begin an attempt, unless one is active; return it, and whether it is new.

        Raises
        ------
        UsageError
            If the active attempt runs another command.
        """
        found = self._numbered()
        number = max(found, default=0)
        if number and _job(found[number]).active:
            if found[number].entrypoint != self._command:
                raise UsageError(
                    f"{self._name}-{number} is at work with other settings; stop it, or choose another name"
                )
            return _job(found[number]), False
        wanted = f"{self._name}-{number + 1}"
        patience = {"env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_SECONDS)}}
        try:
            self._ask(
                lambda: self._client.submit_job(
                    entrypoint=self._command, submission_id=wanted, runtime_env=patience
                )
            )
        except EngineError:
            if number + 1 not in self._numbered():
                raise
            return self._look(wanted), False  # somebody else was faster by a moment
        return self._look(wanted), True

    def logs(self, job: ClusterJob, *, follow: bool) -> Iterator[str]:
        """Yield what the attempt has printed; if ``follow``, until it ends."""
        if not follow:
            yield self._ask(lambda: self._client.get_job_logs(job.id))
            return
        with asyncio.Runner() as runner:
            lines: AsyncIterator[str] = self._client.tail_job_logs(job.id)
            while True:
                try:
                    yield self._ask(lambda: runner.run(_next(lines)))
                except StopAsyncIteration:
                    return

    def stop(self, job: ClusterJob) -> ClusterJob:
        """Tell an attempt to end, wait until it has, and return it."""
        self._ask(lambda: self._client.stop_job(job.id))
        patience = time.monotonic() + STOP_SECONDS + ANSWER_SECONDS
        while (job := self._look(job.id)).active and time.monotonic() < patience:
            time.sleep(0.5)
        return job

    def _look(self, job_id: str) -> ClusterJob:
        return _job(self._ask(lambda: self._client.get_job_info(job_id)))

    def _numbered(self) -> dict[int, Any]:
        """Return what Ray knows of the attempts, by their numbers."""
        known = self._ask(self._client.list_jobs)
        pattern = re.compile(rf"{re.escape(self._name)}-([1-9][0-9]{{0,8}})")
        matches = [(pattern.fullmatch(one.submission_id or ""), one) for one in known]
        return {int(match[1]): one for match, one in matches if match}

    def _ask(self, question: Callable[[], T]) -> T:
        """Return the answer, or say in one line why there is none."""
        from ray.exceptions import AuthenticationError

        try:
            return question()
        except AuthenticationError as error:
            raise EngineError(
                f"{self._address} does not let us in: the token is missing or wrong; put the cluster's into "
                "~/.ray/auth_token, or name its file in RAY_AUTH_TOKEN_PATH"
            ) from error
        except (RuntimeError, OSError) as error:
            first, *_ = str(error).splitlines() or [repr(error)]
            raise EngineError(f"{self._address}: {first}") from error


async def _next(lines: AsyncIterator[str]) -> str:
    return await anext(lines)


def _job(info: Any) -> ClusterJob:
    state = info.status.value if hasattr(info.status, "value") else str(info.status)
    active = state in ("PENDING", "RUNNING")
    message = "" if active or state == "SUCCEEDED" else (info.message or "").strip().partition("\n")[0]
    return ClusterJob(info.submission_id, state, active, None if active else info.driver_exit_code, message)


def _check_answers(address: str) -> None:
    """Refuse an address where nobody answers soon, or where a token would travel in the clear."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise UsageError(f"`address` is {address!r}; expected a URL such as http://127.0.0.1:8265")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise UsageError(
            f"`address` {address} would send the token in the clear; "
            "open a tunnel and give its end, http://127.0.0.1:8265"
        )
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    try:
        connection = kind(parts.hostname, parts.port, timeout=ANSWER_SECONDS)
        connection.request("GET", "/api/version")
        connection.getresponse().read(1)
        connection.close()
    except (OSError, HTTPException, ValueError) as error:
        raise EngineError(
            f"nobody answers at `address` {address} ({error}); "
            "open the tunnel: ray dashboard cluster.yaml, or kubectl port-forward"
        ) from error


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
