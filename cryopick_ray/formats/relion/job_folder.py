"""A folder of a RELION job: Extract, AutoPick, ManualPick, and those that refine particles."""

from pathlib import Path

from cryopick_ray.errors import PicksError
from cryopick_ray.formats.export_paths import RELION_ENDINGS
from cryopick_ray.project import is_job

TABLES, LISTS = ("particles.star", "run_data.star"), ("autopick.star", "manualpick.star")


def looks_like(path: Path) -> bool:
    """Tell whether it is a folder of a job."""
    return path.is_dir() and is_job(path.absolute())


def files_of(path: Path) -> list[Path]:
    """Return where the particles of a job are: its table, else its list, else the files of its micrographs.

    Raises
    ------
    PicksError
        The job has none of them.
    """
    whole = [path / name for name in TABLES if (path / name).is_file()]
    iterations = sorted(path.glob("run_it[0-9][0-9][0-9]_data.star"))
    listed = [path / name for name in LISTS if (path / name).is_file()]
    for one in (whole[:1], iterations[-1:], listed[:1]):
        if one:
            return one
    if files := [file for ending in RELION_ENDINGS for file in sorted(path.rglob(f"*{ending}.star"))]:
        return files
    raise PicksError(
        f"{path} holds no {', '.join((*TABLES, *LISTS))} and no *{RELION_ENDINGS[0]}.star; give another job"
    )
