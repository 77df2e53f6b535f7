"""What a consensus of large tables costs: three tables of a million picks each by default.

Each table has most of the same particles, a little moved, and some of its own, 300 in a micrograph.
"""

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from cryopick_ray.passes.votes import Vote
from cryopick_ray.picks.reasons import none
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph
from cryopick_ray.picks.write_table import write_table
from cryopick_ray.runs.consensus_run import agree

PER_MICROGRAPH, SIDE_PX, DIAMETER_A = 300, 4096, 150.0
KEPT, OWN, MOVED_PX = 0.85, 0.15, 12.0


def table(micrographs: int, picker: int) -> Iterator[MicrographPicks]:
    """Yield one picker's micrographs."""
    for number in range(micrographs):
        shared, rng = np.random.default_rng(number), np.random.default_rng([number, picker])
        places = shared.uniform(0, SIDE_PX - 1, (PER_MICROGRAPH, 2))
        places = places[rng.random(len(places)) < KEPT]
        places = np.clip(places + rng.normal(0, MOVED_PX, places.shape), 0, SIDE_PX - 1)
        x, y = np.concatenate([places, rng.uniform(0, SIDE_PX - 1, (int(OWN * PER_MICROGRAPH), 2))]).T
        about = PickedMicrograph(
            f"{number:07d}.mrc", "set", f"{number:07d}.mrc", (SIDE_PX, SIDE_PX), 1.0, None, "complete", "",
            picks=len(x),
        )  # fmt: skip
        score = rng.random(len(x)).astype(np.float32)
        yield MicrographPicks(about, np.float32(x), np.float32(y), score, none(len(x)), DIAMETER_A, model="m")


def main(
    picks: Annotated[int, typer.Option(help="Picks of each table, about.")] = 1_000_000,
    pickers: Annotated[int, typer.Option(help="Tables.")] = 3,
    crowded: Annotated[bool, typer.Option(help="Group by the integer programme.")] = False,
) -> None:
    """Make the tables, let them vote, print seconds and the most memory."""
    with tempfile.TemporaryDirectory(prefix="cryopick-consensus-") as folder:
        inputs = []
        for picker in range(pickers):
            where = Path(folder) / f"picker-{picker}"
            write_table(table(picks // PER_MICROGRAPH, picker), where)
            inputs.append(str(where))
        start, cpu = time.perf_counter(), time.process_time()
        outcome = agree(inputs, Path(folder) / "agreed", Vote(2, crowded=crowded))
        status = Path("/proc/self/status").read_text()
        peak_KiB = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
        told = {
            "picks_in": sum(outcome.agreement.places.values()),
            "picks_out": outcome.voted.picks,
            "seconds": round(time.perf_counter() - start, 1),
            "cpu_seconds": round(time.process_time() - cpu, 1),
            "peak_MiB": peak_KiB // 1024,
        }
        typer.echo(json.dumps(told))


if __name__ == "__main__":
    typer.run(main)
