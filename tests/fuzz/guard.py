"""A guarded child that reads files, case after case, and is replaced when one breaks it."""

import hashlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
MOST_SECONDS = 20.0
MOST_BYTES = 2**30
"""Of memory beyond what the child holds when a case begins."""
ADDRESS_BYTES = 2**32
"""What is asked for beyond this is refused at once, and that counts as memory, too."""
MOST_TEXT = 2000
"""Characters of a message meant for a person."""
WATCH_S = 0.05
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate"}
RUNS = {"os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "socket.connect", "pickle.find_class"}


@dataclass(frozen=True)
class Outcome:
    """What came of a case.

    Attributes
    ----------
    kind
        ``read``, ``refused`` (an error for a person), or a fault: ``crash``, ``hang``, ``memory``, ``escape``
        (something written elsewhere, run or sent), or ``text`` (a message of several lines, or without end).
    text
        The message, or where it broke.
    digest
        Of what was read.
    """

    kind: str
    text: str = ""
    digest: str = ""
    seconds: float = 0.0
    peak_bytes: int = 0

    @property
    def is_fault(self) -> bool:
        """Whether it must be mended."""
        return self.kind not in ("read", "refused")


class Guard:
    """Gives folders to readers in a child."""

    _child: "subprocess.Popen[str] | None" = None

    def __enter__(self) -> Self:
        """The child is started when it is needed."""
        return self

    def __exit__(self, *error: object) -> None:
        """End it."""
        if self._child is not None:
            self._child.communicate()

    def read(self, reader: str, folder: Path) -> Outcome:
        """Give a folder to a reader."""
        child = self._child = self._child or self._started()
        start = time.monotonic()
        before = _resident(child.pid)
        print(json.dumps([reader, str(folder)]), file=child.stdin, flush=True)
        fault = self._watch(child, start + MOST_SECONDS, before + MOST_BYTES)
        seconds = time.monotonic() - start
        answer = "" if fault else child.stdout.readline()  # type: ignore[union-attr]
        if answer:
            outcome = replace(Outcome(**json.loads(answer)), seconds=seconds)
            return replace(outcome, kind="memory") if outcome.peak_bytes > MOST_BYTES else outcome
        child.kill()
        child.communicate()
        self._child = None
        return Outcome(fault or "crash", "" if fault else signal.Signals(-child.returncode).name, "", seconds)

    def _started(self) -> "subprocess.Popen[str]":
        quiet = {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        child = subprocess.Popen(
            [sys.executable, __file__],
            cwd=ROOT,
            env={**os.environ, **quiet},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        return child

    def _watch(self, child: "subprocess.Popen[str]", until: float, most_bytes: int) -> str:
        """Wait for the answer, and say what is wrong if it does not come."""
        while not select.select([child.stdout], [], [], WATCH_S)[0]:
            if time.monotonic() > until:
                return "hang"
            if _resident(child.pid) > most_bytes:
                return "memory"
        return ""


def serve() -> None:
    """Read one case after the other."""
    sys.path.insert(0, str(ROOT))
    import pandas  # noqa: F401 - what the first case would load
    import starfile  # noqa: F401
    from readers import READERS

    from cryopick_ray.simulate.library import list_molecules

    list_molecules()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a library prints is no answer
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_size() + ADDRESS_BYTES,) * 2)
    warden = Warden()
    sys.addaudithook(warden.see)
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        name, folder = json.loads(line)
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here on
        before = _resident(os.getpid())
        warden.folder = folder
        outcome = _called(READERS[name].read, Path(folder))
        escapes, warden.folder = warden.taken(), ""
        if escapes:
            outcome = Outcome("escape", escapes[:MOST_TEXT])
        print(json.dumps(asdict(replace(outcome, peak_bytes=_peak() - before))), file=answers, flush=True)


def _called(read: Callable[[Path], object], folder: Path) -> Outcome:
    from cryopick_ray.errors import CryoPickError

    try:
        return Outcome("read", digest=hashlib.sha256(repr(read(folder)).encode()).hexdigest())
    except CryoPickError as error:
        text = str(error)
        if any(isinstance(one, MemoryError) for one in _causes(error)):
            return Outcome("memory", text[:MOST_TEXT])
        unclear = len(text) > MOST_TEXT or len(text.splitlines()) != 1
        return Outcome("text" if unclear else "refused", text[:MOST_TEXT])
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is told
        return Outcome("memory" if isinstance(error, MemoryError) else "crash", _where(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    places = " > ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames)
    return f"{type(error).__name__}: {str(error)[:300]} ({places})"


class Warden:
    """Notes what is written outside of a folder, run, or sent."""

    folder = ""

    def __init__(self) -> None:
        self._escapes: list[str] = []

    def see(self, event: str, details: tuple[Any, ...]) -> None:
        """Look at one of Python's audit events."""
        if not self.folder:
            return
        if event in RUNS:
            self._escapes.append(f"{event} {details!r}"[:200])
        elif event in CHANGES or (event == "open" and (details[2] or 0) & WRITING):
            paths = [path for path in details[:2] if isinstance(path, str) and path]
            outside = [path for path in paths if not os.path.realpath(path).startswith(self.folder)]
            self._escapes += [
                f"{event} {path}"[:200] for path in outside if event != "open" or path == paths[0]
            ]

    def taken(self) -> str:
        """Return what was noted, and forget it."""
        noted, self._escapes = self._escapes, []
        return "; ".join(noted)


def _resident(pid: int) -> int:
    """Return the memory that a process holds, in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def _size() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _peak() -> int:
    """Return the most memory that this process has held since its peak was reset."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    serve()
