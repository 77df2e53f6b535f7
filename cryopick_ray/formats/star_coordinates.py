"""RELION STAR files of coordinates -> the particles in them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cryopick_ray.formats.coordinates import Coordinates, by_micrograph, from_file
from cryopick_ray.formats.format import Format, Note
from cryopick_ray.formats.star import BY_HAND, COORDINATES, write_star
from cryopick_ray.formats.text import column
from cryopick_ray.micrographs.star import read_star

X, Y, MERIT = COORDINATES
MICROGRAPH = "rlnMicrographName"


def read_star_coordinates(path: Path, name: str, note: Note) -> Iterator[Coordinates]:
    """Yield the micrographs of a file, whose rows may name them (rlnMicrographName), or itself does."""
    del note
    blocks = read_star(path, (X, Y, MERIT, MICROGRAPH))
    if not blocks:
        raise ValueError("no STAR block in it")
    for block in blocks.values():
        if X not in block or Y not in block:
            continue
        x, y, merit = (column(block, label) for label in (X, Y, MERIT))
        score = np.where(merit == BY_HAND, np.nan, merit)
        if names := block.get(MICROGRAPH):
            yield from by_micrograph(names, x, y, score)
        else:
            yield from_file(name, x, y, score)


STAR = Format(
    name="star",
    title="RELION STAR",
    suffixes=(".star",),
    looks_like=lambda head: "data_" in head and "_rln" in head,
    read=read_star_coordinates,
    write=write_star,
    holds=frozenset({"scores", "fractions", "empty", "folders"}),
    endings=("_manualpick", "_autopick", "_extract"),
)
