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
from cryopick_ray.pickers.heatmap.diameter import Answer, is_clear, ladder, weigh
from cryopick_ray.pickers.heatmap.look import QUICK, THOROUGH, Look
from cryopick_ray.settings.run_settings import IngestSettings, Invert
from cryopick_ray.stages.ingest_worker import pixel_size_of
from cryopick_ray.store.scale import stored_shape
from cryopick_ray.units import working_pixel_size_A

if TYPE_CHECKING:
    from cryopick_ray.pickers.heatmap.picker import HeatmapPicker

LONGEST_PX = 4096
"""Longer sides, and finer pixels than the smallest particle needs, are cropped away: memory and time."""


@dataclass(frozen=True)
class Sight:
    """A micrograph to be looked at.

    Attributes
    ----------
    source
        The micrograph. A movie takes long to read: it is looked at thoroughly at once if it leaves doubts.
    is_thorough
        Whether a quick look left doubts.
    """

    source: MicrographSource
    is_thorough: bool

    @property
    def micrograph_id(self) -> str:
        """The micrograph's id."""
        return self.source.micrograph_id


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
        self._finest_A = working_pixel_size_A(ladder()[0], self._picker.particle_px)

    def process(self, items: Sequence[Sight], leaving: Callable[[], bool] = stay) -> UnitReport:
        """Look at the micrographs; what they showed is ``made``, a :class:`Looked` each."""
        looked: list[Looked] = []
        failures: list[tuple[str, str]] = []
        with scipy.fft.set_workers(self._settings.threads):
            for item in until(leaving, items):
                try:
                    looked.append(Looked(item.micrograph_id, *self._look(item)))
                except Exception as error:
                    if isinstance(error, CryoPickError) and error.elsewhere:
                        raise
                    failures.append((item.micrograph_id, str(error) or repr(error)))
        undone = tuple(range(len(looked) + len(failures), len(items)))
        return UnitReport(len(looked), tuple(failures), undone=undone, made=tuple(looked))

    def give_up(self, items: Sequence[Sight], reason: str) -> UnitReport:
        """Report that the micrographs failed, without touching them."""
        return UnitReport(0, tuple((item.micrograph_id, reason) for item in items))

    def _look(self, item: Sight) -> tuple[tuple[Answer, ...], bool]:
        exposure = read_exposure(item.source, self._settings, self._device)
        micrograph, (pixel_size_A, _) = (
            exposure.micrograph,
            pixel_size_of(item.source, exposure, self._settings),
        )
        coarser = max(self._finest_A, pixel_size_A * max(micrograph.shape) / LONGEST_PX)
        shape = stored_shape(micrograph.shape, pixel_size_A, coarser)
        image = prepare(micrograph.pixels, shape).pixels
        exposure.check()
        pixel_size_A *= micrograph.shape[0] / image.shape[0]
        look = Look(image, pixel_size_A, self._picker)
        seen = look.answers(self._invert, THOROUGH if item.is_thorough else QUICK)
        if exposure.average is not None and not is_clear(weigh([seen[0]])):
            return look.answers(self._invert, THOROUGH)
        return seen
