"""A run on a small cluster whose parts are killed at random, and started again as a cloud would."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.quiet_cluster import QuietCluster

WORKERS = 2
PATIENCE_SECONDS = 20.0
"""For something to be published, before the next kill comes anyway."""
RESTARTS = 60
FILL = "import ray, sys, numpy as np, time; ray.init(address=sys.argv[1], log_to_driver=False); \
refs = [ray.put(np.zeros(30 * 2**20, np.uint8)) for _ in range(12)]; time.sleep(2)"


@dataclass
class Chaos:
    """A command that is run until it ends well, while what it needs is killed.

    Attributes
    ----------
    command
        The arguments of ``cryopick``, but for ``--address`` and ``--resume``.
    out
        The folder of its run.
    disk
        A small file system that holds ``out`` and may be filled; ``None`` if there is none.
    """

    command: list[str]
    out: Path
    disk: Path | None
    seed: int
    done: list[str] = field(default_factory=list)
    restarts: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.driver: subprocess.Popen[bytes] | None = None
        self.cluster = QuietCluster()
        self.log = (self.out.parent / f"{self.out.name}.log").open("wb")

    def run(self, kills: list[str]) -> float:
        """Run the command under the kills; return the seconds it took."""
        start = time.monotonic()
        self.mend()
        driver = self.driver = self.drive()
        while True:
            mark, since = self.published(), time.monotonic()
            while driver.poll() is None and (
                not kills or (self.published() <= mark and time.monotonic() - since < PATIENCE_SECONDS)
            ):
                time.sleep(0.1)
            if driver.poll() == 0:
                assert not kills, f"the run ended before {len(kills)} kills: it is too short"
                return time.monotonic() - start
            if driver.poll() is not None:
                self.restarts += 1
                assert self.restarts < RESTARTS, self.words()
                driver = self.driver = self.drive()
            elif kills and self.published() > 0:
                kind = kills.pop()
                self.kills()[kind](driver)
                self.done.append(kind)
                self.mend()

    def close(self) -> None:
        if self.driver is not None and self.driver.poll() is None:
            os.killpg(self.driver.pid, signal.SIGKILL)
            self.driver.wait()
        self.cluster.close()
        self.log.close()

    def words(self) -> str:
        return Path(self.log.name).read_text(errors="replace")[-3000:]

    def published(self) -> int:
        return sum(1 for _ in self.out.glob("picks/*/*.parquet")) + sum(
            1 for _ in self.out.glob("store.zarr/manifest/*.parquet")
        )

    def drive(self) -> subprocess.Popen[bytes]:
        command = [
            sys.executable,
            "-m",
            "cryopick_ray.cli.main",
            *self.command,
            "--address",
            self.cluster.address,
        ]
        return subprocess.Popen(
            [*command, "--resume"], start_new_session=True, stdout=self.log, stderr=self.log
        )

    def mend(self) -> None:
        """Bring nodes as a cloud would, until there are as many as wanted."""
        while len(self.cluster.nodes) < WORKERS:
            self.cluster.add(num_cpus=1)

    def kills(self) -> dict[str, Callable[[subprocess.Popen[bytes]], None]]:
        return {
            "worker": self.kill_worker,
            "raylet": self.kill_raylet,
            "node": self.kill_node,
            "driver": lambda driver: os.killpg(driver.pid, signal.SIGKILL),
            "object store": self.fill_object_store,
            "disk": self.fill_disk,
            "stored micrograph": lambda _: self.damage("store.zarr/*/c/0/0"),
            "picks": lambda _: self.damage("picks/*/*.parquet"),
        }

    def kill_worker(self, _: object) -> None:
        raylets = {node.all_processes["raylet"][0].process.pid for node in self.cluster.nodes}
        if pids := [pid for pid in _processes("ray::PickHost") if _parent(pid) in raylets]:
            with suppress(ProcessLookupError):
                os.kill(self.random.choice(pids), signal.SIGKILL)

    def kill_raylet(self, _: object) -> None:
        self.cluster.remove(self.node(), raylet_first=True)

    def kill_node(self, _: object) -> None:
        self.cluster.remove(self.node())

    def node(self) -> Any:
        return self.random.choice(self.cluster.nodes)

    def fill_object_store(self, _: object) -> None:
        subprocess.run(
            [sys.executable, "-c", FILL, self.cluster.address], stdout=self.log, stderr=self.log, timeout=120
        )

    def fill_disk(self, driver: subprocess.Popen[bytes]) -> None:
        """Leave no room until the run has noticed."""
        if self.disk is None:
            return
        ballast = self.disk / "ballast"
        with suppress(OSError), ballast.open("wb") as file:
            while True:
                file.write(bytes(2**16))
                file.flush()
        with suppress(subprocess.TimeoutExpired):
            driver.wait(5)
        ballast.unlink()

    def damage(self, pattern: str) -> None:
        """Flip a bit in the middle of a file."""
        path = self.random.choice(sorted(self.out.glob(pattern)) or [None])
        if path is None:
            return
        with suppress(FileNotFoundError), path.open("r+b") as file:
            file.seek(path.stat().st_size // 2)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 16]))


def _processes(title: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and (entry / "cmdline").read_bytes().startswith(title.encode()):
                found.append(int(entry.name))
    return found


def _parent(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0
