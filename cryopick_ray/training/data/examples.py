"""Examples for the network, drawn where they are used: each worker reads its own micrographs."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cryopick_ray.errors import MicrographError, StoreError, TrainingError
from cryopick_ray.filaments.trace import Trace
from cryopick_ray.micrographs.reader import read_micrograph
from cryopick_ray.micrographs.resample import fourier_resize
from cryopick_ray.store.manifest import ManifestRow
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.training.data.batch_plan import BatchPlan, Spot
from cryopick_ray.training.data.labelled import Centres, LabelledMicrograph, nowhere
from cryopick_ray.training.data.views import AS_IT_IS, ONE_VIEW, View, Views
from cryopick_ray.training.recipes.recipe import Recipe, Slot
from cryopick_ray.units import Shape, resampled_shape, working_pixel_size_A

CACHE_BYTES = 2**30
"""Micrographs at working scale that a process keeps; beyond, the least recently used go."""


@dataclass(frozen=True, eq=False)
class LabelledRow:
    """A micrograph in a store with its labels: all a worker needs to read it, a few kilobytes.

    Attributes
    ----------
    store_url, row
        Where its pixels are.
    dataset
        The data set it belongs to.
    diameter_A
        The particle's longest dimension.
    radius_A
        Distance within which a pick finds a particle.
    sign
        -1 if particles are brighter than the ice.
    particles, false, unsure
        As in :class:`LabelledMicrograph`, in pixels of the source micrograph.
    molecule, simulated
        The molecule's name, and whether the micrograph is simulated; ``None`` if nobody said.
    junk
        An MRC file of what lies where in it, as codes; ``None`` if nobody said.
    filaments
        As in :class:`LabelledMicrograph`, in pixels of the source micrograph.
    """

    store_url: str
    row: ManifestRow
    dataset: str
    diameter_A: float
    radius_A: float
    sign: int
    particles: Centres
    false: Centres
    unsure: Centres
    molecule: str | None = None
    simulated: bool | None = None
    junk: Path | None = None
    filaments: tuple[Trace, ...] = ()


def read_labelled(source: LabelledRow, recipe: Recipe, view: View = AS_IT_IS) -> LabelledMicrograph:
    """Read a micrograph at the recipe's scale, its labels with it.

    Parameters
    ----------
    view
        Changes scale and grey values before they are normalised, as another microscope would.

    Raises
    ------
    StoreError
        If the store does not hold it whole.
    TrainingError
        If it cannot be normalised.
    """
    pixels = MicrographStore(source.store_url).read(source.row) * np.float32(source.sign)
    pixel_size_A = working_pixel_size_A(source.diameter_A, recipe.particle_px * view.scale)
    shape = resampled_shape(source.row.source_shape, source.row.pixel_size_A, pixel_size_A)
    try:
        image = recipe.prepare(view.vary(pixels if shape == pixels.shape else fourier_resize(pixels, shape)))
    except MicrographError as error:
        raise TrainingError(f"{source.row.micrograph_id}: {error}; leave it out with exclude") from error
    height, width = source.row.source_shape
    scale = np.array([shape[1] / width, shape[0] / height], np.float32)
    particles, false, unsure = (
        nowhere() if view.is_empty else places * scale
        for places in (source.particles, source.false, source.unsure)
    )
    filaments = (
        () if view.is_empty else tuple(filament.scaled(*scale.tolist()) for filament in source.filaments)
    )
    junk = _codes(source.junk, shape) if source.junk and not view.is_empty else None
    return LabelledMicrograph(
        source.row.micrograph_id,
        source.dataset,
        image,
        particles,
        false,
        unsure,
        view.scale,
        junk,
        filaments,
    )


def _codes(path: Path, shape: Shape) -> NDArray[np.uint8]:
    """Return an image of codes on the grid of the image that is shown."""
    codes = read_micrograph(path).pixels.astype(np.uint8)
    rows, columns = (
        np.arange(wanted) * held // wanted for wanted, held in zip(shape, codes.shape, strict=True)
    )
    shown: NDArray[np.uint8] = codes[rows[:, None], columns]
    return shown


class Examples:
    """Examples by their spot in the training.

    Parameters
    ----------
    views
        How a micrograph may be seen, each epoch in another way; as it is by default.
    """

    def __init__(
        self, recipe: Recipe, sources: Sequence[LabelledRow], plan: BatchPlan, *, views: Views = ONE_VIEW
    ) -> None:
        self._recipe = recipe
        self._views = views
        self._sources = sources
        self._plan = plan
        self._cache: OrderedDict[int, LabelledMicrograph] = OrderedDict()
        self._cached_bytes = 0
        self._cached_epoch = 0

    def __getitem__(self, spot: Spot) -> tuple[Tensor, Tensor]:
        """Draw one example: image ``(1, s, s)`` and target."""
        micrograph = self._read(self._plan.micrograph(spot), spot.epoch)
        slot = Slot(self._plan.turn(spot), self._plan.batch)
        example = self._recipe.example(micrograph, slot, self._plan.generator(spot))
        return torch.from_numpy(example.image[None]), torch.from_numpy(example.target)

    def _read(self, index: int, epoch: int) -> LabelledMicrograph:
        if self._views.differ and epoch != self._cached_epoch:  # seen so once, never again
            self._cache.clear()
            self._cached_bytes, self._cached_epoch = 0, epoch
        if index in self._cache:
            self._cache.move_to_end(index)
            return self._cache[index]
        view = self._views.draw(self._plan.view_generator(index, epoch))
        micrograph = read_labelled(self._sources[index], self._recipe, view)
        self._cache[index] = micrograph
        self._cached_bytes += micrograph.image.nbytes
        while self._cached_bytes > CACHE_BYTES and len(self._cache) > 1:
            _, oldest = self._cache.popitem(last=False)
            self._cached_bytes -= oldest.image.nbytes
        return micrograph

    def batches(self, epoch: int, rank: int, workers: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield one worker's part of each batch of an epoch: ``(n, 1, s, s)`` images and targets."""
        for spots in self._plan.batches(epoch, rank, workers):
            images, targets = zip(*map(self.__getitem__, spots), strict=True)
            yield torch.stack(images), torch.stack(targets)


def check_readable(sources: Sequence[LabelledRow]) -> None:
    """Raise :class:`StoreError` now if a store lacks a micrograph that training would read later."""
    stores = {source.store_url: MicrographStore(source.store_url) for source in sources}
    for source in sources:
        if not stores[source.store_url].holds(source.row):
            raise StoreError(f"{source.store_url} lacks {source.row.micrograph_id}; train again to ingest it")
