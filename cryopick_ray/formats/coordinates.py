"""The particles of one micrograph, as files of coordinates have them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph


@dataclass(frozen=True, eq=False)
class Coordinates:
    """Particles of one micrograph, in the order of their file; of picks the best first.

    Attributes
    ----------
    micrograph
        Whose they are. Read from a file that knows no more, ``micrograph_id`` and ``relion_name`` are the
        micrograph's name as the file has it, ``dataset`` is empty, shape and pixel size are ``None``.
    x_px, y_px
        ``(n,)`` centres in pixels of the micrograph (see :mod:`cryopick_ray.units`).
    score
        ``(n,)`` whatever its program calls a score, the more the better; NaN where it gives none.
    diameter_A
        Particle diameter in angstroms; ``None`` if it is not known.
    box_px
        ``(n, 2)`` widths and heights of boxes in pixels; ``None`` of a file without boxes.
    columns
        ``(n,)`` columns that only some formats hold, by RELION's names, such as rlnClassNumber.
    """

    micrograph: PickedMicrograph
    x_px: NDArray[np.floating[Any]]
    y_px: NDArray[np.floating[Any]]
    score: NDArray[np.floating[Any]]
    diameter_A: float | None = None
    box_px: NDArray[np.floating[Any]] | None = None
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def rows(self) -> Iterator[tuple[float, float, float]]:
        """Yield ``(x_px, y_px, score)`` of the particles."""
        return zip(self.x_px.tolist(), self.y_px.tolist(), self.score.tolist(), strict=True)


def picked(picks: Iterable[MicrographPicks]) -> Iterator[Coordinates]:
    """Yield the picked candidates of each micrograph, failed ones included."""
    for one in picks:
        keep = one.picked
        yield Coordinates(
            one.micrograph, one.x_px[keep], one.y_px[keep], one.score[keep], diameter_A=one.diameter_A
        )
