"""Coordinates that people made, or another program -> true particles of each micrograph."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import PicksError, UsageError
from cryopick_ray.filaments.segments import traces_of
from cryopick_ray.filaments.trace import Trace
from cryopick_ray.formats.export_paths import bare_name
from cryopick_ray.formats.known import NamesAlike
from cryopick_ray.formats.reading import UnclearFormatError, read_coordinates
from cryopick_ray.picks.columns import Columns
from cryopick_ray.units import Shape

Centres = NDArray[np.float64]
"""``(n, 2)`` columns (x) and rows (y) of particle centres, in pixels of the source micrograph."""
FILAMENT = "filament"


@dataclass(frozen=True)
class Truth:
    """True particles of many micrographs.

    Attributes
    ----------
    source
        The folder or file they were read from.
    particles
        Centres by micrograph, named by its path as far as the truth knows it, without extension.
    notes
        Files that were left out, and why.
    upside_down
        Names whose rows are counted from the last: see :meth:`centres`.
    more
        By name, what else is known of its particles: ``(n,)`` columns by their names in files.
    """

    source: str | Path
    particles: Mapping[str, Centres]
    notes: tuple[str, ...]
    upside_down: frozenset[str] = frozenset()
    more: Mapping[str, Columns] = field(default_factory=dict)

    @property
    def has_filaments(self) -> bool:
        """Whether any particle is known to be a segment of a filament."""
        return any((columns[FILAMENT] >= 0).any() for columns in self.more.values() if FILAMENT in columns)

    def traces(self, name: str, shape: Shape | None) -> list[Trace]:
        """Return the filaments of a micrograph of that shape, its first row first."""
        columns = self.more.get(name, {})
        if FILAMENT not in columns:
            return []
        rows = columns[FILAMENT] >= 0
        x, y = self.centres(name, shape)[rows].T
        track = columns.get("track_px")
        is_told = track is not None and np.isfinite(track[rows]).all()
        return traces_of(
            x, y, columns[FILAMENT][rows], track[rows] if track is not None and is_told else None
        )

    def centres(self, name: str, shape: Shape | None) -> Centres:
        """Return the centres of a micrograph of that shape, its first row first."""
        centres = self.particles[name]
        if name not in self.upside_down:
            return centres
        if shape is None:
            raise UsageError(
                f"{self.source} counts the rows of {name!r} from the last, and their number is not known; "
                "convert it first, with `image_height`"
            )
        return centres * (1, -1) + (0, shape[0] - 1)

    def name_of(self, micrograph_id: str) -> str | None:
        """Return the name under which the particles of a micrograph are known; ``None`` if they are not.

        Folders on either side may differ, so the stems (file names without extension) must be equal, or those
        of images of one exposure (``a_DW``, ``a_patch_aligned``); of several the one with the most equal
        folders, counted from the file up, is meant.

        Raises
        ------
        PicksError
            If two are equally good.
        """
        best = self._names.find(micrograph_id)
        if len(best) > 1:
            raise PicksError(
                f"truth of micrograph {micrograph_id!r} may be {best[0]!r} or {best[1]!r} in {self.source}; "
                "give the truth the micrographs' folders"
            )
        return best[0] if best else None

    @cached_property
    def _names(self) -> NamesAlike:
        return NamesAlike(self.particles)


def read_truth(source: str | Path) -> Truth:
    """Read true particles from coordinates of any format, or from a run or a table, whose picks are taken.

    Raises
    ------
    UsageError
        If there is no such folder or file, or no coordinates in it.
    PicksError
        If a file cannot be read, or a micrograph's particles are in two files; the message names them.
    """
    try:
        found = read_coordinates(source)
    except UnclearFormatError as error:
        raise UsageError(f"{error}: convert `truth` first") from error
    except UsageError as error:
        raise UsageError(f"{error}; give `truth` a folder of coordinates, or a file") from error
    particles: dict[str, Centres] = {}
    more: dict[str, Columns] = {}
    upside_down = set()
    for one in found.coordinates:
        name = bare_name(one.micrograph.micrograph_id)
        if name in particles:
            raise PicksError(f"{source} has the particles of {name!r} under two names; keep one of them")
        particles[name] = np.column_stack([one.x_px, one.y_px]).astype(np.float64)
        more[name] = one.known
        if one.is_upside_down:
            upside_down.add(name)
    return Truth(source, particles, found.notes, frozenset(upside_down), more)
