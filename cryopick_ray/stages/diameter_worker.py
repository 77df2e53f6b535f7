"""Files to answers of a network at several diameters: what one worker does with a unit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import scipy.fft
import torch

from cryopick_ray import DEFAULT_MODEL
from cryopick_ray.engine.unit import UnitReport, stay, until
from cryopick_ray.errors import CryoPickError
from cryopick_ray.micrographs.exposure import read_exposure
from cryopick_ray.micrographs.preprocess import prepare
from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.pickers.catalogue import load_picker
from cryopick_ray.pickers.heatmap.diameter import Answer, ask, ask_settled, ladder
from cryopick_ray.settings import IngestSettings, Invert
from cryopick_ray.stages.ingest_worker import pixel_size_of
from cryopick_ray.store.scale import stored_shape

if TYPE_CHECKING:
    from cryopick_ray.pickers.heatmap.picker import HeatmapPicker

FINEST_A, LONGEST_PX = 1.5, 4096
"""Finer pixels than a small particle needs, and longer sides, are cropped away: memory and time."""


@dataclass(frozen=True)
class Looked:
    """What one micrograph showed at each diameter tried, or its negative where particles are bright."""

    micrograph_id: str
    answers: tuple[Answer, ...]
    inverted: bool


class DiameterWorker:
    """Reads micrographs, or averages movies, and asks the default network at a ladder of diameters.

    Parameters
    ----------
    settings
        How they are read, and with how many threads.
    invert
        Whether particles are brighter than the ice.
    device
        Where movies are averaged and the network runs: ``auto``, ``cpu`` or ``cuda``.
    """

    def __init__(self, settings: IngestSettings, *, invert: Invert, device: str) -> None:
        torch.set_num_threads(settings.threads)
        self._settings, self._invert, self._device = settings, invert, device
        # float32, so that another machine finds the same
        picker = load_picker(DEFAULT_MODEL, particle_px=None, device=device, exact=True)
        self._picker = cast("HeatmapPicker", picker)

    def process(self, items: Sequence[MicrographSource], leaving: Callable[[], bool] = stay) -> UnitReport:
        """Look at the micrographs; what they showed is ``made``, a :class:`Looked` each."""
        looked: list[Looked] = []
        failures: list[tuple[str, str]] = []
        with scipy.fft.set_workers(self._settings.threads):
            for source in until(leaving, items):
                try:
                    looked.append(Looked(source.micrograph_id, *self._look(source)))
                except Exception as error:
                    if isinstance(error, CryoPickError) and error.elsewhere:
                        raise
                    failures.append((source.micrograph_id, str(error) or repr(error)))
        undone = tuple(range(len(looked) + len(failures), len(items)))
        return UnitReport(len(looked), tuple(failures), undone=undone, made=tuple(looked))

    def give_up(self, items: Sequence[MicrographSource], reason: str) -> UnitReport:
        """Report that the micrographs failed, without touching them."""
        return UnitReport(0, tuple((source.micrograph_id, reason) for source in items))

    def _look(self, source: MicrographSource) -> tuple[tuple[Answer, ...], bool]:
        exposure = read_exposure(source, self._settings, self._device)
        micrograph, (pixel_size_A, _) = exposure.micrograph, pixel_size_of(source, exposure, self._settings)
        coarser = max(FINEST_A, pixel_size_A * max(micrograph.shape) / LONGEST_PX)
        shape = stored_shape(micrograph.shape, pixel_size_A, coarser)
        image = prepare(micrograph.pixels, shape).pixels
        exposure.check()
        pixel_size_A *= micrograph.shape[0] / image.shape[0]
        if self._invert == "auto":
            return ask_settled(image, pixel_size_A, self._picker, ladder())
        inverted = self._invert == "yes"
        return ask(-image if inverted else image, pixel_size_A, self._picker, ladder()), inverted
