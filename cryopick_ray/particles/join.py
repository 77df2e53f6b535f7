"""Parts of an extraction joined into one STAR file of particles, row after row."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cryopick_ray.errors import PicksError
from cryopick_ray.formats.relion.particle_optics import BoxOptics, OpticsGroups
from cryopick_ray.formats.relion.particle_rows import IMAGE
from cryopick_ray.formats.relion.particles import WITHOUT_CTF
from cryopick_ray.formats.star_text import loop, quoted
from cryopick_ray.micrographs.optics_groups import GROUP
from cryopick_ray.micrographs.star_list import CTF, MICROGRAPH
from cryopick_ray.particles.extract_settings import BoxSize, ExtractSettings
from cryopick_ray.particles.extract_worker import ToExtract
from cryopick_ray.particles.extracted_part import ExtractedPart, read_rows
from cryopick_ray.store.publish import published

FIRST = "000001"


@dataclass(frozen=True)
class Joined:
    """A STAR file of particles, and what was counted on the way.

    Attributes
    ----------
    star
        The file.
    particles, micrographs
        In it.
    boxes_px, pixel_sizes_A
        Sides and pixel sizes of the images, mostly one.
    beyond_edge, outside, without_data
        As of a :class:`~cryopick_ray.particles.extracted_part.ExtractedPart`.
    without_ctf
        Particles of whose CTF nothing is known.
    from_store
        Micrographs of which the pixels are the store's.
    notes
        What to tell of the file.
    """

    star: str
    particles: int
    micrographs: int
    boxes_px: tuple[int, ...]
    pixel_sizes_A: tuple[float, ...]
    beyond_edge: int
    outside: int
    without_data: int
    without_ctf: int
    from_store: int
    notes: tuple[str, ...]


def join(
    found: Sequence[tuple[ToExtract, ExtractedPart]],
    out: Path,
    size: BoxSize,
    settings: ExtractSettings,
    project: Path,
) -> Joined:
    """Write the STAR file of a size; of all rows no more than one is in memory.

    Particles are in the order of ``found``. Stacks are named relative to the RELION project, in full where
    they lie outside. Columns that only some micrographs have are 0 of the others; there are none of the CTF
    if no particle has one.
    """
    notes: list[str] = []
    groups = OpticsGroups(settings.optics.completed, notes.append)
    numbers = [
        groups.number(
            replace(item.micrograph, pixel_size_A=part.micrograph_pixel_size_A),
            None,
            BoxOptics(part.pixel_size_A, part.box_px),
        )
        for item, part in found
        if part.particles
    ]
    kept = [(item, part) for item, part in found if part.particles]
    with_ctf = any(part.has_ctf for _, part in kept)
    every = dict.fromkeys(name for _, part in kept for name in part.columns)
    columns = [name for name in every if with_ctf or name not in CTF]
    star = out / f"{size.name}.star"
    with published(star) as file:
        file.write(groups.text(has_images=True))
        file.write(loop("particles", (*columns, IMAGE, MICROGRAPH, GROUP)))
        for (item, part), group in zip(kept, numbers, strict=True):
            name, image = quoted(item.micrograph.relion_name), first_image(item, out, size, project)
            rows = _completed(read_rows(item.part(out, size)), part, columns)
            number = 0
            for number, row in enumerate(rows, 1):
                file.write(f"{row} {image.replace(FIRST, f'{number:06d}', 1)} {name} {group}\n")
            if number != part.particles:
                raise PicksError(f"{item.part(out, size)} is damaged: delete it and go on by `resume`")
        file.write("\n")
    doubts = Counter(text for _, part in found for text in part.doubts)
    notes += [f"{text} ({count} micrographs)" for text, count in sorted(doubts.items())]
    return _joined(star, found, notes)


def first_image(item: ToExtract, out: Path, size: BoxSize, project: Path) -> str:
    """Return what the first image of a micrograph is called, as a STAR word.

    Raises
    ------
    PicksError
        No program that reads STAR files would find it.
    """
    stack = item.stack(out.resolve(), size)
    return quoted(f"{FIRST}@{stack.relative_to(project) if stack.is_relative_to(project) else stack}")


def _completed(rows: Iterable[str], part: ExtractedPart, columns: Sequence[str]) -> Iterable[str]:
    """Return rows with all the columns that the file has."""
    if list(part.columns) == list(columns):
        return rows
    places = {name: place for place, name in enumerate(part.columns)}
    chosen = [(places.get(name), WITHOUT_CTF.get(name, "0.000000")) for name in columns]
    split = (row.split(" ") for row in rows)
    return (" ".join(other if at is None else words[at] for at, other in chosen) for words in split)


def _joined(star: Path, found: Sequence[tuple[ToExtract, ExtractedPart]], notes: Sequence[str]) -> Joined:
    parts = [part for _, part in found]
    filled = [part for part in parts if part.particles]
    return Joined(
        star=str(star),
        particles=sum(part.particles for part in parts),
        micrographs=len(parts),
        boxes_px=tuple(sorted({part.box_px for part in filled})),
        pixel_sizes_A=tuple(sorted({round(part.pixel_size_A, 4) for part in filled})),
        beyond_edge=sum(part.beyond_edge for part in parts),
        outside=sum(part.outside for part in parts),
        without_data=sum(part.without_data for part in parts),
        without_ctf=sum(part.particles for part in parts if not part.has_ctf),
        from_store=sum(part.is_stored for part in parts),
        notes=tuple(notes),
    )
