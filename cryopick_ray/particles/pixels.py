"""Where the pixels of micrographs are that particles are cut out of: their files, else a store."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.exposure import average_name, read_exposure, stamp
from cryopick_ray.micrographs.sources import MicrographSource, list_sources
from cryopick_ray.picks.schema import PickedMicrograph
from cryopick_ray.settings.run_settings import IngestSettings
from cryopick_ray.stages.averages import MovieAverages
from cryopick_ray.stages.ingest_worker import pixel_size_of
from cryopick_ray.store.manifest import ManifestRow, read_manifest
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.units import Optics


@dataclass(frozen=True, eq=False)
class Image:
    """A micrograph to cut boxes from.

    Attributes
    ----------
    pixels
        ``(h, w)``, as stored.
    shape
        Height and width of the micrograph that coordinates are of.
    pixel_size_A
        Of that micrograph.
    doubts
        What there is to doubt of it.
    """

    pixels: NDArray[Any]
    shape: tuple[int, int]
    pixel_size_A: float
    doubts: tuple[str, ...] = ()

    @property
    def coarser(self) -> float:
        """How much coarser the pixels are than the micrograph's."""
        return self.shape[1] / int(self.pixels.shape[1])


@dataclass(frozen=True)
class InFile:
    """Pixels in a micrograph's own file.

    Attributes
    ----------
    checksum
        That it must have; empty if none is known.
    """

    source: MicrographSource
    checksum: str = ""

    @property
    def stamp(self) -> str:
        """What tells it from a later file of its name."""
        return f"{self.source.origin} {stamp(self.source)}"

    def read(self, known: PickedMicrograph, given_A: float | None) -> Image:
        """Return the image.

        Raises
        ------
        MicrographError
            It cannot be read, is a movie, or another one than the picks were found on.
        """
        picked_A = known.pixel_size_A if known.shape else None  # then a table knows it, and it was decided
        settings = IngestSettings(pixel_size_A=given_A or picked_A)
        source = replace(self.source, pixel_size_A=self.source.pixel_size_A or known.pixel_size_A)
        if source.kind == "movie":
            raise MicrographError("it is a movie: give `micrographs` with its average")
        exposure = read_exposure(source, settings)
        shape = exposure.micrograph.shape
        if exposure.average is not None:
            raise MicrographError("its file holds a movie: give `micrographs` with its average")
        if self.checksum and exposure.checksum() != self.checksum:
            raise MicrographError("its file has changed since it was picked: pick it again by `resume`")
        if known.shape is not None and known.shape != shape:
            sides = " x ".join(map(str, reversed(known.shape)))
            raise MicrographError(
                f"its file has {shape[1]} x {shape[0]} pixels, and its picks are of {sides}: give "
                "`micrographs` of the same size"
            )
        size_A, doubts = pixel_size_of(source, exposure, settings)
        return Image(exposure.micrograph.pixels, shape, size_A, doubts)


@dataclass(frozen=True)
class MicrographsInStore:
    """Pixels in a store, normalised and maybe coarser."""

    store_url: str
    row: ManifestRow

    @property
    def stamp(self) -> str:
        """What tells it from another one of its name."""
        return f"{self.store_url} {self.row.checksum}"

    def read(self, known: PickedMicrograph, given_A: float | None) -> Image:
        """Return the image.

        Raises
        ------
        StoreError
            It is missing or damaged.
        """
        size_A = given_A or known.pixel_size_A or self.row.pixel_size_A
        return Image(MicrographStore(self.store_url).read_stored(self.row), self.row.source_shape, size_A)


@dataclass(frozen=True)
class PixelOrigin:
    """A micrograph as the place knows it that has its pixels."""

    relion_name: str
    pixels: InFile | MicrographsInStore
    optics: Optics | None = None
    optics_group: str = ""
    listed: str = ""

    def completed(self, micrograph: PickedMicrograph) -> PickedMicrograph:
        """Return a micrograph with what is known here, and with the name that RELION has for its image."""
        return replace(
            micrograph,
            relion_name=self.relion_name,
            optics=micrograph.optics or self.optics,
            optics_group=micrograph.optics_group or self.optics_group,
            listed=micrograph.listed or self.listed,
        )


def of_files(where: str, project: Path) -> dict[str, PixelOrigin]:
    """Return the micrographs of a folder, a list or a file by id.

    Raises
    ------
    UsageError
        There are none.
    """
    found = list_sources([where], relion_project=project)
    return {
        one.micrograph_id: PixelOrigin(one.relion_name, InFile(one), one.optics, one.optics_group, one.listed)
        for one in found
    }


def of_run(store_url: str, averages: MovieAverages) -> dict[str, PixelOrigin]:
    """Return the micrographs of a run by id: in their files as they were picked, else in its store.

    Parameters
    ----------
    averages
        Where the run keeps those of movies.
    """
    rows: Mapping[str, ManifestRow] = read_manifest(MicrographStore(store_url).place)
    return {
        name: PixelOrigin(
            row.relion_name,
            file_of(row, averages) or MicrographsInStore(store_url, row),
            row.optics,
            row.optics_group,
            row.listed,
        )
        for name, row in rows.items()
        if row.status == "complete"
    }


def file_of(row: ManifestRow, averages: MovieAverages) -> InFile | None:
    """Return the file that was picked if it is there and unchanged."""
    average = average_name(row.micrograph_id)
    is_average = row.relion_name == f"{averages.relion_name}/{average}"
    path = Path(averages.url) / average if is_average else Path(row.source)
    source = MicrographSource(row.micrograph_id, row.dataset, path, row.relion_name, row.optics)
    if not path.is_absolute() or (found := stamp(source)) is None:
        return None
    if is_average:
        return InFile(source)
    return InFile(source, row.checksum) if found == (row.source_bytes, row.source_mtime_ns) else None
