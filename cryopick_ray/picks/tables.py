"""Shards to the data-set-wide table, with Dask: known divisions, no shuffle.

The picks of one micrograph lie in one shard, so each partition of the table, a run of consecutive
micrographs, gathers its own rows and nothing is moved between partitions. Which micrographs make a
partition depends on their ids and counts alone, never on how the work was cut into shards: the same
picks give the same files, byte for byte.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask.config
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pyarrow as pa
from dask.base import compute
from dask.delayed import delayed
from numpy.typing import NDArray

from cryopick_ray import __version__
from cryopick_ray.errors import PicksError, UsageError
from cryopick_ray.picks.coverage import coverage
from cryopick_ray.picks.judged import among, count_parts, judged, strange_ones
from cryopick_ray.picks.schema import PICKS, SHARD, PickedMicrograph
from cryopick_ray.picks.shard import Coverage
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.picks.table import INDEX, dataset_folder, write_index
from cryopick_ray.picks.thresholds import Threshold, auto_threshold
from cryopick_ray.store.manifest import ManifestRow
from cryopick_ray.store.publish import whole_folder

PARTITION_ROWS = 500_000
"""Rows of a partition at most, where one micrograph has no more."""
THRESHOLD_SCORES = 4_000_000
"""Scores that an automatic threshold looks at, about at most: all of 20 million changed its sixth digit."""


@dataclass(frozen=True)
class Partition:
    """Consecutive micrographs of one data set.

    Attributes
    ----------
    micrograph_ids
        Sorted.
    keys
        The shard that holds each one's candidates.
    rows
        Candidates of all of them.
    """

    dataset: str
    micrograph_ids: tuple[str, ...]
    keys: tuple[str, ...]
    rows: int


@dataclass(frozen=True)
class TableSettings:
    """What joins the candidates in the table.

    Attributes
    ----------
    any_image, of_one
        Whether what looks like no micrograph may be picked, and whether scores are probabilities.
    """

    diameter_A: float
    model: str
    digest: str
    any_image: bool = False
    of_one: bool = False


def build_table(
    shards: PickShards,
    manifest: Mapping[str, ManifestRow],
    out: Path,
    *,
    settings: TableSettings,
    threshold: Threshold | None,
    keys: Sequence[str] | None = None,
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
    keys
        Of the shards that count; ``None`` for all there are.

    Raises
    ------
    PicksError
        If a shard is damaged.
    """
    if out.exists() and not _may_replace(out):
        raise UsageError(f"{out} is there and is no table; choose another `out`")
    covered = coverage(shards, manifest, keys)
    micrographs = [_micrograph(row, covered) for row in manifest.values() if _is_known(row, covered)]
    if unknown := sorted(set(covered) - set(manifest)):
        raise PicksError(f"{shards.place.url} covers {unknown[0]}, which the store does not hold")
    partitions = plan_partitions(micrographs, covered)
    strange = {} if settings.any_image else strange_ones(manifest, micrographs, settings.diameter_A)
    with whole_folder(out) as aside, dask.config.set(scheduler="threads"):
        thresholds = (
            dict.fromkeys((part.dataset for part in partitions), threshold)
            if threshold
            else {one: auto_threshold(found) for one, found in _scores(shards, partitions, strange).items()}
        )
        for name, cut in thresholds.items():
            own = [part for part in partitions if part.dataset == name]
            frame = dataset_frame(shards, own, settings, cut, strange)
            _write_dataset(frame, aside / dataset_folder(name), settings.digest)
        counts = count_parts(aside, thresholds, of_one=settings.of_one)
        told = judged(micrographs, manifest, counts, strange, settings.diameter_A)
        write_index(aside, told, settings.diameter_A)
    return thresholds


def _may_replace(out: Path) -> bool:
    """Tell whether a folder holds a table, whole or not, and nothing else."""
    files = [path.relative_to(out).as_posix() for path in out.rglob("*") if not path.is_dir()]
    return out.is_dir() and all(re.fullmatch(rf"{INDEX}|[^/]+/part-\d+\.parquet", name) for name in files)


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
            keys = tuple(covered[name][0] for name in ids)
            partitions.append(Partition(dataset, tuple(ids), keys, rows))

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
    return row.status != "complete" or row.micrograph_id in covered


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
        optics_group=row.optics_group,
        listed=row.listed,
        inverted=isinstance(line, Coverage) and line.inverted,
    )


def _scores(
    shards: PickShards, partitions: Sequence[Partition], strange: Collection[str]
) -> dict[str, NDArray[np.float32]]:
    """Return the scores by data set that a threshold is found on: all, or where they are many, every n-th.

    Counted in each partition in order of score, so that the distribution stays, and depends on the picks
    alone; those of ``strange`` micrographs, which may be of any height, do not count.
    """
    totals = dict.fromkeys((part.dataset for part in partitions), 0)
    for part in partitions:
        totals[part.dataset] += part.rows

    def thinned(number: int) -> NDArray[np.float32]:
        part = partitions[number]  # Dask would search an argument for tasks, every name in it
        step = -(-totals[part.dataset] // THRESHOLD_SCORES)
        rows = _gather(shards, part)
        score = rows["score"].to_numpy()[~among(rows["micrograph_id"], strange)]
        return np.sort(score)[step // 2 :: step].copy()

    found: dict[str, list[NDArray[np.float32]]] = {name: [] for name in totals}
    tasks = [delayed(thinned)(number) for number in range(len(partitions))]
    for part, scores in zip(partitions, compute(*tasks), strict=True):
        found[part.dataset].append(scores)
    return {name: np.concatenate(parts) for name, parts in found.items()}


def dataset_frame(
    shards: PickShards,
    partitions: Sequence[Partition],
    settings: TableSettings,
    threshold: Threshold,
    strange: Collection[str] = (),
) -> dd.DataFrame:
    """Return one data set's rows of the table by micrograph id; of ``strange`` ones nothing is picked."""

    def frame(part: Partition) -> pd.DataFrame:
        rows = _gather(shards, part)
        score = rows["score"].to_numpy()
        columns = {
            "dataset": pa.repeat(pa.scalar(part.dataset), len(rows)),
            **{name: rows[name] for name in rows.column_names},
            "diameter_A": np.full(len(rows), settings.diameter_A, np.float32),
            "model": pa.repeat(pa.scalar(settings.model), len(rows)),
            "picked": (score >= np.float32(threshold.value)) & ~among(rows["micrograph_id"], strange),
        }
        return _to_pandas(pa.table(columns, schema=PICKS))

    first = [part.micrograph_ids[0] for part in partitions]
    table: dd.DataFrame = dd.from_map(
        frame,
        list(partitions),
        meta=_to_pandas(PICKS.empty_table()),
        divisions=(*first, partitions[-1].micrograph_ids[-1]),
    )
    return table


def _write_dataset(table: dd.DataFrame, folder: Path, digest: str) -> None:
    """Write one data set's partitions as ``part-00000.parquet`` and so on."""
    table.to_parquet(
        str(folder),
        schema=PICKS,
        write_index=False,
        write_metadata_file=False,
        compression="zstd",
        write_page_checksum=True,
        use_dictionary=["dataset", "micrograph_id", "diameter_A", "model"],
        use_byte_stream_split=["x_px", "y_px", "score"],  # smaller and quicker than a dictionary of them
        name_function=lambda number: f"part-{number:05d}.parquet",
        custom_metadata={
            b"cryopick.version": __version__.encode(),
            b"cryopick.digest": digest.encode(),
        },
    )


def _to_pandas(table: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas(types_mapper={pa.string(): pd.ArrowDtype(pa.string())}.get)
    return frame.set_index("micrograph_id", drop=False).rename_axis(None)


def _gather(shards: PickShards, part: Partition) -> pa.Table:
    """Return the candidates of a partition's micrographs, sorted by id, falling score, y, x."""
    places = {name: place for place, name in enumerate(part.micrograph_ids)}
    found = [_own(shards, key, part, places) for key in dict.fromkeys(part.keys)]
    place, x, y, score = (np.concatenate(column) for column in zip(*found, strict=True))
    if len(place) != part.rows:
        raise PicksError(f"shards in {shards.place.url} changed while the table was made; make it again")
    if not _in_order(keys := (place, -score, y, x)):
        order = np.lexsort(keys[::-1])
        place, x, y, score = (column[order] for column in (place, x, y, score))
    names = pa.array(part.micrograph_ids, pa.string()).take(place)
    return pa.table({"micrograph_id": names, "x_px": x, "y_px": y, "score": score}, schema=SHARD)


def _in_order(keys: Iterable[NDArray[Any]]) -> bool:
    """Tell whether rows are sorted by these columns, as they are where one run picked all micrographs."""
    tied: NDArray[np.bool_] | bool = True
    for key in keys:
        step = np.diff(key)
        if np.any(tied & (step < 0)):
            return False
        tied = tied & (step == 0)
    return True


def _own(
    shards: PickShards, key: str, part: Partition, places: Mapping[str, int]
) -> tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return the candidates that a partition takes from one shard, and at which place their micrograph is."""
    rows, lines = shards.read(key)
    wanted = [places.get(line.micrograph_id, -1) for line in lines]
    wanted = [place if place >= 0 and part.keys[place] == key else -1 for place in wanted]
    place = np.repeat(wanted, [line.count for line in lines])
    keep = place >= 0
    x, y, score = (rows[name].to_numpy()[keep] for name in ("x_px", "y_px", "score"))
    return place[keep], x, y, score
