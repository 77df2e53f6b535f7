"""All particles in one STAR file, as RELION extracts them: with their micrograph, group and CTF."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.formats.column_names import RELION, in_relion
from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.formats.relion import helical
from cryopick_ray.formats.relion.particle_rows import NO_SCORE, SCORE, X, Y
from cryopick_ray.formats.star_text import loop
from cryopick_ray.micrographs.optics_groups import GROUP
from cryopick_ray.micrographs.star_list import CTF, MICROGRAPH

COORDINATES = (X, Y, SCORE)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
WITHOUT_CTF = {"rlnCtfScalefactor": "1.000000"}


@dataclass(frozen=True)
class _Block:
    """The rows of a micrograph put aside: their bytes, their number and their CTF."""

    n_bytes: int
    n_particles: int
    ctf: dict[str, str]


class ParticleRows:
    """Rows as they come, put aside until it is known which columns they have.

    Parameters
    ----------
    aside
        A file of its own.
    """

    def __init__(self, aside: IO[bytes]) -> None:
        self._aside = aside
        self._more: list[str] | None = None
        self._blocks: list[_Block] = []

    def add(
        self, coordinates: Coordinates, name: str, group: str, own: Sequence[str], rows: Sequence[str]
    ) -> list[str]:
        """Take the particles of a micrograph; return the columns of it that have no place here.

        The first that has particles says which columns all have beyond RELION's own.

        Parameters
        ----------
        own, rows
            Its :func:`more_columns`, and its :func:`coordinate_rows` with them.
        """
        if self._more is None and len(coordinates.x_px):
            self._more = [*own]
        columns = self._more or []
        if columns != own:
            rows = coordinate_rows(coordinates, columns)
        text = "".join([f"{name} {row} {group}\n" for row in rows]).encode()
        self._aside.write(text)
        self._blocks.append(_Block(len(text), len(rows), ctf_of(coordinates)))
        return [column for column in own if column not in columns] if len(coordinates.x_px) else []

    @property
    def has_ctf(self) -> bool:
        """Whether any particle has one."""
        return any(block.ctf for block in self._blocks)

    def write(self, file: IO[bytes]) -> int:
        """Write the block of all particles; return how many have no CTF though others do."""
        more = self._more or []
        found = {column for block in self._blocks for column in block.ctf}
        ctf_columns = [column for column in CTF if column in found and column not in more]
        file.write(loop("particles", (MICROGRAPH, *COORDINATES, *more, GROUP, *ctf_columns)).encode())
        self._aside.seek(0)
        without = 0
        for block in self._blocks:
            words = [block.ctf.get(column, WITHOUT_CTF.get(column, "0.000000")) for column in ctf_columns]
            end = "".join(f" {word}" for word in words) + "\n"
            file.write(self._aside.read(block.n_bytes).replace(b"\n", end.encode()))
            without += block.n_particles * bool(ctf_columns and not block.ctf)
        file.write(b"\n")
        return without


def coordinate_rows(coordinates: Coordinates, more: Sequence[str]) -> list[str]:
    """Return x, y, score and the columns asked for of each particle; 0 for those it has not."""
    scores = np.where(np.isnan(coordinates.score), NO_SCORE, coordinates.score)
    none = np.zeros(len(coordinates.x_px), np.int64)
    columns = _columns(coordinates)
    others = [columns.get(name, none) for name in more]
    row = " ".join(("%.3f %.3f %.7g", *("%.7g" if values.dtype.kind == "f" else "%s" for values in others)))
    values = (coordinates.x_px, coordinates.y_px, scores, *others)
    return list(map(row.__mod__, zip(*(column.tolist() for column in values), strict=True)))


def more_columns(coordinates: Coordinates) -> list[str]:
    """Return which columns of numbers a micrograph's particles have that RELION knows, or may."""
    return [
        name
        for name, values in _columns(coordinates).items()
        if name.startswith("rln") and values.dtype.kind in "fiu"
    ]


def _columns(coordinates: Coordinates) -> dict[str, NDArray[Any]]:
    """Return the columns of particles by RELION's names."""
    segments = helical.in_relion(coordinates.known, coordinates.micrograph.pixel_size_A)
    known = coordinates.known
    if segments:  # their angle is no rlnAnglePsi but where to look for it
        known.pop("angle_deg", None)
    own = in_relion({name: known[name] for name in RELION if name in known})
    return own | segments | dict(coordinates.columns)


def ctf_of(coordinates: Coordinates) -> dict[str, str]:
    """Return the CTF that INPUT's list gives the micrograph, as far as it is one."""
    listed = json.loads(coordinates.micrograph.listed) if coordinates.micrograph.listed else {}
    return {column: listed[column] for column in CTF if NUMBER.fullmatch(str(listed.get(column)))}
