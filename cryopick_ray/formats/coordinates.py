"""The particles of one micrograph, as files of coordinates have them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.formats.column_names import IN_FILES, from_relion, in_pixels, is_known
from cryopick_ray.picks.columns import Columns, taken
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
        ``(n,)`` columns that only RELION's files hold, by its names, such as rlnDefocusU.
    more
        What else is known of them: ``(n,)`` columns by their names in files
        (:data:`~cryopick_ray.formats.column_names.IN_FILES`), lengths in pixels of the micrograph.
    is_upside_down
        Whether ``y_px`` counts from the micrograph's last row up, which a file may do that does not know how
        many rows there are: see :meth:`upright`.
    """

    micrograph: PickedMicrograph
    x_px: NDArray[np.floating[Any]]
    y_px: NDArray[np.floating[Any]]
    score: NDArray[np.floating[Any]]
    diameter_A: float | None = None
    box_px: NDArray[np.floating[Any]] | None = None
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    more: Columns = field(default_factory=dict)
    is_upside_down: bool = False

    def rows(self) -> Iterator[tuple[float, float, float]]:
        """Yield ``(x_px, y_px, score)`` of the particles."""
        return zip(self.x_px.tolist(), self.y_px.tolist(), self.score.tolist(), strict=True)

    def flipped(self, height_px: int) -> "Coordinates":
        """Return the same with rows counted from the other end of a micrograph of so many."""
        more = {name: -values if name == "angle_deg" else values for name, values in self.more.items()}
        upside_down = not self.is_upside_down
        return replace(self, y_px=height_px - 1 - self.y_px, more=more, is_upside_down=upside_down)

    def taken(self, rows: NDArray[np.intp]) -> "Coordinates":
        """Return some of the particles, by their places, in that order."""
        return replace(
            self,
            x_px=self.x_px[rows],
            y_px=self.y_px[rows],
            score=self.score[rows],
            box_px=None if self.box_px is None else self.box_px[rows],
            columns=taken(self.columns, rows),
            more=taken(self.more, rows),
        )

    def whole(self) -> "Coordinates":
        """Return the same with centres at the nearest whole pixels."""
        return replace(self, x_px=np.floor(self.x_px + 0.5), y_px=np.floor(self.y_px + 0.5))

    @property
    def known(self) -> dict[str, NDArray[Any]]:
        """Those of :attr:`more` in which something is known, and what :attr:`columns` says of the same."""
        found = from_relion(self.columns) | dict(self.more)
        return {name: found[name] for name in IN_FILES if name in found and is_known(name, found[name]).any()}

    @property
    def is_scored(self) -> bool:
        """Whether any particle has a score."""
        return bool(np.isfinite(self.score).any())


def from_file(
    name: str,
    x_px: Sequence[float] | NDArray[Any],
    y_px: Sequence[float] | NDArray[Any],
    score: Sequence[float] | NDArray[Any] | None = None,
    box_px: Sequence[Sequence[float]] | NDArray[Any] | None = None,
    **more: Any,
) -> Coordinates:
    """Return what a file says of a micrograph that it only names.

    Parameters
    ----------
    name
        As the file has it; of the id, parts that lead out of a folder are dropped.
    more
        Other fields of :class:`Coordinates`.

    Raises
    ------
    ValueError
        A place is not finite.
    """
    x, y = (np.asarray(values, np.float64).reshape(-1) for values in (x_px, y_px))
    if wrong := int((~(np.isfinite(x) & np.isfinite(y))).sum()):
        raise ValueError(f"{wrong} rows without finite coordinates")
    parts = [part for part in name.split("/") if part not in ("", ".", "..")]
    micrograph = PickedMicrograph("/".join(parts) or name, "", name, None, None, None, "complete", "")
    scores = np.full(len(x), np.nan) if score is None else np.asarray(score, np.float64)
    boxes = None if box_px is None else np.asarray(box_px, np.float64).reshape(-1, 2)
    if boxes is not None and not (boxes > 0).all():
        boxes = None
    return Coordinates(micrograph, x, y, scores, box_px=boxes, **more)


def by_micrograph(
    names: Sequence[str],
    x_px: Sequence[float] | NDArray[Any],
    y_px: Sequence[float] | NDArray[Any],
    score: Sequence[float] | NDArray[Any] | None = None,
    box_px: Sequence[Sequence[float]] | NDArray[Any] | None = None,
    *,
    more: Columns | None = None,
) -> Iterator[Coordinates]:
    """Yield the rows of a table of many micrographs, one micrograph after the other."""
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        rows.setdefault(name, []).append(row)
    table = [None if one is None else np.asarray(one, np.float64) for one in (x_px, y_px, score, box_px)]
    for name, chosen in rows.items():
        x, y, scores, boxes = (None if one is None else one[chosen] for one in table)
        assert x is not None
        assert y is not None
        yield from_file(name, x, y, scores, boxes, more=taken(more or {}, chosen))


def picked(picks: Iterable[MicrographPicks]) -> Iterator[Coordinates]:
    """Yield the picked candidates of each micrograph, failed ones included."""
    for one in picks:
        keep, size_A = one.picked, one.micrograph.pixel_size_A
        yield Coordinates(
            one.micrograph,
            one.x_px[keep],
            one.y_px[keep],
            one.score[keep],
            diameter_A=one.diameter_A,
            more={} if size_A is None else in_pixels(taken(one.more, keep), size_A),
        )
