"""Extractions of many micrographs: planned, cut into units, run, gone on with, joined into STAR files."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from cryopick_ray.engine.engine import Engine
from cryopick_ray.engine.events import Events
from cryopick_ray.engine.stage import StagePart as StagePart
from cryopick_ray.engine.stage import run_stage
from cryopick_ray.engine.unit_rules import cut, unit_size
from cryopick_ray.errors import PicksError, UsageError, few
from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.formats.export_paths import without_extension
from cryopick_ray.formats.known import NamesAlike
from cryopick_ray.formats.relion.particle_optics import guessed_optics
from cryopick_ray.formats.star_text import quoted
from cryopick_ray.particles.extract_settings import ExtractSettings
from cryopick_ray.particles.extract_worker import ExtractWorker, ToExtract
from cryopick_ray.particles.join import Joined, first_image, join
from cryopick_ray.particles.pixels import PixelOrigin
from cryopick_ray.picks.schema import PickedMicrograph
from cryopick_ray.picks.table import PickTable
from cryopick_ray.settings.config import checked
from cryopick_ray.store.claim import claimed, kept_settings
from cryopick_ray.store.publish import write_whole

SUMMARY = "extract.json"
FREE = {"optics", "relion_project"}
"""Settings that only STAR files depend on, which are written anew each time."""
Failures = list[tuple[str, str]]


@dataclass(frozen=True)
class Extracted:
    """What an extraction came to: its STAR files, micrographs that failed and why, and what to tell."""

    out: str
    files: tuple[Joined, ...]
    failures: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        failures = [{"micrograph_id": name, "reason": reason} for name, reason in self.failures]
        return asdict(self) | {"failures": failures}

    def text(self) -> str:
        """Return a few lines for a person."""
        lines = []
        for file in self.files:
            sides = ", ".join(f"{side} px" for side in file.boxes_px)
            sizes = ", ".join(f"{size_A:g}" for size_A in file.pixel_sizes_A)
            images = f" of {sides} at {sizes} A/px" if file.particles else ""
            lines.append(
                f"{file.particles} particles{images} from {file.micrographs} micrographs "
                f"({file.from_store} of them from the store, the others from their files): {file.star}"
            )
        return "\n".join([*lines, *([f"{len(self.failures)} micrographs failed"] if self.failures else [])])


def of_table(
    table: PickTable, origins: Mapping[str, PixelOrigin], where: str
) -> tuple[list[ToExtract], Failures]:
    """Return the micrographs of a table that have picks, and those that have no image."""
    picked = [
        micrograph
        for micrograph in table.micrographs
        if micrograph.status == "complete" and micrograph.picks != 0
    ]
    return _matched([(one, None, table.digest) for one in picked], origins, where)


def of_coordinates(
    found: Iterable[Coordinates], origins: Mapping[str, PixelOrigin], where: str
) -> tuple[list[ToExtract], Failures]:
    """Return the micrographs of files that have particles, and those that have no image."""
    filled = [one for one in found if len(one.x_px)]
    return _matched([(one.micrograph, one, _digest(one)) for one in filled], origins, where)


def extract(
    settings: ExtractSettings,
    out: Path,
    found: tuple[list[ToExtract], Failures],
    engine: Engine,
    events: Events,
    *,
    project: Path,
    table: str | None = None,
    resume: bool = False,
) -> Extracted:
    """Write stacks, ``particles.star`` and ``extract.json`` below ``out``; what is there is not done again.

    Parameters
    ----------
    found
        Micrographs, and what failed before.
    project
        Folder that RELION runs in.
    table
        Where the picks are of items without coordinates.

    Raises
    ------
    UsageError
        ``out`` holds something else, or an extraction with other settings, or ``resume`` is not asked for.
    """
    project = project.resolve()
    items, failures = _named(*found, out, settings, project)
    with claimed(out, settings, _changed(settings, out), resume=resume):
        left = [item for item in items if not _is_done(item, out, settings)]
        units = cut(left, unit_size(len(items)))
        make_worker = partial(ExtractWorker, out, settings, table)
        parts = {"": StagePart(units, make_worker, done=len(items) - len(left))}
        with closing(run_stage("extract", parts, engine, events)) as reports:
            for _, report in reports:
                failures += report.failures
        files = []
        for size in settings.sizes:
            made = [(item, item.done(out, size, is_half=settings.float16)) for item in items]
            files.append(join([(i, p) for i, p in made if p is not None], out, size, settings, project))
        notes = _notes(files, items, settings)
        outcome = Extracted(str(out), tuple(files), tuple(sorted(failures)), tuple(notes))
        write_whole(out / SUMMARY, json.dumps(outcome.to_dict(), indent=1) + "\n")
    return outcome


def _matched(
    wanted: Sequence[tuple[PickedMicrograph, Coordinates | None, str]],
    origins: Mapping[str, PixelOrigin],
    where: str,
) -> tuple[list[ToExtract], Failures]:
    """Return each micrograph with where its pixels are."""
    names = NamesAlike(origins)
    items, failures, stems = list[ToExtract](), Failures(), dict[str, str]()
    for micrograph, coordinates, digest in wanted:
        own = micrograph.micrograph_id
        alike = [own] if own in origins else names.find(own)
        if len(alike) != 1:
            what = f"may be {few(alike)}" if alike else "is not"
            failures.append(
                (own, f"it {what} in {where}: expected one micrograph of that name (`micrographs`)")
            )
            continue
        origin = origins[alike[0]]
        known = origin.completed(micrograph)
        if coordinates is not None:
            known = replace(known, micrograph_id=alike[0])
        try:
            quoted(known.relion_name)
            stem = str(without_extension(known.micrograph_id))
        except PicksError as error:
            failures.append((own, str(error)))
            continue
        if (other := stems.setdefault(stem, own)) != own:
            failures.append((own, f"its stack would be called as that of {other}: rename one of them"))
            continue
        whole = hashlib.sha256(f"{digest} {origin.pixels.stamp} {known.listed}".encode()).hexdigest()[:32]
        items.append(ToExtract(known, origin.pixels, stem, whole, coordinates))
    if not items:
        told = f": {failures[0][0]}: {failures[0][1]}" if failures else ""
        raise UsageError(f"there are no particles to extract{told}")
    return items, failures


def _named(
    items: Sequence[ToExtract], failures: Failures, out: Path, settings: ExtractSettings, project: Path
) -> tuple[list[ToExtract], Failures]:
    """Return the micrographs whose images can be named in STAR files, and all that failed."""
    kept, failures = list[ToExtract](), [*failures]
    for item in items:
        try:
            for size in settings.sizes:
                first_image(item, out, size, project)
            kept.append(item)
        except PicksError as error:
            failures.append((item.micrograph_id, str(error)))
    return kept, failures


def _digest(coordinates: Coordinates) -> str:
    """Return what tells the particles of a micrograph from others."""
    found = hashlib.sha256(
        repr((coordinates.micrograph.optics_group, coordinates.micrograph.listed)).encode()
    )
    columns = {
        "x_px": coordinates.x_px,
        "y_px": coordinates.y_px,
        "score": coordinates.score,
        **coordinates.columns,
        **coordinates.more,
    }
    for name, values in columns.items():
        found.update(name.encode())
        found.update(values.tobytes())
    return found.hexdigest()


def _is_done(item: ToExtract, out: Path, settings: ExtractSettings) -> bool:
    return all(item.done(out, size, is_half=settings.float16) for size in settings.sizes)


def _changed(settings: ExtractSettings, out: Path) -> list[str]:
    """Return what would change of the extraction that a folder holds, as ``name: old -> new``."""
    if not (out / "config.yaml").is_file():
        return []
    old = checked(ExtractSettings, kept_settings(out, "extraction"), of="extraction")
    before, after = (one.model_dump(mode="json", exclude=FREE) for one in (old, settings))
    return [f"{name}: {before[name]} -> {after[name]}" for name in after if before[name] != after[name]]


def _notes(files: Sequence[Joined], items: Sequence[ToExtract], settings: ExtractSettings) -> list[str]:
    """Return what was guessed or left out."""
    first = files[0]
    notes = [*dict.fromkeys(note for file in files for note in file.notes)]
    if guess := guessed_optics([item.micrograph for item in items], settings.optics):
        notes.append(guess)
    if first.particles and first.without_ctf == first.particles:
        notes.append(
            "nothing is known of the CTF: particles.star has no columns of it; `cryopick ctf` fits it, and "
            "its list can be given as `micrographs`"
        )
    elif first.without_ctf:
        notes.append(f"{first.without_ctf} particles have a defocus of 0: nothing is known of their CTF")
    for file in files:
        name = Path(file.star).name
        if len(file.pixel_sizes_A) > 1:
            told = ", ".join(f"{size_A:g}" for size_A in file.pixel_sizes_A)
            notes.append(
                f"{name}: images have pixels of {told} A, and classification and reconstruction take one "
                "size: a `box` in angstroms with `scale_to` makes it"
            )
        if file.beyond_edge:
            notes.append(f"{name}: {file.beyond_edge} boxes reach beyond the edge, which is repeated there")
        if file.outside:
            notes.append(
                f"{name}: {file.outside} particles are left out, for their boxes are off the micrograph"
            )
        if file.without_data:
            notes.append(
                f"{name}: {file.without_data} particles are left out, for their boxes hold no picture"
            )
    return notes
