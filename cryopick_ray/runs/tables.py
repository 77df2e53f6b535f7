"""A run's table, and whether a run that goes on needs no more than another one."""

from pathlib import Path

from cryopick_ray.errors import CryoPickError
from cryopick_ray.formats.mask_names import masks_of
from cryopick_ray.micrographs.exposure import stamp
from cryopick_ray.micrographs.sources import list_sources
from cryopick_ray.picks.coverage import coverage
from cryopick_ray.picks.digest import CALIBRATED
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.picks.thresholds import Threshold
from cryopick_ray.runs.empiar_run import is_archive
from cryopick_ray.runs.results import read_summary
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.settings.leaves import OF_TABLE, differences
from cryopick_ray.settings.run_settings import RunSettings
from cryopick_ray.stages.cut_table import check_cut, table
from cryopick_ray.store.manifest import ManifestRow, read_manifest
from cryopick_ray.store.store import MicrographStore


def gather(
    settings: RunSettings, folder: RunFolder, digest: str, out: Path | None = None
) -> dict[str, Threshold]:
    """Make the table of a run's picks, its own or another in ``out``; return the thresholds used."""
    return table(
        folder.store,
        folder.picks,
        digest,
        out or folder.table,
        settings.cut,
        keep_junk=settings.keep_junk,
        masks=masks_of(settings.masks, folder.store),
        any_image=settings.any_image,
        selection=settings.selection,
    )


def only_to_cut(settings: RunSettings, folder: RunFolder) -> str | None:
    """Return the digest of a run that is done and of which only another table is asked; else ``None``."""
    old = folder.settings() if folder.config.is_file() else settings
    if all(getattr(old, name) == getattr(settings, name) for name in OF_TABLE):
        return None
    try:
        if folder.settings().diameter_A != settings.diameter_A or differences(folder.settings(), settings):
            return None
        manifest = read_manifest(MicrographStore(folder.store).place)
        digest = read_summary(folder).digest  # of several, where the diameter was changed
        shards = PickShards(folder.picks, digest)
        described = shards.settings()
        if described["diameter_A"] != settings.diameter_A:
            return None
        check_cut(settings.cut, described["model"], calibrated=described.get(CALIBRATED, False))
        covered = coverage(shards, manifest)
    except CryoPickError:  # told, or mended, by a run that goes on
        return None
    is_picked = all(row.status != "complete" or name in covered for name, row in manifest.items())
    return digest if covered and is_picked and not _have_joined(settings, manifest) else None


def _have_joined(settings: RunSettings, manifest: dict[str, ManifestRow]) -> bool:
    """Tell whether there are files that a finished run has not seen; an entry of EMPIAR stays what it is."""
    if is_archive(settings.inputs):
        return False
    held = {name for name, row in manifest.items() if row.status == "complete"}
    sources = list_sources(settings.inputs, **settings.which, taken=held, say=lambda text: None)
    for source in sources:
        row = manifest.get(source.micrograph_id)
        seen = None if row is None else (row.source_bytes, row.source_mtime_ns)
        if seen is None or (seen != (None, None) and stamp(source) not in (None, seen)):
            return True
    return False
