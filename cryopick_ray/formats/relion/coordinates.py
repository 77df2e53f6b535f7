"""A STAR file of one micrograph's coordinates, as AutoPick, ManualPick and Extract write it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.formats.relion.rows import IMAGE, Say, X, Y, read_rows, silent
from cryopick_ray.micrographs.listing import MICROGRAPH
from cryopick_ray.micrographs.star import peek_star

ENDINGS = ("_autopick", "_manualpick", "_extract")


def looks_like(path: Path) -> bool:
    """Tell whether it is a STAR file of coordinates whose rows name no micrograph."""
    return path.suffix == ".star" and any(
        X in block and Y in block and MICROGRAPH not in block and IMAGE not in block
        for block in peek_star(path).values()
    )


def read_coordinates(path: Path, name: str | None = None, say: Say = silent) -> Iterator[Coordinates]:
    """Yield a micrograph's particles.

    Parameters
    ----------
    name
        What the micrograph is called, whatever the rows say; else as they say, or as the file is called.
    """
    for one in read_rows(path, own_name(path), say):
        own = one.micrograph
        named = own if name is None else replace(own, micrograph_id=name, relion_name=name)
        yield replace(one, micrograph=named)


def own_name(path: Path) -> str:
    """Return what a file's name calls its micrograph: ``x_autopick.star`` x, ``x.mrc.star`` x.mrc."""
    return next((path.stem.removesuffix(one) for one in ENDINGS if path.stem.endswith(one)), path.stem)
