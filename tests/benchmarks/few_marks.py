"""What some ten marks teach the default model: marks drawn from the truth, scored on other micrographs.

Of the particles marked half are ones that the run missed, as far as there are such; wrong places are drawn
from the candidates without a particle that score highest. They lie in two micrographs, 30 of a kind in three.
"""

import os
import tempfile
from pathlib import Path
from typing import Annotated, NamedTuple

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy, and for the commands run from here

import numpy as np
import typer
from commands import BESIDE, cryopick
from scipy.spatial import cKDTree

from cryopick_ray.evaluation.truth import Truth, read_truth
from cryopick_ray.passes.decision_files import text_of
from cryopick_ray.passes.decisions import Decision
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.picks.table import PickTable


class RealSet(NamedTuple):
    """Micrographs with truth beside them, and those of them that are left out of precision."""

    folder: str
    diameter_A: float
    pixel_size_A: float
    radius_A: float
    under_labelled: tuple[str, ...] = ()


SETS = (
    RealSet("proteasome-20S-defocus", 150, 7.84, 74.5),
    RealSet("apoferritin-10146", 120, 1.5, 46.5),
    RealSet("betagal-10017", 190, 3.54, 95.58, ("15_07_41", "16_51_03")),
)
ENGINE = ("--engine", "serial")


def main(
    data: Annotated[Path, typer.Option(envvar="CRYOPICK_DATA", help="Folder of the real sets.")] = BESIDE,
    marks: Annotated[list[int], typer.Option(help="Of either kind.")] = [10, 30],  # noqa: B006 - as typer has it
    seeds: Annotated[int, typer.Option(help="Of marks and teachings.")] = 3,
) -> None:
    """Run, teach, run again, and print the table."""
    typer.echo("| set | marks | seed | kept | F1 | best F1 | AUPRC | s |\n|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for one in SETS:
            first = Path(scratch) / one.folder
            cryopick("run", data / one.folder, *_how(one), *ENGINE, folder=data, out=first)
            for count in marks:
                for seed in range(seeds):
                    typer.echo(_row(one, first, data, count, seed))


def _row(one: RealSet, first: Path, data: Path, count: int, seed: int) -> str:
    """Teach with some marks; return a line of the table."""
    out = first.with_name(f"{one.folder}-{count}-{seed}")
    out.mkdir()
    decisions = draw(first, read_truth(data / one.folder), one, count, seed)
    (out / "marks.csv").write_text(text_of(decisions))
    asked = ("--curation", out / "marks.csv", "--seed", seed, *ENGINE)
    told = cryopick("teach", first, *asked, folder=data, out=out / "taught")
    model = ("--model", out / "taught" / "model.safetensors")
    cryopick("run", data / one.folder, *_how(one), *model, *ENGINE, folder=data, out=out / "second")
    seen = [*one.under_labelled, *dict.fromkeys(row.micrograph_id for row in decisions)]
    without = [word for name in seen for word in ("--exclude", f"*{name}*")]
    truth = ("--truth", data / one.folder, "--radius", one.radius_A)
    before, after = (
        cryopick("evaluate", run, *truth, *without, folder=data)["pooled"] for run in (first, out / "second")
    )
    scores = [f"{before[name]:.3f} -> {after[name]:.3f}" for name in ("f1", "best_f1", "auprc")]
    seconds = sum(told["seconds"].values())
    cells = [one.folder, count, seed, told["kept"], *scores, f"{seconds:.0f}"]
    return f"| {' | '.join(map(str, cells))} |"


def draw(first: Path, truth: Truth, one: RealSet, count: int, seed: int) -> list[Decision]:
    """Return what a person might decide of a run who knows the truth."""
    rng = np.random.default_rng(seed)
    table = PickTable(first / "table")
    names = [
        m.micrograph_id
        for m in table.micrographs
        if not any(n in m.micrograph_id for n in one.under_labelled)
    ]
    some = rng.permutation(names)[: 2 if count <= 10 else 3].tolist()
    missed: list[Decision] = []
    found: list[Decision] = []
    wrong: list[tuple[float, Decision]] = []
    for name, picks in table.of(some).items():
        _sort(
            picks,
            truth.centres(truth.name_of(name) or name, picks.micrograph.shape),
            one,
            missed,
            found,
            wrong,
        )
    best = [row for _, row in sorted(wrong, key=lambda pair: -pair[0])[: 2 * count]]
    for rows in (missed, found, best):
        rng.shuffle(rows)  # type: ignore[arg-type]  # as NumPy has it
    particles = (missed[: count // 2] + found)[:count]
    return particles + missed[count // 2 :][: count - len(particles)] + best[:count]


def _sort(
    picks: MicrographPicks,
    centres: np.ndarray,
    one: RealSet,
    missed: list[Decision],
    found: list[Decision],
    wrong: list[tuple[float, Decision]],
) -> None:
    """Add what a micrograph's candidates and particles could be marked as."""
    name, reach_px = picks.micrograph.micrograph_id, one.radius_A / one.pixel_size_A
    places = np.column_stack([picks.x_px, picks.y_px]).astype(float)
    own = places[picks.picked]
    away, nearest = cKDTree(own).query(centres)
    for centre, gap, at in zip(centres.tolist(), away, nearest, strict=True):
        (found if gap <= reach_px else missed).append(
            Decision(name, "keep", *own[at].tolist()) if gap <= reach_px else Decision(name, "add", *centre)
        )
    gaps = cKDTree(centres).query(places)[0]
    for place, score, gap in zip(places.tolist(), picks.score.tolist(), gaps, strict=True):
        if gap > reach_px:
            wrong.append((score, Decision(name, "remove", *place)))


def _how(one: RealSet) -> tuple[object, ...]:
    return ("--diameter", one.diameter_A, "--pixel-size", one.pixel_size_A)


if __name__ == "__main__":
    typer.run(main)
