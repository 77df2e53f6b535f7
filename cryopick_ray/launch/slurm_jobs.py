"""Runs as jobs of SLURM."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from cryopick_ray.errors import EngineError
from cryopick_ray.launch.cluster_jobs import ClusterJob

POLL_SECONDS = 2.0
STOP_SECONDS = 90.0
ACTIVE = {"PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "REQUEUED", "SUSPENDED", "STOPPED", "SIGNALING"}


class SlurmJobs:
    """The user's jobs of one name.

    Parameters
    ----------
    name
        Of the jobs.
    script
        What sbatch gets.
    log
        File that the jobs append to.
    """

    def __init__(self, name: str, script: str, log: Path) -> None:
        self._name, self._script, self._log = name, script, log

    def last(self) -> ClusterJob | None:
        """Return the last job that the controller knows, else its accounting; ended ones go after minutes."""
        columns = "--Format=JobID:20,State:20,exit_code:20,Reason:60"
        known = _tell("squeue", "--me", f"--name={self._name}", "--states=all", "--noheader", columns)
        rows = sorted((line.split(None, 3) for line in known.splitlines()), key=lambda row: int(row[0]))
        if not rows:
            return self._accounted()
        number, state, status, *reason = rows[-1]
        if state in ACTIVE:
            message = "".join(reason).strip()
            return ClusterJob(number, state, active=True, message="" if message == "None" else message)
        return ClusterJob(number, state, active=False, exit_code=os.waitstatus_to_exitcode(int(status)))

    def submit(self) -> tuple[ClusterJob, bool]:
        """Submit the script, unless a job of its name waits or runs; return it, and whether it is new."""
        job = self.last()
        if job is not None and job.active:
            return job, False
        self._log.parent.mkdir(parents=True, exist_ok=True)
        number = _tell("sbatch", "--parsable", script=self._script).strip().partition(";")[0]
        return ClusterJob(number, "PENDING", active=True), True

    def logs(self, job: ClusterJob, *, follow: bool) -> Iterator[str]:
        """Yield what the jobs of this name have printed; if ``follow``, until this one ends."""
        position, active = 0, True
        while active:
            now = self.last() if follow else None
            active = now is not None and now.active and now.id == job.id
            try:
                with self._log.open(errors="replace") as log:
                    log.seek(position)
                    text = log.read()
                    position = log.tell()
            except FileNotFoundError:
                text = ""
            if text:
                yield text
            if active:
                time.sleep(POLL_SECONDS)

    def stop(self, job: ClusterJob) -> ClusterJob:
        """Tell a job to end, wait until it has, and return it."""
        told = [] if job.state == "PENDING" else ["--batch", "--signal=TERM"]  # the script ends the run well
        _tell("scancel", *told, job.id)
        patience = time.monotonic() + STOP_SECONDS
        while (now := self.last()) is not None and now.active and now.id == job.id:
            if time.monotonic() > patience:
                return now
            time.sleep(POLL_SECONDS)
        return now if now is not None and now.id == job.id else ClusterJob(job.id, "CANCELLED", active=False)

    def _accounted(self) -> ClusterJob | None:
        columns = "--format=JobIDRaw%20,State%20,ExitCode%20"
        try:
            known = _tell("sacct", "-X", "-n", f"--name={self._name}", "--starttime=now-30days", columns)
        except EngineError:
            return None  # a site without accounting
        *_, last = known.splitlines() or [""]
        if not last.strip():
            return None
        number, state, *_, code = last.split()
        return ClusterJob(number, state, active=False, exit_code=int(code.partition(":")[0]))


def _tell(*command: str, script: str | None = None) -> str:
    try:
        done = subprocess.run(command, input=script, capture_output=True, text=True, check=False, timeout=60)
    except FileNotFoundError as error:
        raise EngineError(
            f"{command[0]} is not found; run this on a login node of the SLURM cluster"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"{command[0]} does not answer; SLURM's controller may be down") from error
    if done.returncode:
        *_, last = done.stderr.splitlines() or [f"exit status {done.returncode}"]
        raise EngineError(f"{command[0]}: {last}")
    return done.stdout
