"""EMAN's ``.box`` files of helices: both ends of each, or its segments below a line ``#helix:``."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from cryopick_ray.formats.box_size import box_sizes_px
from cryopick_ray.formats.coordinates import Coordinates, from_file
from cryopick_ray.formats.export_paths import complete, without_extension
from cryopick_ray.formats.filament_files import FilamentEnds, lines, loose, of_ends, tell_loose, tracked
from cryopick_ray.formats.format import ExportSettings, Format
from cryopick_ray.formats.text import numbers
from cryopick_ray.store.publish import below, published

START, END = -1.0, -2.0
"""Fifth column of an end."""
HELIX = "#helix:"
NUMBERS = re.compile(r"[^(),\s]+")


def write_box_ends(picks: Iterable[Coordinates], out: Path, settings: ExportSettings) -> None:
    """Write ``out/<micrograph without extension>.box`` with two lines a straight filament.

    Columns are corner x, corner y, width, height and -1 for one end, -2 for the other. RELION cuts
    segments half a box away from the ends.
    """
    ends = FilamentEnds()
    for name, one in complete(picks, without_extension, settings.say):
        sizes = box_sizes_px(one, settings.box_px)
        side = int(sizes.max(initial=2))
        with published(below(out, f"{name}.box")) as file:
            for piece in ends.of(one, side / 2):
                for (x, y), mark in zip((piece - side / 2).tolist(), (START, END), strict=True):
                    file.write(f"{x:.3f}\t{y:.3f}\t{side}\t{side}\t{mark:.0f}\n")
    ends.tell(settings.say)


def write_box_segments(picks: Iterable[Coordinates], out: Path, settings: ExportSettings) -> None:
    """Write ``out/<micrograph without extension>.box`` as e2helixboxer does: centres of segments in order.

    Above those of a helix stand its ends and its width.
    """
    left_out = 0
    for name, one in complete(picks, without_extension, settings.say):
        side = int(box_sizes_px(one, settings.box_px).max(initial=2))
        with published(below(out, f"{name}.box")) as file:
            file.write(f"#micrograph: {one.micrograph.relion_name}\n")
            file.write(f"#segment length: {side}\n#segment width: {side}\n")
            left_out += loose(one)
            for rows in lines(one):
                centres = np.column_stack([one.x_px, one.y_px])[rows].tolist()
                (x, y), (x_end, y_end) = centres[0], centres[-1]
                file.write(f"{HELIX} ({x:.3f}, {y:.3f}),({x_end:.3f}, {y_end:.3f}),{side}\n")
                file.writelines(f"{x:.3f}\t{y:.3f}\n" for x, y in centres)
    tell_loose(left_out, settings.say)


def read_box_segments(name: str, text: Iterable[tuple[int, str]]) -> Iterator[Coordinates]:
    """Yield the segments of numbered lines; what is above the first helix is of no filament."""
    places, filament, helix = [], [], -1
    for number, line in text:
        if line.startswith(HELIX):
            if len(numbers(NUMBERS.findall(line.removeprefix(HELIX)), number)) != 5:
                raise ValueError(f"line {number}: expected {HELIX} (x, y),(x, y),width")
            helix += 1
        elif not line.startswith("#"):
            words = line.split()
            if len(words) != 2:
                raise ValueError(f"line {number} has {len(words)} fields; expected x and y of a segment")
            places.append(numbers(words, number))
            filament.append(helix)
    x, y = np.reshape(places, (-1, 2)).T
    yield from_file(name, x, y, more=tracked(np.array(filament, np.int32), x, y))


def read_box_ends(name: str, rows: list[list[float]], marks: list[float]) -> Iterator[Coordinates]:
    """Yield the ends of filaments: ``(n, 4)`` corners and sizes, and their fifth column."""
    if marks != [START, END] * (len(marks) // 2):
        raise ValueError("its fifth column marks ends of filaments; expected -1 and -2 in turns")
    x, y, width, height = np.reshape(rows, (-1, 4)).T
    x, y = x + width / 2, y + height / 2
    yield from_file(name, x, y, box_px=np.column_stack([width, height]), more=of_ends(x, y))


BOX_ENDS = Format(
    name="box-ends",
    title="EMAN helix ends",
    suffixes=(".box",),
    looks_like=None,
    read=None,
    write=write_box_ends,
    holds=frozenset({"boxes", "fractions", "empty", "folders"}),
    columns=frozenset({"filament"}),
)
BOX_SEGMENTS = Format(
    name="box-segments",
    title="EMAN helix segments",
    suffixes=(".box",),
    looks_like=None,
    read=None,
    write=write_box_segments,
    holds=frozenset({"fractions", "empty", "folders"}),
    columns=frozenset({"filament"}),
)
