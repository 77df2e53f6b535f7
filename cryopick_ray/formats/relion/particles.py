"""All particles in one STAR file, as RELION extracts them: with their micrograph, group and CTF."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.formats.columns import RELION, in_relion
from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.formats.relion import helical
from cryopick_ray.formats.relion.rows import NO_SCORE, SCORE, X, Y
from cryopick_ray.formats.star_text import loop
from cryopick_ray.micrographs.listing import CTF, MICROGRAPH
from cryopick_ray.micrographs.optics_groups import GROUP

COORDINATES = (X, Y, SCORE)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
WITHOUT_CTF = {"rlnCtfScalefactor": "1.000000"}


class ParticleRows:
    """Rows as they come, put aside until it is known which columns they have.

    Parameters
    ----------
    aside
        A file of its own.
    """

    def __init__(self, aside: IO[str]) -> None:
        self._aside = aside
        self._more: list[str] | None = None
        self._ctf: list[tuple[int, dict[str, str]]] = []

    def add(self, one: Coordinates, name: str, group: str) -> list[str]:
        """Take the particles of a micrograph; return the columns of it that have no place here.

        The first that has particles says which columns all have beyond RELION's own.
        """
        own = more_columns(one)
        if self._more is None and len(one.x_px):
            self._more = own
        columns = self._more or []
        rows = coordinate_rows(one, columns)
        self._aside.writelines(f"{name} {row} {group}\n" for row in rows)
        self._ctf.append((len(one.x_px), ctf_of(one)))
        return [column for column in own if column not in columns] if len(one.x_px) else []

    @property
    def has_ctf(self) -> bool:
        """Whether any particle has one."""
        return any(ctf for _, ctf in self._ctf)

    def write(self, file: IO[str]) -> int:
        """Write the block of all particles; return how many have no CTF though others do."""
        more = self._more or []
        found = {column for _, ctf in self._ctf for column in ctf}
        ctf_columns = [column for column in CTF if column in found and column not in more]
        file.write(loop("particles", (MICROGRAPH, *COORDINATES, *more, GROUP, *ctf_columns)))
        self._aside.seek(0)
        without = 0
        for count, ctf in self._ctf:
            words = [ctf.get(column, WITHOUT_CTF.get(column, "0.000000")) for column in ctf_columns]
            end = "".join(f" {word}" for word in words) + "\n"
            file.writelines(f"{self._aside.readline()[:-1]}{end}" for _ in range(count))
            without += count * bool(ctf_columns and not ctf)
        file.write("\n")
        return without


def coordinate_rows(one: Coordinates, more: Sequence[str]) -> Iterator[str]:
    """Yield x, y, score and the columns asked for of each particle; 0 for those it has not."""
    scores = np.where(np.isnan(one.score), NO_SCORE, one.score)
    none = np.zeros(len(one.x_px), np.int64)
    columns = _columns(one)
    others = [columns.get(name, none).tolist() for name in more]
    for x, y, score, *rest in zip(
        one.x_px.tolist(), one.y_px.tolist(), scores.tolist(), *others, strict=True
    ):
        yield " ".join((f"{x:.3f} {y:.3f} {score:.7g}", *map(_number, rest)))


def more_columns(one: Coordinates) -> list[str]:
    """Return which columns of numbers a micrograph's particles have that RELION knows, or may."""
    return [
        name
        for name, values in _columns(one).items()
        if name.startswith("rln") and values.dtype.kind in "fiu"
    ]


def _columns(one: Coordinates) -> dict[str, NDArray[Any]]:
    """Return the columns of particles by RELION's names."""
    segments = helical.in_relion(one.known, one.micrograph.pixel_size_A)
    known = one.known
    if segments:  # their angle is no rlnAnglePsi but where to look for it
        known.pop("angle_deg", None)
    own = in_relion({name: known[name] for name in RELION if name in known})
    return own | segments | dict(one.columns)


def ctf_of(one: Coordinates) -> dict[str, str]:
    """Return the CTF that INPUT's list gives the micrograph, as far as it is one."""
    listed = json.loads(one.micrograph.listed) if one.micrograph.listed else {}
    return {column: listed[column] for column in CTF if NUMBER.fullmatch(str(listed.get(column)))}


def _number(value: float) -> str:
    return f"{value:.7g}" if isinstance(value, float) else str(value)
