"""What a table of many picks costs: ours with Dask, pyarrow alone and DuckDB on the same shards.

``passes`` is the table with three of them: no pick near the edge, 200 of a micrograph at most, a threshold;
``spacing`` has a fourth, a least distance of picks, which SQL has no words for.

Shards of 64 micrographs with 300 candidates each are made in a folder. Each trial is a process of its own;
trials alternate. ``table`` writes the sorted table from the shards, ``counts`` is candidates per
micrograph, ``resume`` reads the manifest and the ledger, as a run does before its first unit. pyarrow
holds all rows in memory at once, so it is left out above 50 million picks.
"""

import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.picks.shard import Picked
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.picks.thresholds import Threshold
from cryopick_ray.store.manifest import ManifestRow, publish_part, read_manifest
from cryopick_ray.store.place import Place

PER_MICROGRAPH, PER_SHARD = 300, 64
SIDE_PX = 4096
DIGEST = "d"
IN_MEMORY_PICKS = 50_000_000
CUT = 0.4
EDGE_PX, MOST = 100, 200


@dataclass(frozen=True)
class Trial:
    """What one process took; ``answer`` says that all did the same."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    answer: int


def micrograph_id(number: int) -> str:
    """Return a name as long as they come."""
    return f"10000/data/Images-Disc1/GridSquare_{number // 500:06d}/FoilHole_{number:08d}_Data.mrc"


def make(folder: Path, micrographs: int) -> None:
    """Publish candidates of random places and scores, and the manifest of a store of those micrographs."""
    rng = np.random.default_rng(0)
    shards = PickShards(str(folder), DIGEST, create=True)
    shards.describe({})
    store = Place(str(folder / "store"), create=True)
    rows = iter(manifest(micrographs).values())
    for unit in iter(lambda: list(islice(rows, PER_SHARD)), []):
        publish_part(store, unit)
        picked = []
        for row in unit:
            x, y = rng.uniform(0, SIDE_PX, (2, PER_MICROGRAPH)).astype(np.float32)
            score = rng.beta(1, 3, PER_MICROGRAPH).astype(np.float32)
            order = np.lexsort((x, y, -score))  # as pickers do
            found = Candidates(x[order], y[order], score[order])
            picked.append(Picked(row.micrograph_id, row.checksum, found))
        shards.publish(picked)


def manifest(micrographs: int) -> dict[str, ManifestRow]:
    """Return the rows of a store of them."""
    names = map(micrograph_id, range(micrographs))
    return {
        name: ManifestRow(
            name, "10000", name, f"/archive/{name}", f"{number:08x}", SIDE_PX, SIDE_PX, 1.0, 512, 512,
            10**6 + number, 300.0, 2.7, 0.1, "complete", "",
        )
        for number, name in enumerate(names)
    }  # fmt: skip


def own_table(folder: Path, out: Path, *, auto: bool = False, **selection: float) -> int:
    """Make the table as a run does."""
    from cryopick_ray.passes.build import TableSettings, build_table
    from cryopick_ray.selection import SelectionSettings

    shards = PickShards(str(folder), DIGEST)
    rows = manifest(len(shards.published()) * PER_SHARD)
    threshold = None if auto else Threshold(CUT, "given")
    settings = TableSettings(150.0, "log", DIGEST, selection=SelectionSettings.model_validate(selection))
    build_table(shards, rows, out, settings=settings, threshold=threshold)
    return rows_of(out)


def own_passes(folder: Path, out: Path) -> int:
    """Make it with three passes, and count the picks."""
    own_table(folder, out, edge_A=EDGE_PX, most_picks=MOST)
    return picks_of(out)


def own_spacing(folder: Path, out: Path) -> int:
    """The same with a least distance, too."""
    own_table(folder, out, edge_A=EDGE_PX, most_picks=MOST, min_distance_A=75)
    return picks_of(out)


def duckdb_passes(folder: Path, out: Path) -> int:
    """The three passes as one statement."""
    import duckdb

    out.mkdir()
    inside = f"least(x_px, y_px, {SIDE_PX - 1} - x_px, {SIDE_PX - 1} - y_px) + 0.5 >= {EDGE_PX}"
    rank = "row_number() OVER (PARTITION BY micrograph_id, inside ORDER BY score DESC, y_px, x_px)"
    with duckdb.connect() as connection:
        connection.execute(f"SET temp_directory='{out}.spill'")
        connection.execute(
            f"COPY (SELECT *, inside AND score >= {CUT}::FLOAT AND {rank} <= {MOST} AS picked FROM "
            f"(SELECT *, {inside} AS inside FROM read_parquet('{folder}/{DIGEST}/*.parquet')) "
            "ORDER BY micrograph_id, score DESC, y_px, x_px) "
            f"TO '{out}/part-0.parquet' (FORMAT parquet, COMPRESSION zstd)"
        )
    return picks_of(out)


def pyarrow_passes(folder: Path, out: Path) -> int:
    """The three passes over all rows in memory."""
    import pyarrow as pa
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    table = ds.dataset(_files(folder)).to_table()
    order = [("micrograph_id", "ascending"), ("score", "descending"), ("y_px", "ascending")]
    table = table.sort_by([*order, ("x_px", "ascending")])
    x, y, score = (table[name].to_numpy() for name in ("x_px", "y_px", "score"))
    inside = np.minimum.reduce([x, y, SIDE_PX - 1 - x, SIDE_PX - 1 - y]) + np.float32(0.5) >= EDGE_PX
    codes = table["micrograph_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    first = np.flatnonzero(np.diff(codes, prepend=-1))
    counted = np.concatenate([[0], np.cumsum(inside)])
    rank = counted[1:] - np.repeat(counted[first], np.diff(first, append=len(codes)))
    picked = inside & (score >= np.float32(CUT)) & (rank <= MOST)
    out.mkdir()
    pq.write_table(
        table.append_column("picked", pa.array(picked)), out / "part-0.parquet", compression="zstd"
    )
    return picks_of(out)


def own_table_auto(folder: Path, out: Path) -> int:
    """The same with a threshold that is found in the scores."""
    return own_table(folder, out, auto=True)


def own_resume(folder: Path, out: Path) -> int:
    """Find out what is left to do, as a run does before its first unit."""
    from cryopick_ray.stages.ledger import covered_ids

    del out
    rows = read_manifest(Place(str(folder / "store")))
    covered, _ = covered_ids(PickShards(str(folder), DIGEST), rows)
    return len(rows) - len(covered)


def pyarrow_table(folder: Path, out: Path) -> int:
    """Read all, sort, write."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset as ds

    table = ds.dataset(_files(folder)).to_table()
    order = [("micrograph_id", "ascending"), ("score", "descending"), ("y_px", "ascending")]
    table = table.sort_by([*order, ("x_px", "ascending")])
    n = len(table)
    table = (
        table.append_column("dataset", pa.repeat(pa.scalar("10000"), n))
        .append_column("diameter_A", pa.repeat(pa.scalar(150.0, pa.float32()), n))
        .append_column("model", pa.repeat(pa.scalar("log"), n))
        .append_column("picked", pc.greater_equal(table["score"], pa.scalar(CUT, pa.float32())))
    )
    options = ds.ParquetFileFormat().make_write_options(compression="zstd")
    ds.write_dataset(table, out, format="parquet", file_options=options, max_rows_per_file=2**20)
    return rows_of(out)


def duckdb_table(folder: Path, out: Path) -> int:
    """The same as one statement."""
    import duckdb

    out.mkdir()
    with duckdb.connect() as connection:
        connection.execute(f"SET temp_directory='{out}.spill'")
        connection.execute(
            "COPY (SELECT '10000' AS dataset, micrograph_id, x_px, y_px, score, 150::FLOAT AS diameter_A, "
            f"'log' AS model, score >= {CUT} AS picked FROM read_parquet('{folder}/{DIGEST}/*.parquet') "
            "ORDER BY micrograph_id, score DESC, y_px, x_px) "
            f"TO '{out}/part-0.parquet' (FORMAT parquet, COMPRESSION zstd)"
        )
    return rows_of(out)


def own_counts(folder: Path, out: Path) -> int:
    """Count from what the shards say of themselves."""
    from cryopick_ray.picks.coverage import coverage

    del out
    covered = coverage(PickShards(str(folder), DIGEST))
    return sum(line.count == PER_MICROGRAPH for _, line in covered.values())


def pyarrow_counts(folder: Path, out: Path) -> int:
    """Read the ids and group them."""
    import pyarrow.compute as pc
    import pyarrow.dataset as ds

    del out
    names = ds.dataset(_files(folder)).to_table(["micrograph_id"])
    counts = names.group_by("micrograph_id").aggregate([([], "count_all")])
    return int(pc.sum(pc.equal(counts["count_all"], PER_MICROGRAPH)).as_py())


def duckdb_counts(folder: Path, out: Path) -> int:
    """The same as one statement."""
    import duckdb

    del out
    with duckdb.connect() as connection:
        [(answer,)] = connection.execute(
            "SELECT count(*) FROM (SELECT micrograph_id, count(*) AS n FROM "
            f"read_parquet('{folder}/{DIGEST}/*.parquet') GROUP BY 1) WHERE n = {PER_MICROGRAPH}"
        ).fetchall()
    return int(answer)


VARIANTS: dict[str, Callable[[Path, Path], int]] = {
    "table, ours": own_table,
    "table, ours, threshold found": own_table_auto,
    "table, pyarrow": pyarrow_table,
    "table, DuckDB": duckdb_table,
    "passes, ours": own_passes,
    "passes, pyarrow": pyarrow_passes,
    "passes, DuckDB": duckdb_passes,
    "passes and spacing, ours": own_spacing,
    "resume, ours": own_resume,
    "counts, ours": own_counts,
    "counts, pyarrow": pyarrow_counts,
    "counts, DuckDB": duckdb_counts,
}


def _files(folder: Path) -> list[str]:
    return [str(path) for path in sorted((folder / DIGEST).glob("*.parquet"))]


def rows_of(out: Path) -> int:
    """Return the rows of all parts below a folder."""
    import pyarrow.parquet as pq

    return sum(pq.read_metadata(path).num_rows for path in out.rglob("part-*.parquet"))


def picks_of(out: Path) -> int:
    """Return the picks in all parts below a folder."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    parts = (pq.read_table(path, columns=["picked"]) for path in out.rglob("part-*.parquet"))
    return sum(int(pc.sum(part["picked"]).as_py() or 0) for part in parts)


def trial(variant: str, folder: Path) -> Trial:
    """Do it once, in a process that did nothing else."""
    out = folder / "out"
    start, cpu_start = time.perf_counter(), time.process_time()
    answer = VARIANTS[variant](folder, out)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    status = Path("/proc/self/status").read_text()
    peak_KiB = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    for left in (out, Path(f"{out}.spill")):
        shutil.rmtree(left, ignore_errors=True)
    return Trial(seconds, cpu_seconds, 1024 * peak_KiB, answer)


def main(
    picks: Annotated[int, typer.Option(help="Candidates of all micrographs.")] = 20_000_000,
    rounds: Annotated[int, typer.Option(help="Trials of each.")] = 3,
    only: Annotated[str, typer.Option(help="Variants whose names contain this.")] = "",
    folder: Annotated[Path | None, typer.Option(help="Made and kept; default: a temporary one.")] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Time all variants in alternation and print a table."""
    micrographs = -(-picks // (PER_MICROGRAPH * PER_SHARD)) * PER_SHARD
    names = [name for name in VARIANTS if only in name]
    if picks > IN_MEMORY_PICKS:
        names = [name for name in names if "pyarrow" not in name or name == "counts, pyarrow"]
    trials: dict[str, list[Trial]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory(prefix="cryopick-tables-") as temporary:
        place = folder or Path(temporary)
        if not (place / DIGEST).is_dir():
            place.mkdir(exist_ok=True)
            make(place, micrographs)
        for _ in range(rounds):
            for name in names:
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                    trials[name].append(pool.submit(trial, name, place).result())
    if as_json:
        typer.echo(json.dumps({name: list(map(asdict, done)) for name, done in trials.items()}, indent=1))
        return
    typer.echo(f"{micrographs * PER_MICROGRAPH} picks of {micrographs} micrographs, {os.cpu_count()} CPUs\n")
    typer.echo(
        "| what | s: least, median | CPU s: least, median | peak MiB | answer |\n|---|---|---|---|---|"
    )
    for name, done in trials.items():
        times = (sorted(getattr(one, kind) for one in done) for kind in ("seconds", "cpu_seconds"))
        columns = [f"{least[0]:.1f}, {statistics.median(least):.1f}" for least in times]
        peak = f"{max(one.peak_bytes for one in done) / 2**20:.0f}"
        answers = ", ".join(map(str, {one.answer for one in done}))
        typer.echo(f"| {' | '.join([name, *columns, peak, answers])} |")


if __name__ == "__main__":
    typer.run(main)
