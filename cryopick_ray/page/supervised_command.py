"""Runs a ``cryopick`` command for a page, and ends it with all its processes once the page is gone.

Its standard input is a pipe whose other end the page holds. However the page ends, the system
closes that end; a page that wants the command to end closes it itself.
"""

import os
import signal
import subprocess
import sys
import time
from threading import Thread

PATIENCE_S = 10.0
"""Seconds between SIGTERM and SIGKILL."""


def main() -> int:
    """Run the command in the arguments; return its exit status.

    It must lead a process group of its own, all of which is terminated.
    """
    signal.signal(signal.SIGTERM, lambda *_: None)  # this process sends it to the others
    command = subprocess.Popen(
        [sys.executable, "-m", "cryopick_ray", *sys.argv[1:]], stdin=subprocess.DEVNULL
    )
    Thread(target=_end_with_the_page, daemon=True).start()
    status = command.wait()
    return status if status >= 0 else 128 - status  # ended by a signal, as shells say it


def _end_with_the_page() -> None:
    while os.read(sys.stdin.fileno(), 1):  # waits until the other end is closed
        pass
    os.killpg(0, signal.SIGTERM)
    time.sleep(PATIENCE_S)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
