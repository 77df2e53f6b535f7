"""Store to shards: what one pick worker does with a unit."""

import time
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from cryopick_ray.config import PickSettings
from cryopick_ray.engine.ledger import covered_ids
from cryopick_ray.engine.unit import UnitReport
from cryopick_ray.errors import PixelSizeError
from cryopick_ray.micrographs.resample import fourier_resize
from cryopick_ray.pickers.catalogue import load_picker
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.picks.shards import Picked, PickShards
from cryopick_ray.store.manifest import ManifestRow
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.units import Shape, resampled_shape, resampled_to_source, working_pixel_size_A

LARGEST_ENLARGEMENT = 4
"""Particles of so few pixels that more would be needed hold nothing to be found."""


class PickWorker:
    """Reads micrographs from a store, runs a picker on them and publishes the candidates."""

    def __init__(
        self, store_url: str, picks_url: str, digest: str, settings: PickSettings, device: str
    ) -> None:
        torch.set_num_threads(settings.threads)
        self._store = MicrographStore(store_url)
        self._shards = PickShards(picks_url, digest, create=True)
        self._picker = load_picker(settings.model, particle_px=settings.particle_px, device=device)
        self._pixel_size_A = working_pixel_size_A(settings.diameter_A, self._picker.particle_px)
        self._sign = np.float32(-1 if settings.invert else 1)
        self._seconds: dict[str, float] = {}

    def process(self, items: Sequence[ManifestRow]) -> UnitReport:
        """Pick the micrographs and publish their shard."""
        self._seconds = {"read": 0.0, "pick": 0.0}
        return self._publish([self._attempt(row) for row in items])

    def unpublished(self, items: Sequence[ManifestRow]) -> list[int]:
        """Return the positions of the micrographs in no valid shard; a second shard would double them."""
        covered, _ = covered_ids(self._shards)
        return [position for position, row in enumerate(items) if row.micrograph_id not in covered]

    def give_up(self, items: Sequence[ManifestRow], reason: str) -> UnitReport:
        """Publish that the micrographs failed, without touching them."""
        self._seconds = {}
        return self._publish([Picked(row.micrograph_id, row.checksum, None, reason) for row in items])

    def _attempt(self, row: ManifestRow) -> Picked:
        try:
            return Picked(row.micrograph_id, row.checksum, self._pick(row))
        except Exception as error:  # noqa: BLE001 - whatever one micrograph does, the run goes on
            return Picked(row.micrograph_id, row.checksum, None, str(error) or repr(error))

    def _pick(self, row: ManifestRow) -> Candidates:
        start = time.perf_counter()
        image = self._read(row)
        middle = time.perf_counter()
        found = self._picker.pick(image)
        shape: Shape = (image.shape[0], image.shape[1])
        x, y = resampled_to_source(found.x, found.y, shape, row.source_shape)
        self._seconds["read"] += middle - start
        self._seconds["pick"] += time.perf_counter() - middle
        return Candidates(x, y, found.score)

    def _read(self, row: ManifestRow) -> NDArray[np.float32]:
        image = self._store.read(row) * self._sign
        shape = resampled_shape(row.source_shape, row.pixel_size_A, self._pixel_size_A)
        return image if shape == row.shape else fourier_resize(image, shape)

    def _publish(self, picked: list[Picked]) -> UnitReport:
        start = time.perf_counter()
        self._shards.publish(picked)
        failures = tuple((p.micrograph_id, p.reason) for p in picked if p.candidates is None)
        return UnitReport(
            complete=len(picked) - len(failures),
            failures=failures,
            candidates=sum(p.coverage.count for p in picked),
            seconds={**self._seconds, "write": time.perf_counter() - start},
        )


def check_scale(rows: Sequence[ManifestRow], pixel_size_A: float) -> None:
    """Refuse a store that was cropped to coarser pixels than the model needs.

    A micrograph stored at its own pixel size may be enlarged; detail that ingest threw away may not.

    Raises
    ------
    PixelSizeError
        Naming the first such micrograph and ``--store-pixel-size``.
    """
    for row in rows:
        needed = resampled_shape(row.source_shape, row.pixel_size_A, pixel_size_A)
        if needed[0] > LARGEST_ENLARGEMENT * row.source_height_px:
            raise PixelSizeError(
                f"this model needs {row.micrograph_id} enlarged from {row.pixel_size_A:.3g} to "
                f"{pixel_size_A:.3g} A a pixel, more than {LARGEST_ENLARGEMENT} times; check --diameter, "
                "--pixel-size and --particle-px"
            )
        if row.shape != row.source_shape and (needed[0] > row.height_px or needed[1] > row.width_px):
            stored_A = row.pixel_size_A * row.source_height_px / row.height_px
            raise PixelSizeError(
                f"the store holds {row.micrograph_id} at {stored_A:.2f} A a pixel, but this model needs "
                f"{pixel_size_A:.2f} A; ingest again with --store-pixel-size {pixel_size_A:.2f} or finer"
            )
