"""Shards to the data-set-wide table, with Dask: known divisions, no shuffle.

The picks of one micrograph lie in one shard, so each partition of the table, a run of consecutive
micrographs, gathers its own rows and nothing is moved between partitions. Which micrographs make a
partition depends on their ids and counts alone, never on how the work was cut into shards: the same
picks give the same files, byte for byte.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

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
from cryopick_ray.micrographs.junk import KINDS
from cryopick_ray.picks.coverage import coverage
from cryopick_ray.picks.cuts import Scores
from cryopick_ray.picks.gather import Partition, places
from cryopick_ray.picks.judged import count_parts, judged, strange_ones
from cryopick_ray.picks.outside import read_masks
from cryopick_ray.picks.schema import PICKS, PickedMicrograph
from cryopick_ray.picks.shard import Coverage
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.picks.table import INDEX, dataset_folder, write_index
from cryopick_ray.picks.thresholds import Threshold, auto_threshold, log_odds_threshold
from cryopick_ray.picks.unpicked import Unpicked
from cryopick_ray.store.manifest import ManifestRow
from cryopick_ray.store.publish import whole_folder

PARTITION_ROWS = 500_000
"""Rows of a partition at most, where one micrograph has no more."""
THRESHOLD_SCORES = 4_000_000
"""Scores that a threshold is found on, about at most: all of 20 million changed its sixth digit."""
_OF_PICKS = ("inverted", "mask", "junk_share")
"""What only a shard's coverage says of a micrograph."""


@dataclass(frozen=True)
class TableSettings:
    """What joins the candidates in the table, and what of them stays unpicked.

    Attributes
    ----------
    keep_junk
        Whether what lies on junk may be picked, unless a mask of the user excludes it.
    masks
        Such masks: a file by micrograph id.
    any_image, calibrated
        Whether what looks like no micrograph may be picked, and whether scores are probabilities.
    """

    diameter_A: float
    model: str
    digest: str
    keep_junk: bool = False
    masks: Mapping[str, Path] = field(default_factory=dict)
    any_image: bool = False
    calibrated: bool = False


def from_scores(scores: Scores) -> Threshold:
    """Return the cut that the scores of a data set suggest by themselves."""
    return auto_threshold(scores.score)


def from_probabilities(scores: Scores) -> Threshold:
    """Likewise where scores are from 0 to 1."""
    return log_odds_threshold(scores.score)


def build_table(
    shards: PickShards,
    manifest: Mapping[str, ManifestRow],
    out: Path,
    *,
    settings: TableSettings,
    threshold: Threshold | None,
    choose: Callable[[Scores], Threshold] = from_scores,
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
    choose
        How: from the scores of its candidates.
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
    masked = read_masks(settings.masks, micrographs, (places(shards, part) for part in partitions))
    strange = {} if settings.any_image else strange_ones(manifest, micrographs, settings.diameter_A)
    unpicked = Unpicked(masked, frozenset(strange), settings.keep_junk)
    with whole_folder(out) as aside, dask.config.set(scheduler="threads"):
        thresholds = (
            dict.fromkeys((part.dataset for part in partitions), threshold)
            if threshold
            else {
                one: choose(found)
                for one, found in _scores(shards, partitions, micrographs, unpicked).items()
            }
        )
        for name, cut in thresholds.items():
            own = [part for part in partitions if part.dataset == name]
            frame = dataset_frame(shards, own, settings, cut, unpicked)
            _write_dataset(frame, aside / dataset_folder(name), settings.digest)
        counts = count_parts(aside, thresholds, calibrated=settings.calibrated)
        told = judged(list(map(masked.told, micrographs)), manifest, counts, strange, settings.diameter_A)
        write_index(aside, told, settings.diameter_A, keep_junk=settings.keep_junk)
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
        **{name: getattr(line, name) for name in _OF_PICKS if isinstance(line, Coverage)},
    )


def _scores(
    shards: PickShards,
    partitions: Sequence[Partition],
    micrographs: Iterable[PickedMicrograph],
    unpicked: Unpicked,
) -> dict[str, Scores]:
    """Return the scores by data set that a threshold is found on: all, or where they are many, every n-th.

    Counted in each partition in order of score, so that the distribution stays, and depends on the picks
    alone. What cannot be picked is no candidate here.
    """
    totals = dict.fromkeys((part.dataset for part in partitions), 0)
    for part in partitions:
        totals[part.dataset] += part.rows

    step = {name: -(-total // THRESHOLD_SCORES) for name, total in totals.items()}
    complete = Counter(one.dataset for one in micrographs if one.status == "complete")

    def thinned(number: int) -> NDArray[np.float32]:
        part = partitions[number]  # Dask would search an argument for tasks, every name in it
        own = step[part.dataset]
        rows, out = unpicked.gather(shards, part)
        return np.sort(rows["score"].to_numpy()[~out])[own // 2 :: own].copy()

    found: dict[str, list[NDArray[np.float32]]] = {name: [] for name in totals}
    tasks = [delayed(thinned)(number) for number in range(len(partitions))]
    for part, scores in zip(partitions, compute(*tasks), strict=True):
        found[part.dataset].append(scores)
    return {
        name: Scores(np.concatenate(parts), complete[name], one_of=step[name])
        for name, parts in found.items()
    }


def dataset_frame(
    shards: PickShards,
    partitions: Sequence[Partition],
    settings: TableSettings,
    threshold: Threshold,
    unpicked: Unpicked,
) -> dd.DataFrame:
    """Return one data set's rows of the table, indexed by micrograph id, its divisions known."""

    def frame(part: Partition) -> pd.DataFrame:
        rows, out = unpicked.gather(shards, part)
        score = rows["score"].to_numpy()
        columns = {
            "dataset": pa.repeat(pa.scalar(part.dataset), len(rows)),
            **{name: rows[name] for name in ("micrograph_id", "x_px", "y_px", "score")},
            "diameter_A": np.full(len(rows), settings.diameter_A, np.float32),
            "model": pa.repeat(pa.scalar(settings.model), len(rows)),
            "picked": (score >= np.float32(threshold.value)) & ~out,
            "junk": pa.array(KINDS).take(rows["junk"].combine_chunks()),
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
        use_dictionary=["dataset", "micrograph_id", "diameter_A", "model", "junk"],
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
