"""One exposure of the microscope as a micrograph: its image as stored, or the average of its movie."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cryopick_ray.errors import MicrographError, StackError
from cryopick_ray.micrographs.micrograph import Micrograph
from cryopick_ray.micrographs.reader import read_micrograph, source_checksum
from cryopick_ray.micrographs.remote_files import fetched
from cryopick_ray.micrographs.sidecars.beside import sidecar_of
from cryopick_ray.micrographs.sidecars.sidecar import Sidecar
from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.settings.run_settings import FrameSettings, IngestSettings

if TYPE_CHECKING:
    from cryopick_ray.micrographs.movies.average import Average

Stamp = tuple[int, int]
"""Size in bytes, time in nanoseconds."""
NONE = Sidecar()
USUAL_KV = IngestSettings().voltage_kV
ENDING = re.compile(r"\.(mrcs?|tiff?|eer)(\.gz|\.bz2)?$", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Exposure:
    """What was read.

    Attributes
    ----------
    micrograph
        The image; of a movie its average. Its pixel size is the file's own.
    source
        Where it was read.
    average
        What was made of a movie, else ``None``.
    stamp
        Size in bytes and time of modification in nanoseconds of the file; ``None`` of a remote one.
    sidecar, sidecar_A
        What a file beside it says, a voltage only where nobody else does; and which size of the micrograph's
        pixels in angstroms.
    notes
        What to tell of the sidecar.
    summed
        The checksum of a file that is not mapped.
    """

    micrograph: Micrograph
    source: MicrographSource
    average: "Average | None" = None
    stamp: Stamp | None = None
    sidecar: Sidecar = NONE
    sidecar_A: float | None = None
    notes: tuple[str, ...] = ()
    summed: str = ""

    def checksum(self) -> str:
        """Return the file's checksum; of a mapped one it costs least after the pixels were used.

        Raises
        ------
        MicrographError
            As :meth:`check`.
        """
        file = self.micrograph.file
        checksum = self.summed if file is None else file.checksum()
        self.check()
        return checksum

    def check(self) -> None:
        """Refuse a file that is not as it was; called once all that is wanted of it was read.

        Raises
        ------
        MicrographError
            It changed since reading began.
        """
        if stamp(self.source) != self.stamp:
            raise MicrographError("the file changed while it was read; it is read again once it stands still")


def stamp(source: MicrographSource) -> Stamp | None:
    """Return what tells a file from a later one of its name; ``None`` if it is remote or not there."""
    try:
        found = None if source.url else os.stat(source.path)
    except OSError:
        return None
    return None if found is None else (found.st_size, found.st_mtime_ns)


def read_exposure(source: MicrographSource, settings: IngestSettings, device: str = "cpu") -> Exposure:
    """Read a micrograph, or average a movie; a remote file is fetched, and removed after.

    What is named like a micrograph and holds several frames is a movie. A sidecar is looked for on this
    machine alone: elsewhere it would cost requests for every micrograph.

    Parameters
    ----------
    device
        Where movies are averaged: ``cpu``, ``cuda``, or ``auto`` for a GPU where there is one.

    Raises
    ------
    MicrographError
        The file cannot be read.
    RemoteError
        It cannot be fetched.
    """
    if source.fault:
        raise MicrographError(source.fault)
    before = stamp(source)
    sidecar = NONE if source.url else sidecar_of(source.path)
    if source.optics is not None or source.optics_group or settings.voltage_kV != USUAL_KV:
        sidecar = replace(sidecar, voltage_kV=None)
    with _here(source) as path:
        try:
            if source.kind == "movie":
                raise StackError("a movie")
            micrograph = read_micrograph(path)
            read = Exposure(micrograph, source, sidecar_A=sidecar.pixel_size_of(micrograph.shape))
        except StackError:
            read = _averaged(path, source, settings, device, sidecar)
        summed = source_checksum(path) if read.micrograph.file is None else ""
        notes = (*sidecar.notes, *read.notes)
        read = replace(read, summed=summed, stamp=before, sidecar=sidecar, notes=notes)
        read.check()
        return read


def average_name(micrograph_id: str) -> str:
    """Return what the average of a movie is called: as the movie, but ``.mrc``."""
    return ENDING.sub("", micrograph_id) + ".mrc"


@contextmanager
def _here(source: MicrographSource) -> Iterator[Path]:
    if not source.url:
        yield source.path
        return
    with fetched(source.url, source.path.as_posix()) as path:
        yield path


def _averaged(
    path: Path, source: MicrographSource, settings: IngestSettings, device: str, sidecar: Sidecar
) -> Exposure:
    import torch

    from cryopick_ray.micrographs.movies.average import average_movie
    from cryopick_ray.micrographs.movies.open_movie import open_movie
    from cryopick_ray.micrographs.sidecars.frames import completed

    is_cuda = device == "cuda" or (device == "auto" and torch.cuda.is_available())

    own = settings.movies
    voltage_kV = source.optics.voltage_kV if source.optics else sidecar.voltage_kV
    known = {
        "pixel_size_A": settings.pixel_size_A or source.original_pixel_size_A or source.pixel_size_A,
        "gain": own.gain or source.gain,
        "voltage_kV": voltage_kV or settings.voltage_kV,
    }
    frames = FrameSettings.model_construct(**dict(own) | known)
    notes: tuple[str, ...] = ()
    sidecar_A = None
    if sidecar.called:
        movie = open_movie(path, eer_grouping=own.eer_grouping, eer_upsampling=own.eer_upsampling)
        sidecar_A = sidecar.pixel_size_of(movie.shape)
        frames, notes = completed(frames, movie, sidecar)
    average = average_movie(path, frames, torch.device("cuda" if is_cuda else "cpu"))
    is_sidecars = frames.pixel_size_A != known["pixel_size_A"]
    if sidecar_A is not None:
        sidecar_A *= movie.shape[1] / average.image.shape[1]
    micrograph = Micrograph(average.image, None if is_sidecars else average.pixel_size_A)
    return Exposure(micrograph, source, average, sidecar_A=sidecar_A, notes=notes)
