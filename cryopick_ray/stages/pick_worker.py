"""The pick worker: runs a picker on stored micrographs."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cryopick_ray.engine.prefetch import prefetch
from cryopick_ray.engine.process import set_up_process
from cryopick_ray.engine.unit import UnitReport, never_leave, until_leaving
from cryopick_ray.errors import DamagedError, UnreachableError
from cryopick_ray.micrographs.junk import JunkMask, shares_text
from cryopick_ray.micrographs.no_data import NoData
from cryopick_ray.pickers.device.batching import in_batches
from cryopick_ray.pickers.device.resize import fourier_resize_on_device
from cryopick_ray.pickers.device.upload import Upload
from cryopick_ray.pickers.heatmap.polarity import judge_for, pick_with_polarity
from cryopick_ray.pickers.picker import Candidates, Picker
from cryopick_ray.picks.columns import in_angstroms, take_columns
from cryopick_ray.picks.shard import Coverage, Picked
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.settings.run_settings import PickSettings
from cryopick_ray.stages.configured_picker import configured_picker
from cryopick_ray.stages.picture_maker import THREADS, PictureMaker
from cryopick_ray.store.manifest import ManifestRow
from cryopick_ray.store.masks import MaskStore
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.units import Shape, resampled_shape, resampled_to_source, working_pixel_size_A

Stored = NDArray[np.float16]
Found = tuple[Candidates, bool]
"""Candidates, and whether they are those of the negative."""


@dataclass(frozen=True)
class PickBatch:
    """Micrographs that may be picked in one batch: alike in stored and in working shape."""

    rows: tuple[ManifestRow, ...]
    shape: Shape


@dataclass(frozen=True)
class ReadBatch:
    """A batch that was read: ``(n, h, w)`` float32 images, and the error of each row that has none."""

    chunk: PickBatch
    images: Tensor
    failures: list[Exception | None]


class PickWorker:
    """Reads micrographs from a store, runs a picker on them and publishes the candidates.

    The unit's next micrographs are read while the network works on these. On a GPU several go through it
    at once: the picker's batch, or as many as its memory holds. Micrographs whose stored pixels are damaged
    are reported; nothing is published of them.

    Parameters
    ----------
    pictures_url
        The run that gets pictures of them; ``None`` for none.
    """

    def __init__(
        self,
        store_url: str,
        picks_url: str,
        digest: str,
        settings: PickSettings,
        device: str,
        pictures_url: str | None = None,
    ) -> None:
        set_up_process(settings.threads, keeps_memory=True)
        self._store = MicrographStore(store_url)
        self._shards = PickShards(picks_url, digest, create=True)
        self._masks = MaskStore(self._store.place, digest)
        self._picker = configured_picker(settings, device=device)
        self._upload = Upload(self._picker.device)
        self._pixel_size_A = working_pixel_size_A(settings.diameter_A, self._picker.particle_px)
        self._invert = settings.invert
        self._judge = judge_for(self._picker) if settings.invert == "auto" else None
        self._most = most_at_once(self._picker)
        threads = THREADS if self._picker.device.type == "cuda" else 1
        self._pictured = PictureMaker(pictures_url, threads) if pictures_url else None
        self._seconds: dict[str, float] = {}

    def process(self, items: Sequence[ManifestRow], leaving: Callable[[], bool] = never_leave) -> UnitReport:
        """Pick the micrographs and publish their shard, unless it is there already."""
        self._seconds = {"read": 0.0, "pick": 0.0}
        if (published := self._shards.unit(items)) is not None:
            return _report(published)
        at_once = min(self._most, max(1, len(items) // 2))  # so that something is read ahead
        chunks = batched(items, self._pixel_size_A, at_once)
        picked: dict[str, Picked] = {}
        damaged: dict[str, str] = {}
        with closing(prefetch(self._read, until_leaving(leaving, chunks))) as reads:
            for ready in reads:
                read = ready()
                for row, answer in self._pick(read):
                    if isinstance(answer, DamagedError):
                        damaged[row.micrograph_id] = str(answer)
                    else:
                        picked[row.micrograph_id] = self._picked(row, answer, read.chunk.shape)
        notes = self._pictured.finish() if self._pictured else ()
        report = self._publish([picked[row.micrograph_id] for row in items if row.micrograph_id in picked])
        begun = picked.keys() | damaged.keys()
        undone = tuple(at for at, row in enumerate(items) if row.micrograph_id not in begun)
        return replace(report, damaged=tuple(damaged.items()), undone=undone, notes=notes)

    def give_up(self, items: Sequence[ManifestRow], reason: str) -> UnitReport:
        """Publish that the micrographs failed, without touching them."""
        self._seconds = {}
        return self._publish([Picked(row.micrograph_id, row.checksum, None, reason) for row in items])

    def _read(self, chunk: PickBatch) -> ReadBatch:
        start = time.perf_counter()
        stored = [_attempt(self._store.read_stored, row) for row in chunk.rows]
        pairs = zip(chunk.rows, stored, strict=True)
        read = [(row, pixels) for row, pixels in pairs if not isinstance(pixels, Exception)]
        if self._pictured:
            self._pictured.begin(read)
        good = [pixels for _, pixels in read]
        try:
            images = self._upload(good) if good else torch.empty(0)
        except torch.OutOfMemoryError:  # they go there in parts, later
            images = torch.from_numpy(np.stack(good)).float()
        failures = [outcome if isinstance(outcome, Exception) else None for outcome in stored]
        self._seconds["read"] += time.perf_counter() - start
        return ReadBatch(chunk, images, failures)

    def _pick(self, read: ReadBatch) -> list[tuple[ManifestRow, Found | Exception]]:
        start = time.perf_counter()

        def find(places: Sequence[int]) -> list[Found]:
            return self._find(read.images[places[0] : places[-1] + 1], read.chunk.shape)

        found = in_batches(find, range(len(read.images)), self._most)
        pairs = zip(read.chunk.rows, read.failures, strict=True)
        answers = [(row, failure or next(found)) for row, failure in pairs]
        self._seconds["pick"] += time.perf_counter() - start
        return answers

    def _find(self, images: Tensor, shape: Shape) -> list[Found]:
        try:
            with torch.inference_mode():
                batch = images.to(self._picker.device)
                if shape != tuple(batch.shape[1:]):
                    batch = fourier_resize_on_device(batch, shape)
                if self._judge is not None:
                    return pick_with_polarity(self._picker, self._judge, batch)
                inverted = self._invert == "yes"
                found = self._picker.pick_many(batch.neg() if inverted else batch)
                return [(candidates, inverted) for candidates in found]
        except torch.OutOfMemoryError:
            self._most = max(1, len(images) // 2)  # the next ones need not find out again
            raise

    def _picked(self, row: ManifestRow, answer: Found | Exception, shape: Shape) -> Picked:
        """Return a micrograph's outcome: its candidates where there are data, in pixels of the source.

        Its mask of junk is in the store before any shard names it.
        """
        if isinstance(answer, Exception):
            return Picked(row.micrograph_id, row.checksum, None, str(answer) or repr(answer))
        found, inverted = answer
        x, y = resampled_to_source(found.x, found.y, shape, row.source_shape)
        kept = ~NoData.from_text(row.no_data).holds(x, y)
        junk, key, shares = found.junk, "", ""
        if found.mask is not None:
            mask = JunkMask(found.mask, shape)
            junk = mask.at(found.x, found.y) if junk is None else junk
            key, shares = self._masks.put(row.micrograph_id, mask), shares_text(mask.shares())
        candidates = Candidates(
            x[kept],
            y[kept],
            found.score[kept],
            None if junk is None else junk[kept],
            more=take_columns(in_angstroms(found.more, self._pixel_size_A), kept),
        )
        return Picked(
            row.micrograph_id, row.checksum, candidates, inverted=inverted, mask=key, junk_share=shares
        )

    def _publish(self, picked: list[Picked]) -> UnitReport:
        start = time.perf_counter()
        if picked:
            self._shards.publish(picked)
        seconds = {**self._seconds, "write": time.perf_counter() - start}
        return replace(_report([micrograph.coverage for micrograph in picked]), seconds=seconds)


def _report(lines: Sequence[Coverage]) -> UnitReport:
    failures = tuple((line.micrograph_id, line.reason) for line in lines if line.status == "failed")
    return UnitReport(len(lines) - len(failures), failures, candidates=sum(line.count for line in lines))


def most_at_once(picker: Picker) -> int:
    """Return how many micrographs go into a batch at most: a CPU gains nothing from several."""
    return picker.batch if picker.device.type == "cuda" else 1


def batched(rows: Sequence[ManifestRow], pixel_size_A: float, most: int) -> list[PickBatch]:
    """Cut rows into chunks of at most ``most``, nothing left out or doubled, in order within a shape."""

    def shapes(row: ManifestRow) -> tuple[Shape, Shape]:
        return row.shape, resampled_shape(row.source_shape, row.pixel_size_A, pixel_size_A)

    chunks = []
    for (_, shape), group in groupby(sorted(rows, key=shapes), shapes):
        alike = tuple(group)
        chunks += [PickBatch(alike[at : at + most], shape) for at in range(0, len(alike), most)]
    return chunks


def _attempt(read: Callable[[ManifestRow], Stored], row: ManifestRow) -> Stored | Exception:
    try:
        return read(row)
    except UnreachableError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever one micrograph does, the run goes on
        return error
