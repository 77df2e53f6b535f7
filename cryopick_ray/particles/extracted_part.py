"""The particles of one micrograph as an extraction keeps them: what makes a STAR file is joined of parts."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cryopick_ray.store.publish import below, published

LARGEST_HEAD = 2**16


@dataclass(frozen=True)
class ExtractedPart:
    """What is said of a micrograph's particles beside their rows.

    Attributes
    ----------
    digest
        Of the picks and the pixels that they were made of.
    particles
        Images in its stack.
    columns
        Of its rows, by RELION's names.
    micrograph_pixel_size_A, pixel_size_A, box_px
        Of the micrograph; and of the images: size of a pixel, and side.
    is_stored
        Whether the pixels are the store's.
    beyond_edge
        Images of which a part repeats the micrograph's edge.
    outside, without_data
        Particles that are left out: nothing of their box is in the micrograph; it has no numbers there, or
        a background of one value.
    has_ctf
        Whether the rows have a CTF.
    doubts
        What there is to doubt of the micrograph's pixel size.
    """

    digest: str
    particles: int
    columns: tuple[str, ...]
    micrograph_pixel_size_A: float
    pixel_size_A: float
    box_px: int
    is_stored: bool
    beyond_edge: int
    outside: int
    without_data: int
    has_ctf: bool
    doubts: tuple[str, ...]


def write_part(root: Path, name: str, part: ExtractedPart, rows: list[str]) -> None:
    """Write a part below ``root``, whole: JSON in its first line, then a row a particle."""
    with published(below(root, name)) as file:
        file.write(json.dumps(asdict(part)) + "\n")
        file.writelines(f"{row}\n" for row in rows)


def read_part(path: Path) -> ExtractedPart | None:
    """Return what a part says; ``None`` if it is not there, or no part."""
    try:
        with path.open(encoding="utf-8") as file:
            head: dict[str, Any] = json.loads(file.readline(LARGEST_HEAD))
        return ExtractedPart(**(head | {name: tuple(head[name]) for name in ("columns", "doubts")}))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def read_rows(path: Path) -> Iterator[str]:
    """Yield the rows of a part."""
    with path.open(encoding="utf-8") as file:
        next(file)
        for line in file:
            yield line.rstrip("\n")
