"""Shapes and pixel sizes of micrographs whose coordinates do not say them."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from PIL import Image

from cryopick_ray.errors import MicrographError, UsageError, brief
from cryopick_ray.formats.export_paths import bare_name, exposure_name
from cryopick_ray.formats.reading import is_table
from cryopick_ray.micrographs.movies.open_movie import STACK_SUFFIXES, open_movie
from cryopick_ray.micrographs.sources import MicrographSource, list_sources
from cryopick_ray.picks.schema import PickedMicrograph
from cryopick_ray.picks.table import open_table
from cryopick_ray.project import project_of


class NamesAlike:
    """Names of micrographs, found by those that other programs give them.

    Folders on either side may differ, so the stems (file names without extension) must be equal, or at
    least name one exposure; of several such those with the most equal folders, counted from the file up,
    are meant.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._by_stem: defaultdict[str, list[str]] = defaultdict(list)
        self._by_exposure: defaultdict[str, list[str]] = defaultdict(list)
        for name in names:
            self._by_stem[PurePosixPath(bare_name(name)).name].append(name)
            self._by_exposure[exposure_name(name)].append(name)

    def find(self, micrograph_id: str) -> list[str]:
        """Return the names that may be meant, equally well."""
        wanted = PurePosixPath(bare_name(micrograph_id))
        alike = self._by_stem.get(wanted.name) or self._by_exposure.get(exposure_name(micrograph_id), [])
        depth = {name: shared_folders(name, micrograph_id) for name in alike}
        return [name for name, shared in depth.items() if shared == max(depth.values())]


class KnownMicrographs:
    """What micrographs are like, by name; headers are read of those that are asked for, no pixels.

    Parameters
    ----------
    where
        A run, a table, or any INPUT of one: a folder, a file, a glob, a list.

    Raises
    ------
    UsageError
        There are no micrographs.
    """

    def __init__(self, where: str) -> None:
        self.where = where
        found: Iterable[PickedMicrograph | MicrographSource] = (
            (micrograph for micrograph in open_table(where).micrographs if micrograph.status == "complete")
            if is_table(where)
            else list_sources([where], relion_project=project_of([where]))
        )
        self._known = {one.micrograph_id: one for one in found}
        self._names = NamesAlike(self._known)

    def fill(self, micrograph: PickedMicrograph) -> PickedMicrograph:
        """Return a micrograph with the shape and the pixel size that it lacks.

        Raises
        ------
        UsageError
            It is not there, its header cannot be read, or several may be meant.
        """
        if micrograph.shape and micrograph.pixel_size_A:
            return micrograph
        names = self._names.find(micrograph.micrograph_id)
        if len(names) != 1:
            what = f"may be {' or '.join(map(brief, names[:2]))}" if names else "is not"
            raise UsageError(
                f"`micrographs`: {brief(micrograph.micrograph_id)} {what} in {self.where}; expected one "
                "micrograph of that name"
            )
        shape, size_A = _said(self._known[names[0]])
        return replace(
            micrograph,
            shape=micrograph.shape or shape,
            pixel_size_A=micrograph.pixel_size_A or size_A or None,
        )


def _said(one: PickedMicrograph | MicrographSource) -> tuple[tuple[int, int] | None, float | None]:
    if isinstance(one, PickedMicrograph):
        return one.shape, one.pixel_size_A
    if one.url:
        raise UsageError(f"`micrographs`: {one.origin} is elsewhere; expected files of this machine")
    if one.path.name.lower().endswith(STACK_SUFFIXES):
        try:
            image = open_movie(one.path)
        except MicrographError as error:
            raise UsageError(f"`micrographs`: {one.path}: {error}") from error
        return image.shape, one.pixel_size_A or image.pixel_size_A
    return _picture_shape(one.path), one.pixel_size_A


def _picture_shape(path: Path) -> tuple[int, int]:
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as picture:
            return picture.height, picture.width
    # Decoders meet hostile bytes with every kind of error there is.
    except Exception as error:
        raise UsageError(f"`micrographs`: {path} cannot be read: {brief(error)}") from error


def shared_folders(one: str, other: str) -> int:
    """Return how many folders two names have in common, counted from the file up."""
    folders = (reversed(PurePosixPath(bare_name(name)).parent.parts) for name in (one, other))
    equal = [a == b for a, b in zip(*folders, strict=False)]
    return equal.index(False) if False in equal else len(equal)
