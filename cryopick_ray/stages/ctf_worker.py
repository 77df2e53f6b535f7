"""The CTF worker: fits the defocus of micrographs."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import scipy.fft

from cryopick_ray.engine.unit import UnitReport, never_leave, until_leaving
from cryopick_ray.errors import CryoPickError, MicrographError
from cryopick_ray.micrographs.ctf.ctf_settings import CtfSettings
from cryopick_ray.micrographs.ctf.fit import fit_ctf
from cryopick_ray.micrographs.ctf.power_spectrum import fitted_shape
from cryopick_ray.micrographs.ctf.result import CtfFit
from cryopick_ray.micrographs.exposure import read_exposure
from cryopick_ray.micrographs.exposure_optics import exposure_optics, with_sidecar_voltage
from cryopick_ray.micrographs.exposure_pixel_size import pixel_size_of
from cryopick_ray.micrographs.preprocess import prepare
from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.settings.run_settings import IngestSettings
from cryopick_ray.units import Optics, Shape


@dataclass(frozen=True)
class FittedMicrograph:
    """A micrograph, as it was read, and the defocus that its rings show."""

    source: MicrographSource
    shape: Shape
    pixel_size_A: float
    optics: Optics
    fit: CtfFit


class CtfWorker:
    """Reads micrographs and fits the rings of their power spectra.

    Parameters
    ----------
    settings
        How they are read, and with how many threads.
    optics
        Defaults for what neither a list nor a sidecar states.
    ctf
        Range of defocus to search.
    """

    def __init__(self, settings: IngestSettings, optics: Optics, ctf: CtfSettings) -> None:
        self._settings, self._optics, self._ctf = settings, optics, ctf

    def process(
        self, items: Sequence[MicrographSource], leaving: Callable[[], bool] = never_leave
    ) -> UnitReport:
        """Fit the micrographs; ``made`` has a :class:`FittedMicrograph` of each."""
        start = time.perf_counter()
        fitted, failures, remarks = list[FittedMicrograph](), list[tuple[str, str]](), list[tuple[str, str]]()
        with scipy.fft.set_workers(self._settings.threads):
            for source in until_leaving(leaving, items):
                try:
                    micrograph, doubts = self._fit(source)
                except Exception as error:
                    if isinstance(error, CryoPickError) and error.elsewhere:
                        raise
                    failures.append((source.micrograph_id, str(error) or repr(error)))
                else:
                    fitted.append(micrograph)
                    remarks += [(source.micrograph_id, text) for text in (*doubts, *micrograph.fit.doubts)]
        return UnitReport(
            len(fitted),
            tuple(failures),
            undone=tuple(range(len(fitted) + len(failures), len(items))),
            seconds={"ctf": time.perf_counter() - start},
            remarks=tuple(remarks),
            made=tuple(fitted),
        )

    def give_up(self, items: Sequence[MicrographSource], reason: str) -> UnitReport:
        """Report that the micrographs failed, without touching them."""
        return UnitReport(0, tuple((source.micrograph_id, reason) for source in items))

    def _fit(self, source: MicrographSource) -> tuple[FittedMicrograph, list[str]]:
        exposure = read_exposure(source, self._settings)
        if exposure.average is not None:
            raise MicrographError("it is a movie; give its average, as `cryopick ingest` makes it")
        pixel_size_A, doubts = pixel_size_of(source, exposure, self._settings)
        source, optics = (
            with_sidecar_voltage(source, exposure),
            exposure_optics(source, exposure, self._optics),
        )
        shape = exposure.micrograph.shape
        image = prepare(exposure.micrograph.pixels, fitted_shape(shape, pixel_size_A))
        exposure.check()
        scale = image.pixels.shape[0] / shape[0]
        fit = fit_ctf(
            image.pixels,
            pixel_size_A / scale,
            optics,
            self._ctf.defocus_A,
            no_data=image.no_data.scaled(scale),
        )
        notes = [*exposure.micrograph.notes, *exposure.notes, *doubts]
        return FittedMicrograph(source, shape, pixel_size_A, optics, fit), notes
