"""Runs on a cluster, as a person sees them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

ENDED_WITH_FAILURES, INTERRUPTED = 3, 130
"""How ``cryopick run`` ends when it is done, with micrographs that failed; and when it was told to stop."""


@dataclass(frozen=True)
class ClusterJob:
    """One attempt at a run.

    Attributes
    ----------
    id
        By which the cluster knows it.
    state
        In the cluster's words.
    active
        Whether it waits or runs.
    exit_code
        Of ``cryopick run``; ``None`` while it runs, or where nobody knows.
    message
        What the cluster says about it.
    """

    id: str
    state: str
    active: bool
    exit_code: int | None = None
    message: str = ""

    def text(self) -> str:
        """Return the job in a line."""
        if self.exit_code == ENDED_WITH_FAILURES:
            return f"{self.id}: done, with micrographs that failed"
        if self.exit_code == INTERRUPTED:
            return f"{self.id}: stopped; submit goes on with it"
        code = f", exit status {self.exit_code}" if self.exit_code else ""
        return f"{self.id}: {self.state.lower()}{code}" + (f" ({self.message})" if self.message else "")


class ClusterJobs(Protocol):
    """The attempts at one run, the last of which counts."""

    def last(self) -> ClusterJob | None:
        """Return the last attempt, if there is one."""

    def submit(self) -> tuple[ClusterJob, bool]:
        """Begin an attempt, unless one is active; return it, and whether it is new."""

    def logs(self, job: ClusterJob, *, follow: bool) -> Iterator[str]:
        """Yield what the attempt has printed; if ``follow``, until it ends."""

    def stop(self, job: ClusterJob) -> ClusterJob:
        """End an attempt well and return it."""
