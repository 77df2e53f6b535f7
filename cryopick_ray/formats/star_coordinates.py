"""RELION STAR files of coordinates -> the particles in them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cryopick_ray.formats.coordinates import Coordinates, by_micrograph, from_file
from cryopick_ray.formats.format import Format, Note
from cryopick_ray.formats.star import BY_HAND, COORDINATES, write_star
from cryopick_ray.micrographs.star import read_star

X, Y, MERIT = COORDINATES
MICROGRAPH = "rlnMicrographName"


def read_star_coordinates(path: Path, name: str, note: Note) -> Iterator[Coordinates]:
    """Yield the micrographs of a file, whose rows may name them (rlnMicrographName), or itself does."""
    blocks: Any = read_star(path, [MICROGRAPH])
    if not blocks:
        raise ValueError("no STAR block in it")
    found = False
    for table in blocks.values():
        if X not in table or Y not in table:
            continue
        found = True
        x, y = ([float(word) for word in table[column]] for column in (X, Y))
        merit = (
            np.array([float(word) for word in table[MERIT]]) if MERIT in table else np.full(len(x), np.nan)
        )
        score = np.where(merit == BY_HAND, np.nan, merit)
        if MICROGRAPH in table and len(x):
            yield from by_micrograph([str(word) for word in table[MICROGRAPH]], x, y, score.tolist())
        else:
            yield from_file(name, x, y, score)
    if not found:
        note(f"{path.name} holds no {X} and {Y}: left out")


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
