"""``cryopick extract``: particles of a run, a table or coordinates, from the run's store or image files."""

from dataclasses import dataclass
from pathlib import Path

from cryopick_ray.engine.engine import Engine
from cryopick_ray.engine.events import Events
from cryopick_ray.errors import UsageError
from cryopick_ray.formats.reading import is_table, read_coordinates
from cryopick_ray.particles.extract import Extracted, extract, items_of_coordinates, items_of_table
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
    """Pixel sources of the micrographs, with the project folder and microscope of their run."""

    origins: dict[str, PixelOrigin]
    project: Path
    optics: MicroscopeSettings


def extract_particles(
    settings: ExtractSettings, out: str, engine: Engine, events: Events, *, resume: bool = False
) -> Extracted:
    """Extract the particles of a run, a table or a coordinate file from their micrographs.

    Raises
    ------
    UsageError
        A setting is wrong, the micrographs are unknown, or ``out`` is not free or a bucket.
    """
    folder = local_folder(out).absolute()
    image_source = settings.micrographs or settings.picks
    images = _images(image_source, settings)
    settings = settings.model_copy(
        update={
            "picks": absolute(settings.picks),
            "micrographs": settings.micrographs and absolute(image_source),
            "relion_project": images.project,
            "optics": images.optics.model_copy(update=settings.optics.given),
        }
    )
    table = None
    if is_table(settings.picks):
        table = settings.picks
        micrographs = items_of_table(open_table(table), images.origins, image_source)
    else:
        read = read_coordinates(settings.picks)
        for note in read.notes:
            events.warn(note)
        micrographs = items_of_coordinates(read.coordinates, images.origins, image_source)
    return extract(
        settings, folder, micrographs, engine, events, project=images.project, table=table, resume=resume
    )


def _images(image_source: str, settings: ExtractSettings) -> _Images:
    """Return the pixel sources of a run's micrographs, or of image files."""
    project = settings.relion_project
    if _has_store(image_source):
        run = RunFolder(image_source)
        run_settings = run.settings()
        averages = run.averages(run.relion_project(run_settings))
        return _Images(
            of_run(run.store, averages),
            project.absolute() if project else run_settings.project,
            run_settings.optics,
        )
    if settings.micrographs is None:
        raise UsageError(f"where the micrographs of {image_source} are is not known: give `micrographs`")
    project = project_of([settings.picks, image_source], project)
    return _Images(of_files(image_source, project), project, MicroscopeSettings())


def _has_store(where: str) -> bool:
    """Tell whether a path or URL is a run with a store."""
    if not is_bucket(where) and not (Path(where) / "config.yaml").is_file():
        return False
    return Place(f"{where.rstrip('/')}/store.zarr").size(METADATA) is not None
