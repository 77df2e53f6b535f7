"""A CryoSPARC project as its own picks show it: what it calls micrographs, and which way its y goes."""

import math
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from cryopick_ray.errors import PicksError, brief
from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.formats.cs_picks import read_cs
from cryopick_ray.formats.export_paths import exposure_name
from cryopick_ray.micrographs.cs_list import CsExposure, read_cs_list
from cryopick_ray.micrographs.cs_table import read_table
from cryopick_ray.picks.schema import PickedMicrograph

CLEAR = 5.0
"""Standard deviations by which one way must agree better than the other."""


class CsLike:
    """Picks that CryoSPARC has of some micrographs, from whatever picker, or their exposures.

    A micrograph is theirs by its uid, its path in the project, or its name without number, format and what
    programs append.

    Parameters
    ----------
    path
        ``.cs`` or ``.csg``.
    say
        Told what of it cannot be used.

    Raises
    ------
    UsageError, PicksError
        It cannot be read.
    """

    def __init__(self, path: Path, say: Callable[[str], None] = lambda text: None) -> None:
        self.path = path
        self._theirs = _read(path, say)
        self._by_uid: dict[int, Coordinates] = {}
        self._by_name: defaultdict[str, list[Coordinates]] = defaultdict(list)
        for their in self._theirs:
            if (exposure := CsExposure.from_text(their.micrograph.listed)) is not None:
                self._by_uid[exposure.uid] = their
                self._by_name[exposure.project_path].append(their)
                self._by_name[exposure_name(exposure.project_path)].append(their)
        self._near, self._of = np.zeros(2, int), 0

    def example(self) -> str:
        """Return how it calls a micrograph, for a message."""
        return f"; it knows {brief(self._theirs[0].micrograph.relion_name)}" if self._theirs else ""

    def find(self, ours: Coordinates) -> PickedMicrograph | None:
        """Return the micrograph as the project has it, ``None`` if it is not there; compare the picks on it.

        Raises
        ------
        PicksError
            Several may be meant.
        """
        micrograph = ours.micrograph
        own = CsExposure.from_text(micrograph.listed)
        found = [] if own is None else [self._by_uid[own.uid]] * (own.uid in self._by_uid)
        for name in (micrograph.relion_name, micrograph.micrograph_id):
            found = found or self._by_name.get(name, []) or self._by_name.get(exposure_name(name), [])
        if len(found) > 1:
            one, other = (brief(each.micrograph.relion_name) for each in found[:2])
            raise PicksError(f"`like`: micrograph {micrograph.micrograph_id!r} may be {one} or {other} there")
        if not found:
            return None
        self._compare(ours, found[0])
        return found[0].micrograph

    def is_mirrored(self, say: Callable[[str], None]) -> bool:
        """Tell whether their rows are counted from the last, by the picks on all micrographs found so far."""
        if not self._of:
            say(f"which way y goes is undecided: {self.path.name} has no picks; written from the first row")
            return False
        straight, mirrored = map(int, self._near)
        clear = abs(straight - mirrored) > CLEAR * math.sqrt(straight + mirrored)
        seen = (
            f"of {self._of} picks in {self.path.name}, {straight} are at ours with rows from the first, "
            f"{mirrored} with rows from the last"
        )
        if not clear:
            say(f"which way y goes is undecided: {seen}; written from the first row")
        elif mirrored > straight:
            say(f"y is written from the last row, as CryoSPARC's picks have it: {seen}")
        else:
            say(f"y is written from the first row, as CryoSPARC's picks have it: {seen}")
        return clear and mirrored > straight

    def _compare(self, ours: Coordinates, theirs: Coordinates) -> None:
        """Count their picks that lie at one of ours, as they are and mirrored; by chance as many do."""
        shape, own_shape = theirs.micrograph.shape, ours.micrograph.shape
        if shape is None or own_shape is None or not len(theirs.x_px) or not len(ours.x_px):
            return
        height, width = own_shape
        x, y = theirs.x_px * (width / shape[1]), theirs.y_px * (height / shape[0])
        tree, radius_px = cKDTree(np.column_stack([ours.x_px, ours.y_px])), _radius_px(ours)
        for way, rows in enumerate((y, height - 1 - y)):
            away_px = np.asarray(tree.query(np.column_stack([x, rows]))[0])
            self._near[way] += np.count_nonzero(away_px <= radius_px)
        self._of += len(x)


def _radius_px(ours: Coordinates) -> float:
    """Return half a particle's diameter; where it is not known, a fourth of the way to the next."""
    if ours.diameter_A and ours.micrograph.pixel_size_A:
        return ours.diameter_A / ours.micrograph.pixel_size_A / 2
    places = np.column_stack([ours.x_px, ours.y_px])
    away_px = np.asarray(cKDTree(places).query(places, k=2)[0])[
        :, 1
    ]  # to the next; infinite for a single one
    return float(np.median(away_px)) / 4


def _read(path: Path, say: Callable[[str], None]) -> list[Coordinates]:
    table = read_table(path)
    if table.has("location/micrograph_uid"):
        return list(read_cs(path, say))
    none = np.empty(0)
    shapes = dict(zip(table.whole("uid"), table.shapes("micrograph_blob/shape").tolist(), strict=True))
    found = []
    for one in read_cs_list(path, path.parent, say):
        exposure = CsExposure.from_text(one.listed)
        height, width = shapes[exposure.uid] if exposure else (0, 0)
        shape = (height, width) if min(height, width) > 0 else None
        micrograph = PickedMicrograph(
            *(one.name, "", one.name, shape, one.pixel_size_A, None, "complete", ""), listed=one.listed
        )
        found.append(Coordinates(micrograph, none, none, none))
    return found
