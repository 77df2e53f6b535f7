"""A folder of a RELION job: Extract, AutoPick, ManualPick, and those that refine particles."""

from collections.abc import Iterator
from pathlib import Path

from cryopick_ray.errors import PicksError
from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.formats.relion.coordinates import ENDINGS, own_name, read_coordinates
from cryopick_ray.formats.relion.lists import ReadOther, read_list
from cryopick_ray.formats.relion.particles import read_particles
from cryopick_ray.formats.relion.rows import Say, silent
from cryopick_ray.project import is_job

TABLES, LISTS = ("particles.star", "run_data.star"), ("autopick.star", "manualpick.star")


def looks_like(path: Path) -> bool:
    """Tell whether it is a folder of a job."""
    return path.is_dir() and is_job(path.absolute())


def read_job(path: Path, read_other: ReadOther | None = None, say: Say = silent) -> Iterator[Coordinates]:
    """Yield the particles of a job: of its table, else of its list, else of the files of its micrographs.

    Raises
    ------
    PicksError
        The job has none of them, or one cannot be read.
    """
    table = next((path / name for name in TABLES if (path / name).is_file()), None)
    if table is None:
        table = max(path.glob("run_it[0-9][0-9][0-9]_data.star"), default=None)
    if table is not None:
        yield from read_particles(table, say)
        return
    listed = next((path / name for name in LISTS if (path / name).is_file()), None)
    if listed is not None:
        yield from read_list(listed, read_other, say)
        return
    files = [file for ending in ENDINGS for file in sorted(path.rglob(f"*{ending}.star"))]
    if not files:
        raise PicksError(
            f"{path} holds no {', '.join((*TABLES, *LISTS))} and no *{ENDINGS[0]}.star; give another job"
        )
    for file in files:
        below = file.relative_to(path).parent / own_name(file)
        yield from read_coordinates(file, None if file.stem.endswith("_extract") else below.as_posix(), say)
