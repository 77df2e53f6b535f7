"""What an extraction is told on the command line -> the micrographs and picks that it means."""

from dataclasses import dataclass
from pathlib import Path

from cryopick_ray.engine.engine import Engine
from cryopick_ray.engine.events import Events
from cryopick_ray.errors import UsageError
from cryopick_ray.formats.reading import is_table, read_coordinates
from cryopick_ray.particles.extract import Extracted, extract, of_coordinates, of_table
from cryopick_ray.particles.extract_settings import ExtractSettings
from cryopick_ray.particles.pixels import PixelOrigin, of_files, of_run
from cryopick_ray.picks.table import open_table
from cryopick_ray.project import project_of
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.settings.config import absolute
from cryopick_ray.settings.microscope_settings import MicroscopeSettings
from cryopick_ray.store.claim import local_folder
from cryopick_ray.store.layout import METADATA
from cryopick_ray.store.place import Place, is_bucket


@dataclass(frozen=True)
class _Images:
    """Where the micrographs are, and what a run that has them knows of all."""

    origins: dict[str, PixelOrigin]
    project: Path
    optics: MicroscopeSettings


def extract_particles(
    settings: ExtractSettings, out: str, engine: Engine, events: Events, *, resume: bool = False
) -> Extracted:
    """Cut the particles of a run, a table or a file of coordinates out of their micrographs.

    Raises
    ------
    UsageError
        A setting is wrong, nothing says where the micrographs are, or ``out`` is not free or a bucket.
    """
    folder = local_folder(out).absolute()
    where = settings.micrographs or settings.picks
    images = _images(where, settings)
    settings = settings.model_copy(
        update={
            "picks": absolute(settings.picks),
            "micrographs": settings.micrographs and absolute(where),
            "relion_project": images.project,
            "optics": images.optics.model_copy(update=settings.optics.given),
        }
    )
    table = None
    if is_table(settings.picks):
        table = settings.picks
        found = of_table(open_table(table), images.origins, where)
    else:
        read = read_coordinates(settings.picks)
        for note in read.notes:
            events.warn(note)
        found = of_coordinates(read.coordinates, images.origins, where)
    return extract(
        settings, folder, found, engine, events, project=images.project, table=table, resume=resume
    )


def _images(where: str, settings: ExtractSettings) -> _Images:
    """Return the micrographs of a run, or of files."""
    given = settings.relion_project
    if _has_store(where):
        run = RunFolder(where)
        of = run.settings()
        averages = run.averages(run.relion_project(of))
        return _Images(of_run(run.store, averages), given.absolute() if given else of.project, of.optics)
    if settings.micrographs is None:
        raise UsageError(f"where the micrographs of {where} are is not known: give `micrographs`")
    project = project_of([settings.picks, where], given)
    return _Images(of_files(where, project), project, MicroscopeSettings())


def _has_store(where: str) -> bool:
    """Tell whether it is a run with its store."""
    if not is_bucket(where) and not (Path(where) / "config.yaml").is_file():
        return False
    return Place(f"{where.rstrip('/')}/store.zarr").size(METADATA) is not None
