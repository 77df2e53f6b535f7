"""Parts of a data set by a number of each micrograph: its defocus, say."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from cryopick_ray.errors import UsageError, brief
from cryopick_ray.settings.base import Settings

MAX_BYTES = 2**24


class Bins(Settings):
    """Which number, and where its bins end.

    Attributes
    ----------
    values
        CSV file of ``micrograph,number`` lines; a first line of names may be there.
    name, unit
        Of the number, for the table.
    edges
        Rising: ``[1.55, 2.4]`` makes ``<= 1.55``, ``1.55-2.4`` and ``>= 2.4``.
    """

    values: Path
    name: Annotated[str, Field(min_length=1)]
    unit: str = ""
    edges: Annotated[tuple[Annotated[float, Field(allow_inf_nan=False)], ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if any(low >= high for low, high in pairwise(self.edges)):
            raise ValueError(f"edges of {self.name} are {list(self.edges)}; expected rising numbers")
        return self


@dataclass(frozen=True)
class BinnedPart:
    """Some micrographs of a data set.

    Attributes
    ----------
    name
        Of the part: "defocus <= 1.55 um".
    micrograph_ids
        Which they are.
    """

    name: str
    micrograph_ids: frozenset[str]


def parts(bins: Bins, micrograph_ids: Iterable[str]) -> tuple[BinnedPart, ...]:
    """Return the parts that hold micrographs, the lowest numbers first.

    Raises
    ------
    UsageError
        If the file cannot be read, or has no number of a micrograph.
    """
    known = _numbers(bins.values)
    ids: dict[int, set[str]] = {}
    for micrograph_id in micrograph_ids:
        if (number := known.get(Path(micrograph_id).stem)) is None:
            raise UsageError(f"{bins.values} has no number of {micrograph_id}; add a line (`bins.values`)")
        ids.setdefault(_bin(number, bins.edges), set()).add(micrograph_id)
    return tuple(BinnedPart(_name(bins, index), frozenset(ids[index])) for index in sorted(ids))


def _bin(number: float, edges: tuple[float, ...]) -> int:
    """Return which bin a number is in: on an edge the lower one, on the last of several the highest."""
    if len(edges) > 1 and number == edges[-1]:
        return len(edges)
    return sum(number > edge for edge in edges)


def _name(bins: Bins, index: int) -> str:
    edges, unit = [f"{edge:g}" for edge in bins.edges], f" {bins.unit}" if bins.unit else ""
    if index == 0:
        return f"{bins.name} <= {edges[0]}{unit}"
    if index == len(edges):
        return f"{bins.name} {'>=' if len(edges) > 1 else '>'} {edges[-1]}{unit}"
    return f"{bins.name} {edges[index - 1]}-{edges[index]}{unit}"


def _numbers(path: Path) -> dict[str, float]:
    """Return the numbers of a file by the micrographs' names without folder and extension."""
    try:
        with path.open(encoding="utf-8") as file:
            lines = file.read(MAX_BYTES).splitlines()
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read ({brief(error)}); mend `bins.values`") from error
    numbers: dict[str, float] = {}
    for row, line in enumerate(filter(str.strip, lines)):
        name, _, number = line.partition(",")
        try:
            numbers[Path(name.strip()).stem] = float(number)
        except ValueError as error:
            if row:
                raise UsageError(f"{path} has the line {brief(line)}; expected micrograph,number") from error
    return numbers
