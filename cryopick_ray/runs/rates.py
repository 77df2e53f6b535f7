"""Rates: measured on a few of the micrographs, or of another machine's ``cryopick bench --json``."""

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cryopick_ray.engine.unit import UnitReport
from cryopick_ray.errors import PixelSizeError, UsageError, brief
from cryopick_ray.micrographs.remote_files import size_bytes
from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.pickers.device.usable_device import usable_device
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.plain_data import read_json
from cryopick_ray.runs.cost import StageRates
from cryopick_ray.runs.pipeline import RunPlan
from cryopick_ray.stages.ingest_worker import IngestWorker
from cryopick_ray.stages.pick_worker import PickWorker
from cryopick_ray.store.layout import MANIFEST
from cryopick_ray.store.manifest import read_manifest
from cryopick_ray.store.scale import unfit
from cryopick_ray.store.store import MicrographStore

SAMPLED = 4
"""Micrographs that are ingested and picked."""
ASKED = 16
"""Files elsewhere whose sizes are asked for."""
CANDIDATE_BYTES = 10
"""What a candidate takes in a shard: three numbers that hardly compress."""
LARGEST_FILE = 2**24
DIGEST = "plan"


def measure(plan: RunPlan) -> StageRates:
    """Ingest and pick a few of a run's micrographs in a temporary folder.

    One goes through before the clock starts: what is done once per worker is not what a micrograph costs.

    Raises
    ------
    UsageError
        If none of them can be read and picked.
    """
    settings = plan.settings
    sample = spread(plan.sources, SAMPLED)
    with TemporaryDirectory(prefix="cryopick-plan-") as folder:
        store = MicrographStore(f"{folder}/store", create=True)
        ingesting = IngestWorker(store.place.url, settings.ingest(plan.pixel_size_A))
        ingesting.process(sample[:1])
        ingested = _Spent(ingesting.process, sample)
        manifest = read_manifest(store.place)
        rows = [row for row in manifest.values() if row.status == "complete"]
        if not rows:
            failed = manifest[sample[0].micrograph_id]
            raise UsageError(
                f"of {len(sample)} micrographs none can be read; {failed.source}: {failed.reason}"
            )
        if not (fit := [row for row in rows if not unfit(row, plan.pixel_size_A)]):
            raise PixelSizeError(unfit(rows[0], plan.pixel_size_A))
        rows = fit
        shards = PickShards(f"{folder}/picks", DIGEST, create=True)
        device = usable_device(plan.engine.device).type
        picking = PickWorker(store.place.url, shards.place.url, DIGEST, settings.pick, device)
        picking.process(rows[:1])
        for key in shards.published():
            shards.delete(key)  # what is published is not done again
        picked = _Spent(picking.process, rows)
        if picked.report.failures:
            raise UsageError("{} cannot be picked: {}".format(*picked.report.failures[0]))
        stored = sum(size for key, size in store.place.sizes().items() if not key.startswith(MANIFEST))
        shard_bytes = sum(shards.place.sizes().values())
    count, read = len(rows), {row.micrograph_id for row in rows}
    return StageRates(
        source_bytes=total_bytes([one for one in sample if one.micrograph_id in read]) / count,
        store_bytes=stored / count,
        picks_bytes=shard_bytes / count,
        candidates=picked.report.candidates / count,
        ingest_s=ingested.worker_s / len(sample),
        pick_s=picked.seconds / count if device == "cuda" else picked.worker_s / count,
        cpu_s=ingested.cpu_seconds / len(sample) + picked.cpu_seconds / count,
        on_gpu=device == "cuda",
    )


def from_bench(path: Path, model: str | None) -> StageRates:
    """Return the rates in what ``cryopick bench --json`` printed.

    Parameters
    ----------
    model
        Which of the models that were measured, by name or file; ``None`` for the first.

    Raises
    ------
    UsageError
        If the file is of another kind, or the model is not in it.
    """
    try:
        models = read_json(path, LARGEST_FILE)["models"]
        known = {name: model for model in reversed(models) for name in (model["name"], model["model"])}
        found = models[0] if model is None else known.get(model)
        if found is None:
            raise UsageError(f"`model` {model}: {path} has measured {', '.join(sorted(known))}")
        return _benched(found)
    except UsageError:
        raise
    except (OSError, ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
        raise UsageError(
            f"`bench` {path}: not what `cryopick bench` prints as JSON ({brief(error)})"
        ) from error


def spread(sources: Sequence[MicrographSource], most: int) -> list[MicrographSource]:
    """Return at most so many of a list, evenly spread."""
    count = min(most, len(sources))
    return [sources[index * len(sources) // count] for index in range(count)]


def total_bytes(sources: Sequence[MicrographSource]) -> int:
    """Return the bytes of all files that are there; of those elsewhere a few are asked for theirs.

    Raises
    ------
    UsageError
        If a server does not tell how large its files are.
    """
    here, elsewhere = ([source for source in sources if bool(source.url) == far] for far in (False, True))
    total = sum(one.path.stat().st_size for one in here if one.path.is_file())
    if not elsewhere:
        return total
    told = [size_bytes(one.url, one.path.as_posix()) for one in spread(elsewhere, ASKED)]
    known = [size for size in told if size is not None]
    if not known:
        raise UsageError(
            f"{elsewhere[0].url} does not tell how large its files are; give `bytes` of all of them"
        )
    return total + round(len(elsewhere) * sum(known) / len(known))


class _Spent:
    """What a worker's unit took."""

    def __init__(self, process: Callable[[Sequence[Any]], UnitReport], items: Sequence[Any]) -> None:
        start, cpu_start = time.perf_counter(), time.process_time()
        self.report = process(items)
        self.seconds = time.perf_counter() - start
        self.cpu_seconds = time.process_time() - cpu_start

    @property
    def worker_s(self) -> float:
        """What it takes where every CPU has a worker, so that none does the work of two."""
        return max(self.seconds, self.cpu_seconds)


def _benched(model: dict[str, Any]) -> StageRates:
    moved = {stage["name"]: float(stage["bytes"]) for stage in model["stages"]}
    ingest, pick = model["ingest"], model["pick"]
    height, width = model["stored_shape"]
    on_gpu = model["device"] != "cpu"
    rates = StageRates(
        source_bytes=moved["checksum"],
        store_bytes=moved["write"] - 4 * height * width,  # float32 in, a shard out
        picks_bytes=CANDIDATE_BYTES * model["candidates"],
        candidates=float(model["candidates"]),
        ingest_s=max(ingest["seconds"], ingest["cpu_seconds"]),
        pick_s=pick["seconds"] if on_gpu else max(pick["seconds"], pick["cpu_seconds"]),
        cpu_s=ingest["cpu_seconds"] + pick["cpu_seconds"],
        on_gpu=on_gpu,
    )
    numbers = [value for value in vars(rates).values() if not isinstance(value, bool)]
    if not all(math.isfinite(number) and number >= 0 for number in numbers) or not rates.source_bytes:
        raise ValueError("amounts that no micrograph has")
    return rates
