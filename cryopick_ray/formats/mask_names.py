"""Which file of a folder masks which micrograph."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cryopick_ray.errors import UsageError
from cryopick_ray.formats.export_paths import bare_name, without_ending
from cryopick_ray.formats.known import NamesAlike, shared_folders
from cryopick_ray.micrographs.reader import is_micrograph_name
from cryopick_ray.store.manifest import read_manifest
from cryopick_ray.store.store import MicrographStore

ENDINGS = ("_mask", "-mask")
"""What programs add to a micrograph's name for its mask."""


def find_masks(folder: Path | None, micrograph_ids: Iterable[str]) -> Mapping[str, Path]:
    """Return the file that masks each of these micrographs, of those that have one; none without a folder.

    It is named like the micrograph, whatever the suffix, or like another image of its exposure; in folders
    as the micrographs are, or not.

    Raises
    ------
    UsageError
        If there is no such folder, or it is not clear which micrograph a file masks.
    """
    if folder is None:
        return {}
    check_masks(folder)
    files: defaultdict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.rglob("*")):
        if is_micrograph_name(path.name) and path.is_file():
            name = bare_name(path.relative_to(folder).as_posix())
            files[without_ending(name, ENDINGS)].append(path)
    names = NamesAlike(files)
    owners: defaultdict[Path, dict[str, int]] = defaultdict(dict)
    for micrograph_id in micrograph_ids:
        if meant := names.find(micrograph_id):
            path = _only([path for name in meant for path in files[name]], micrograph_id)
            owners[path][micrograph_id] = shared_folders(meant[0], micrograph_id)
    return {_owner(path, fits): path for path, fits in owners.items()}


def _only(alike: Sequence[Path], micrograph_id: str) -> Path:
    marked = [path for path in alike if bare_name(path.name).lower().endswith(ENDINGS)]
    meant = marked or alike  # they may lie beside the micrographs
    if len(meant) > 1:
        raise UsageError(
            f"`masks`: {meant[0]} and {meant[1]} may both be the mask of {micrograph_id}; keep one, or put "
            "them in folders like the micrographs'"
        )
    return meant[0]


def _owner(path: Path, fits: Mapping[str, int]) -> str:
    """Return the micrograph whose folders a mask shares most of."""
    best = [name for name, shared in fits.items() if shared == max(fits.values())]
    if len(best) > 1:
        raise UsageError(
            f"`masks`: {path} may be the mask of {best[0]} and of {best[1]}; put masks in folders like the "
            "micrographs'"
        )
    return best[0]


def masks_of(folder: Path | None, store_url: str) -> Mapping[str, Path]:
    """Return the file that masks each micrograph of a store, of those that have one; none without a folder.

    Raises
    ------
    UsageError
        As :func:`find_masks`.
    """
    manifest = {} if folder is None else read_manifest(MicrographStore(store_url).place)
    return find_masks(folder, [name for name, row in manifest.items() if row.status == "complete"])


def check_masks(folder: Path | None) -> None:
    """Refuse masks that are no folder.

    Raises
    ------
    UsageError
        Naming it.
    """
    if folder is not None and not folder.is_dir():
        raise UsageError(f"`masks` {folder} is no folder; expected one of files named after the micrographs")
