"""Mutated files for every reader, for as long as you like.

    python tests/fuzz/fuzz.py --minutes 120 --seed 7       # all readers in turn
    python tests/fuzz/fuzz.py --minutes 5 --only movie     # one

Prints each fault once, keeps the files that show it below ``--keep``, and ends with figures and status 1 if
there were any. The same seed makes the same cases, however fast the machine is.
"""

import argparse
import os
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count, takewhile
from pathlib import Path
from random import Random

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import typer
from guard import ROOT, Guard, Outcome
from mutations import mutated
from reader import Reader
from readers import READERS

MOST_REAL_BYTES = 2**18
Files = dict[str, bytes]


@dataclass
class Found:
    """What a fuzzing came to."""

    cases: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    faults: dict[str, Path] = field(default_factory=dict)
    peak_bytes: int = 0
    slowest_s: float = 0.0

    def note(self, outcome: Outcome) -> None:
        """Count an outcome."""
        self.cases += 1
        self.kinds[outcome.kind] += 1
        self.peak_bytes = max(self.peak_bytes, outcome.peak_bytes)
        self.slowest_s = max(self.slowest_s, outcome.seconds)

    def note_fault(self, reader: str, outcome: Outcome, files: Files, keep: Path) -> None:
        """Keep the files that show a fault, once."""
        fault = re.sub(r"[0-9]+", "N", f"{reader}: {outcome.kind} {outcome.text}")[:120]
        if outcome.kind == "crash":
            fault = f"{reader}: {outcome.text.rpartition('(')[2]}"
        if fault not in self.faults:
            folder = keep / f"{reader.replace(' ', '-')}-{outcome.kind}-{len(self.faults)}"
            self.faults[fault] = laid(files, folder)
            typer.echo(
                f"{reader}: {outcome.kind} after {outcome.seconds:.1f} s: {outcome.text} -> {folder}",
            )

    def text(self) -> str:
        """Return the figures as one line."""
        kinds = ", ".join(f"{number} {kind}" for kind, number in self.kinds.most_common())
        return (
            f"{self.cases} cases ({kinds}), {len(self.faults)} faults, "
            f"at most {self.slowest_s:.1f} s and {self.peak_bytes / 2**20:.0f} MiB for one"
        )


def seeds(reader: Reader, folder: Path) -> list[Files]:
    """Return the valid files of a reader, those of other programs among them where they are there."""
    made = []
    for number, write in enumerate(reader.seeds):
        own = folder / str(number)
        own.mkdir()
        write(own)
        made.append(
            {p.relative_to(own).as_posix(): p.read_bytes() for p in sorted(own.rglob("*")) if p.is_file()}
        )
    data = Path(os.environ.get("CRYOPICK_DATA", ROOT.parent / "shared" / "data")) / "formats"
    for path in sorted(path for pattern in reader.real for path in data.glob(pattern)):
        if path.stat().st_size <= MOST_REAL_BYTES:
            made.append({path.name: path.read_bytes()})
    return made


def laid(files: Files, folder: Path) -> Path:
    """Write files into a folder that holds nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def fuzz(
    guard: Guard, scratch: Path, rounds: Iterable[int], *, seed: int, only: str | None, keep: Path
) -> Found:
    """Give each reader a mutated case a round, until there are no more rounds."""
    found = Found()
    names = [only] if only else list(READERS)
    valid, truth = {}, {}
    for name in names:
        (own := scratch / f"seeds of {name}").mkdir()
        valid[name] = seeds(READERS[name], own)
        for index, files in enumerate(valid[name]):
            outcome = guard.read(name, laid(files, scratch / "case"))
            truth[name, index] = outcome.digest
            is_ours = index < len(READERS[name].seeds)
            if outcome.is_fault or (is_ours and outcome.kind != "read"):
                found.note_fault(name, outcome, files, keep)
    for number in rounds:
        for name in names:
            rng = Random(f"{seed} {name} {number}")
            index = rng.randrange(len(valid[name]))
            files, target = valid[name][index], rng.choice(sorted(valid[name][index]))
            other = rng.choice(list(rng.choice(valid[name]).values()))
            data, is_forged = mutated(target, files[target], other, rng)
            changed = files | {target: data}
            outcome = guard.read(name, laid(changed, scratch / "case"))
            vouched = READERS[name].vouched and not is_forged and outcome.kind == "read"
            if vouched and outcome.digest != truth[name, index]:
                outcome = replace(
                    outcome, kind="believed", text=f"other data from a changed {Path(target).suffix}"
                )
            found.note(outcome)
            if outcome.is_fault:
                found.note_fault(name, outcome, changed, keep)
    return found


def until(seconds: float) -> Iterator[int]:
    """Count for so long."""
    start = time.monotonic()
    return takewhile(lambda number: time.monotonic() - start < seconds, count())


def main() -> int:
    """Fuzz for as long as the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=READERS, help="one reader")
    parser.add_argument(
        "--keep", type=Path, default=Path("fuzz-faults"), help="where files that show a fault go"
    )
    given = parser.parse_args()
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch, Guard() as guard:
        rounds = until(60 * given.minutes)
        found = fuzz(guard, Path(scratch), rounds, seed=given.seed, only=given.only, keep=given.keep)
    typer.echo(f"{found.text()}, {time.monotonic() - start:.0f} s in all")
    return bool(found.faults)


if __name__ == "__main__":
    sys.exit(main())
