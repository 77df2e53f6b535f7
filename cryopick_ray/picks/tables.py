"""Shards to the data-set-wide table, with Dask: known divisions, no shuffle.

The picks of one micrograph lie in one shard, so each partition of the table, a run of consecutive
micrographs, gathers its own rows and nothing is moved between partitions. Which micrographs make a
partition depends on their ids and counts alone, never on how the work was cut into shards: the same
picks give the same files, byte for byte.
"""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import dask.config
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from dask.base import compute
from dask.delayed import delayed
from numpy.typing import NDArray

from cryopick_ray import __version__
from cryopick_ray.errors import PicksError, UsageError
from cryopick_ray.picks.schema import PICKS, PickedMicrograph
from cryopick_ray.picks.shards import Coverage, PickShards
from cryopick_ray.picks.table import INDEX, dataset_folder, write_index
from cryopick_ray.picks.thresholds import Threshold, auto_threshold
from cryopick_ray.store.manifest import ManifestRow

PARTITION_ROWS = 500_000
"""Rows of a partition at most, where one micrograph has no more."""


@dataclass(frozen=True)
class Partition:
    """Consecutive micrographs of one data set and the shards that hold their candidates."""

    dataset: str
    micrograph_ids: tuple[str, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True)
class TableSettings:
    """What joins the candidates in the table."""

    diameter_A: float
    model: str
    digest: str


def build_table(
    shards: PickShards,
    manifest: Mapping[str, ManifestRow],
    out: Path,
    *,
    settings: TableSettings,
    threshold: Threshold | None,
) -> dict[str, Threshold]:
    """Write the table of one digest to the folder ``out`` and return each data set's threshold.

    Parameters
    ----------
    shards
        All shards of the digest. Candidates of micrographs that the manifest does not list are an error.
    manifest
        The store's micrographs, failed ones included.
    threshold
        Score from which a candidate is picked; ``None`` to choose one per data set.

    Raises
    ------
    PicksError
        If a micrograph is covered twice, or a shard is damaged.
    """
    if out.exists() and not (out / INDEX).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is there and is no table; choose another --out")
    covered = coverage(shards)
    micrographs = [_micrograph(row, covered) for row in manifest.values() if _is_known(row, covered)]
    if unknown := sorted(set(covered) - set(manifest)):
        raise PicksError(f"{shards.place.url} covers {unknown[0]}, which the store does not hold")
    partitions = plan_partitions(micrographs, covered)
    aside = out.with_name(out.name + ".partial")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    with dask.config.set(scheduler="threads"):
        thresholds = {
            name: threshold or auto_threshold(scores) for name, scores in _scores(shards, partitions).items()
        }
        for name in sorted({m.dataset for m in micrographs}):
            own = [part for part in partitions if part.dataset == name]
            _write_dataset(shards, own, aside / dataset_folder(name), settings, thresholds)
    write_index(aside / INDEX, micrographs, settings.diameter_A)
    shutil.rmtree(out, ignore_errors=True)
    aside.rename(out)
    return thresholds


def coverage(shards: PickShards) -> dict[str, tuple[str, Coverage]]:
    """Return, per micrograph id, the shard that covers it and how it went there.

    Raises
    ------
    PicksError
        If two shards cover one micrograph.
    """
    covered: dict[str, tuple[str, Coverage]] = {}
    for key in shards.published():
        for line in shards.read(key)[1]:
            if line.micrograph_id in covered:
                other = covered[line.micrograph_id][0]
                raise PicksError(
                    f"{line.micrograph_id} is in two shards, {other} and {key} of {shards.place.url}; "
                    "delete one of them and run again with --resume"
                )
            covered[line.micrograph_id] = key, line
    return covered


def plan_partitions(
    micrographs: Iterable[PickedMicrograph], covered: Mapping[str, tuple[str, Coverage]]
) -> list[Partition]:
    """Cut the micrographs that have candidates into runs of about ``PARTITION_ROWS`` rows."""
    partitions: list[Partition] = []
    ids: list[str] = []
    rows = 0
    dataset = ""

    def close() -> None:
        if ids:
            keys = tuple(dict.fromkeys(covered[name][0] for name in ids))
            partitions.append(Partition(dataset, tuple(ids), keys))

    for micrograph in sorted(micrographs, key=lambda m: (m.dataset, m.micrograph_id)):
        count = covered[micrograph.micrograph_id][1].count if micrograph.micrograph_id in covered else 0
        if count == 0:
            continue
        if micrograph.dataset != dataset or rows + count > PARTITION_ROWS:
            close()
            ids, rows, dataset = [], 0, micrograph.dataset
        ids.append(micrograph.micrograph_id)
        rows += count
    close()
    return partitions


def _is_known(row: ManifestRow, covered: Mapping[str, object]) -> bool:
    return row.status == "failed" or row.micrograph_id in covered


def _micrograph(row: ManifestRow, covered: Mapping[str, tuple[str, Coverage]]) -> PickedMicrograph:
    line = covered[row.micrograph_id][1] if row.micrograph_id in covered else row
    return PickedMicrograph(
        micrograph_id=row.micrograph_id,
        dataset=row.dataset,
        relion_name=row.relion_name,
        shape=row.source_shape if row.status == "complete" else None,
        pixel_size_A=row.pixel_size_A if row.status == "complete" else None,
        optics=row.optics,
        status=line.status,
        reason=line.reason,
    )


def _scores(shards: PickShards, partitions: Sequence[Partition]) -> dict[str, NDArray[np.float32]]:
    """Return all scores by data set, in the table's order."""
    read = [delayed(lambda part: _gather(shards, part)["score"].to_numpy())(part) for part in partitions]
    scores: dict[str, list[NDArray[np.float32]]] = {part.dataset: [] for part in partitions}
    for part, values in zip(partitions, compute(*read), strict=True):
        scores[part.dataset].append(values)
    return {name: np.concatenate(parts) for name, parts in scores.items()}


def _write_dataset(
    shards: PickShards,
    partitions: Sequence[Partition],
    folder: Path,
    settings: TableSettings,
    thresholds: Mapping[str, Threshold],
) -> None:
    """Write one data set's partitions as ``part-00000.parquet`` and so on."""
    if not partitions:
        return

    def frame(part: Partition) -> pd.DataFrame:
        rows = _gather(shards, part)
        picked = pc.greater_equal(rows["score"], pa.scalar(thresholds[part.dataset].value, pa.float32()))
        columns = {
            "dataset": pa.repeat(pa.scalar(part.dataset), len(rows)),
            **{name: rows[name] for name in rows.column_names},
            "diameter_A": pa.repeat(pa.scalar(settings.diameter_A, pa.float32()), len(rows)),
            "model": pa.repeat(pa.scalar(settings.model), len(rows)),
            "picked": picked,
        }
        return _to_pandas(pa.table(columns, schema=PICKS))

    first = [part.micrograph_ids[0] for part in partitions]
    table = dd.from_map(
        frame,
        list(partitions),
        meta=_to_pandas(PICKS.empty_table()),
        divisions=(*first, partitions[-1].micrograph_ids[-1]),
    )
    table.to_parquet(
        str(folder),
        schema=PICKS,
        write_index=False,
        write_metadata_file=False,
        compression="zstd",
        name_function=lambda number: f"part-{number:05d}.parquet",
        custom_metadata={
            b"cryopick.version": __version__.encode(),
            b"cryopick.digest": settings.digest.encode(),
        },
    )


def _to_pandas(table: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas(types_mapper={pa.string(): pd.ArrowDtype(pa.string())}.get)
    return frame.set_index("micrograph_id", drop=False).rename_axis(None)


def _gather(shards: PickShards, part: Partition) -> pa.Table:
    """Return the candidates of a partition's micrographs, sorted by id, falling score, y, x."""
    wanted = pa.array(part.micrograph_ids, pa.string())
    tables = [shards.read(key)[0] for key in part.keys]
    rows = pa.concat_tables([table.filter(pc.is_in(table["micrograph_id"], wanted)) for table in tables])
    order = [
        ("micrograph_id", "ascending"),
        ("score", "descending"),
        ("y_px", "ascending"),
        ("x_px", "ascending"),
    ]
    return rows.sort_by(order)
