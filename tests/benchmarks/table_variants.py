"""Shards of many random picks, and the ways to make a table of them that are compared."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np

from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.picks.shard import Picked
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.picks.thresholds import Threshold
from cryopick_ray.store.manifest import ManifestRow, publish_part, read_manifest
from cryopick_ray.store.place import Place

PER_MICROGRAPH, PER_SHARD = 300, 64
SIDE_PX = 4096
DIGEST = "d"
CUT = 0.4
EDGE_PX, MOST = 100, 200


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
    from cryopick_ray.settings.selection_settings import SelectionSettings

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
    covered = coverage(PickShards(str(folder), DIGEST), {})
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
