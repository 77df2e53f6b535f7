"""The installed command, run as a person would run it."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"


def cryopick(*arguments: object, folder: Path, out: Path | None = None) -> dict[str, Any]:
    """Return what a command prints as JSON.

    Parameters
    ----------
    folder
        Where it runs.
    out
        Its ``--out``; ``None`` for a folder that is thrown away.
    """
    program = Path(sys.executable).with_name("cryopick")
    with tempfile.TemporaryDirectory() as scratch:
        where = (
            ["--out", out or Path(scratch) / "out"] if arguments[0] not in ("evaluate", "diameter") else []
        )
        command = [program, *arguments, *where, "--json"]
        done = subprocess.run(
            [str(word) for word in command], cwd=folder, check=True, stdout=subprocess.PIPE, text=True
        )
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome
