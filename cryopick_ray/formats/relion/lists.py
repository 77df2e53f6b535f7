"""RELION's list of coordinate files: autopick.star, manualpick.star."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from cryopick_ray.errors import PicksError, brief
from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.formats.format import Note
from cryopick_ray.formats.relion.particle_rows import read_rows
from cryopick_ray.micrographs.star_blocks import Block, peek_star, read_star
from cryopick_ray.micrographs.star_list import MICROGRAPH
from cryopick_ray.project import found_above

FILE = "rlnMicrographCoordinates"
ReadOther = Callable[[Path, str], Iterator[Coordinates]]


def looks_like(path: Path) -> bool:
    """Tell whether it is a STAR file that lists coordinate files."""
    return path.suffix == ".star" and _table(peek_star(path)) is not None


def read_list(path: Path, read_other: ReadOther, say: Note) -> Iterator[Coordinates]:
    """Yield the particles of each micrograph listed, read from its own file.

    Files lie in the RELION project that the list lies in, else in the list's folder, else in the working one.

    Parameters
    ----------
    read_other
        Reads files that are no STAR files (``.box``, ``.txt``), with the micrograph's name.

    Raises
    ------
    PicksError
        The list or one of its files cannot be read.
    """
    try:
        table = _table(read_star(path, (MICROGRAPH, FILE)))
    except (OSError, ValueError) as error:
        raise PicksError(f"{path} is no readable list of coordinate files: {brief(error)}") from error
    if table is None:
        raise PicksError(f"{path} lists no coordinate files; expected {MICROGRAPH} and {FILE}")
    project = found_above(path.absolute())
    folders = [folder for folder in (project, path.parent, Path()) if folder is not None]
    for name, file in zip(table[MICROGRAPH], table[FILE], strict=True):
        found = next((folder / file for folder in folders if (folder / file).is_file()), None)
        if found is None:
            raise PicksError(f"{path} lists {file!r}, which is not in the RELION project {folders[0]}")
        if found.suffix == ".star":
            yield from (_named(one, name) for one in read_rows(found, name, say))
        else:
            yield from read_other(found, name)


def _named(coordinates: Coordinates, name: str) -> Coordinates:
    """Return particles as the list's, whatever their own file calls the micrograph."""
    return replace(
        coordinates, micrograph=replace(coordinates.micrograph, micrograph_id=name, relion_name=name)
    )


def _table(blocks: dict[str, Block]) -> Block | None:
    return next((block for block in blocks.values() if MICROGRAPH in block and FILE in block), None)
