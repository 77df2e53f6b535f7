"""What a program takes: wall clock, CPU time and memory, its own and its children's alone.

Linux counts the memory of who starts a program towards the program's peak, so it is started from a process
that holds next to nothing: this file, run as a script, which imports no more than it needs.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ERROR_CHARACTERS = 2000


@dataclass(frozen=True)
class Spent:
    """What one program took, or several one after another."""

    wall_s: float
    cpu_s: float
    peak_MiB: float

    def __add__(self, other: "Spent") -> "Spent":
        peak_MiB = max(self.peak_MiB, other.peak_MiB)
        return Spent(self.wall_s + other.wall_s, self.cpu_s + other.cpu_s, peak_MiB)


def spend(*command: object) -> Spent:
    """Run a program and return what it took; where it fails, say so and end."""
    words = [str(word) for word in command]
    with tempfile.NamedTemporaryFile() as report:
        done = subprocess.run(
            [sys.executable, "-I", "-S", __file__, report.name, *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        if done.returncode:
            raise SystemExit(
                f"{' '.join(words)}\nended with {done.returncode}:\n{done.stderr[-ERROR_CHARACTERS:]}"
            )
        return Spent(**json.load(report))


def _main(report: str, *command: str) -> int:
    start = time.perf_counter()
    _, status, usage = os.wait4(os.posix_spawnp(command[0], command, os.environ), 0)
    wall_s, cpu_s = time.perf_counter() - start, usage.ru_utime + usage.ru_stime
    Path(report).write_text(
        json.dumps({"wall_s": wall_s, "cpu_s": cpu_s, "peak_MiB": usage.ru_maxrss / 1024})
    )
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
