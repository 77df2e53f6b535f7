"""EMAN2's ``info/<micrograph>_info.json``: centres of boxes, among what else it knows of a micrograph."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cryopick_ray.errors import brief
from cryopick_ray.formats.coordinates import Coordinates, from_file
from cryopick_ray.formats.export_paths import complete, without_extension
from cryopick_ray.formats.format import ExportSettings, Format, Note
from cryopick_ray.formats.text import MAX_BYTES, numbers
from cryopick_ray.plain_data import read_json
from cryopick_ray.store.publish import below, write_whole

BY_HAND = "manual"
BOX = f'[\n%r,\n%r,\n"{BY_HAND}"\n]'


def write_eman2(picks: Iterable[Coordinates], out: Path, settings: ExportSettings) -> None:
    """Write ``out/<micrograph without extension>_info.json`` with boxes as ``[x, y, "manual"]``."""
    for name, one in complete(picks, without_extension, settings.say):
        boxes = ",\n".join([BOX % (round(x, 3), round(y, 3)) for x, y, _ in one.rows()])
        text = f'{{\n"boxes": [\n{boxes}\n]\n}}' if boxes else '{\n"boxes": []\n}'
        write_whole(below(out, f"{name}_info.json"), text)


def read_eman2(path: Path, name: str, note: Note) -> Iterator[Coordinates]:
    """Yield the particles of a file; a number after the tag is what an automatic picker scored."""
    del note
    data = read_json(path, MAX_BYTES)
    boxes = data.get("boxes") if isinstance(data, dict) else None
    if not isinstance(boxes, list):
        raise ValueError("it has no list of boxes")
    rows = [_row(box, number) for number, box in enumerate(boxes, 1)]
    x, y, score = zip(*rows, strict=True) if rows else ((), (), ())
    yield from_file(name, x, y, score)


def _row(box: Any, number: int) -> tuple[float, float, float]:
    if not isinstance(box, list) or len(box) < 2:
        raise ValueError(f"box {number} is {brief(box)}, expected [x, y, tag]")
    words = [str(value) for value in box]
    try:
        x, y = numbers(words[:2], number)
        score = numbers(words[3:4], number)[0] if len(words) > 3 else float("nan")
    except ValueError as error:
        raise ValueError(f"box {number}: {str(error).partition(': ')[2]}") from error
    return x, y, score


EMAN2 = Format(
    name="eman2",
    title="EMAN2 info JSON",
    suffixes=("_info.json", ".json"),
    looks_like=lambda head: head.lstrip().startswith("{") and '"boxes"' in head,
    read=read_eman2,
    write=write_eman2,
    holds=frozenset({"fractions", "empty", "folders"}),
    endings=("_info",),
)
