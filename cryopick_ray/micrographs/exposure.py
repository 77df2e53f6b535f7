"""One exposure of the microscope as a micrograph: its image as stored, or the average of its movie."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryopick_ray.errors import StackError
from cryopick_ray.micrographs.micrograph import Micrograph
from cryopick_ray.micrographs.reader import read_micrograph, source_checksum
from cryopick_ray.micrographs.remote.anywhere import fetched
from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.settings import FrameSettings, IngestSettings

if TYPE_CHECKING:
    from cryopick_ray.micrographs.movies.average import Average


ENDING = re.compile(r"\.(mrcs?|tiff?|eer)(\.gz|\.bz2)?$", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Exposure:
    """What was read.

    Attributes
    ----------
    micrograph
        The image; of a movie its average.
    checksum
        Of the file.
    average
        What was made of a movie, else ``None``.
    """

    micrograph: Micrograph
    checksum: str
    average: "Average | None" = None


def read_exposure(source: MicrographSource, settings: IngestSettings, device: str = "cpu") -> Exposure:
    """Read a micrograph, or average a movie; a remote file is fetched, and removed after.

    What is named like a micrograph and holds several frames is a movie.

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
    with _here(source) as path:
        average = None
        try:
            if source.kind == "movie":
                raise StackError("a movie")
            micrograph = read_micrograph(path)
        except StackError:
            average = _average(path, source, settings, device)
            micrograph = Micrograph(average.image, average.pixel_size_A)
        return Exposure(micrograph, source_checksum(path), average)  # brings a mapped file into memory, too


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


def _average(path: Path, source: MicrographSource, settings: IngestSettings, device: str) -> "Average":
    import torch

    from cryopick_ray.micrographs.movies.average import average_movie

    is_cuda = device == "cuda" or (device == "auto" and torch.cuda.is_available())

    own = settings.movies
    known = {
        "pixel_size_A": settings.pixel_size_A or source.pixel_size_A,
        "gain": own.gain or source.gain,
        "voltage_kV": source.optics.voltage_kV if source.optics else settings.voltage_kV,
    }
    frames = FrameSettings.model_construct(**dict(own) | known)
    return average_movie(path, frames, torch.device("cuda" if is_cuda else "cpu"))
