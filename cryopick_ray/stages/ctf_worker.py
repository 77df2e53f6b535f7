"""Files to defocus: what one worker does with a unit."""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import scipy.fft

from cryopick_ray.engine.unit import UnitReport, stay, until
from cryopick_ray.errors import CryoPickError, MicrographError
from cryopick_ray.micrographs.ctf.ctf_settings import CtfSettings
from cryopick_ray.micrographs.ctf.fit import fit_ctf
from cryopick_ray.micrographs.ctf.power_spectrum import FINEST_A, NEAR_NYQUIST
from cryopick_ray.micrographs.ctf.result import CtfFit
from cryopick_ray.micrographs.exposure import Exposure, read_exposure
from cryopick_ray.micrographs.no_data import NoData
from cryopick_ray.micrographs.optics_groups import ABERRATION, CONTRAST, VOLTAGE, number, positive
from cryopick_ray.micrographs.preprocess import prepare
from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.settings.run_settings import IngestSettings
from cryopick_ray.stages.ingest_worker import pixel_size_of
from cryopick_ray.store.scale import stored_shape
from cryopick_ray.units import Optics, Shape

FINE_A = 0.7
"""Finer pixels, of super-resolution, show no more rings and take longer: they are cropped away."""


@dataclass(frozen=True)
class Fitted:
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
        The microscope, as far as neither a list nor a sidecar says it.
    ctf
        Where defocus is looked for.
    """

    def __init__(self, settings: IngestSettings, optics: Optics, ctf: CtfSettings) -> None:
        self._settings, self._optics, self._ctf = settings, optics, ctf

    def process(self, items: Sequence[MicrographSource], leaving: Callable[[], bool] = stay) -> UnitReport:
        """Fit the micrographs; what came out is ``made``, a :class:`Fitted` each."""
        start = time.perf_counter()
        fitted, failures, remarks = list[Fitted](), list[tuple[str, str]](), list[tuple[str, str]]()
        with scipy.fft.set_workers(self._settings.threads):
            for source in until(leaving, items):
                try:
                    one, doubts = self._fit(source)
                except Exception as error:
                    if isinstance(error, CryoPickError) and error.elsewhere:
                        raise
                    failures.append((source.micrograph_id, str(error) or repr(error)))
                else:
                    fitted.append(one)
                    remarks += [(source.micrograph_id, text) for text in (*doubts, *one.fit.doubts)]
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

    def _fit(self, source: MicrographSource) -> tuple[Fitted, list[str]]:
        exposure = read_exposure(source, self._settings)
        if exposure.average is not None:
            raise MicrographError("it is a movie; give its average, as `cryopick ingest` makes it")
        pixel_size_A, doubts = pixel_size_of(source, exposure, self._settings)
        source, optics = with_voltage(source, exposure), optics_of(source, exposure, self._optics)
        shape = exposure.micrograph.shape
        image = prepare(exposure.micrograph.pixels, fitted_shape(shape, pixel_size_A))
        exposure.check()
        scale = image.pixels.shape[0] / shape[0]
        fit = fit_ctf(
            image.pixels,
            pixel_size_A / scale,
            optics,
            self._ctf.defocus_A,
            no_data=scaled(image.no_data, scale),
        )
        notes = [*exposure.micrograph.notes, *exposure.notes, *doubts]
        return Fitted(source, shape, pixel_size_A, optics, fit), notes


def fitted_shape(shape: Shape, pixel_size_A: float) -> Shape:
    """Return the shape to fit at: the micrograph's own, or where pixels are fine one for 3 angstroms."""
    return stored_shape(shape, pixel_size_A, NEAR_NYQUIST * FINEST_A / 2 if pixel_size_A < FINE_A else None)


def scaled(no_data: NoData, scale: float) -> NoData:
    """Return areas in pixels of an image that is so many times larger, none of them smaller than it was."""
    return NoData(
        tuple(
            (math.floor(x0 * scale), math.floor(y0 * scale), math.ceil(x1 * scale), math.ceil(y1 * scale))
            for x0, y0, x1, y1 in no_data.rectangles
        )
    )


def with_voltage(source: MicrographSource, exposure: Exposure) -> MicrographSource:
    """Return a micrograph with the voltage that its sidecar alone says."""
    if (voltage_kV := exposure.sidecar.voltage_kV) is None:
        return source
    return replace(source, optics_group=json.dumps({VOLTAGE: f"{voltage_kV:.6f}"}))


def optics_of(source: MicrographSource, exposure: Exposure, given: Optics) -> Optics:
    """Return the microscope: what its list says, else its sidecar, else what is given."""
    if source.optics is not None:
        return source.optics
    listed = json.loads(source.optics_group) if source.optics_group else {}
    aberration_mm, contrast = number(listed.get(ABERRATION)), number(listed.get(CONTRAST))
    return Optics(
        positive(listed.get(VOLTAGE)) or exposure.sidecar.voltage_kV or given.voltage_kV,
        given.spherical_aberration_mm if aberration_mm is None else aberration_mm,
        contrast if contrast is not None and contrast <= 1 else given.amplitude_contrast,
    )
