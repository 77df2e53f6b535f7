"""Runs a command of ours for a page, and ends it with all that it started once the page is gone.

Its standard input is the leash: a pipe whose other end the page holds. However the page ends, the system
closes that end; a page that wants the command to end closes it itself.
"""

import os
import signal
import subprocess
import sys
import time
from threading import Thread

PATIENCE_S = 10.0
"""Before a command that was told to end is ended."""


def main() -> int:
    """Run the command whose words are given; return its status.

    This is to lead a process group of its own: all in it are told to end, and then made to.
    """
    signal.signal(signal.SIGTERM, lambda *_: None)  # it is this that tells the others
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
