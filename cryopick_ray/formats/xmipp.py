"""Xmipp's ``.pos`` files: STAR text of whole pixels."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from cryopick_ray.formats.coordinates import Coordinates, from_file
from cryopick_ray.formats.export_paths import complete, without_extension
from cryopick_ray.formats.format import ExportSettings, Format, Note
from cryopick_ray.formats.text import column, table_text
from cryopick_ray.micrographs.star_blocks import read_star
from cryopick_ray.store.publish import below, write_whole

X, Y, SCORE, ENABLED = "xcoor", "ycoor", "cost", "enabled"
HEAD = (
    "# XMIPP_STAR_1 *\n#\ndata_header\nloop_\n _pickingMicrographState\nAvailable\n"
    f"data_particles\nloop_\n _{ENABLED}\n _{X}\n _{Y}\n _{SCORE}\n"
)
BY_HAND = -1.0
"""The cost of a particle that a person picked."""


def write_xmipp(picks: Iterable[Coordinates], out: Path, settings: ExportSettings) -> None:
    """Write ``out/<micrograph without extension>.pos``; Xmipp's coordinates are whole."""
    for name, one in complete(picks, without_extension, settings.say):
        scores = np.where(np.isfinite(one.score), one.score, BY_HAND)
        places = np.rint(one.x_px).astype(int), np.rint(one.y_px).astype(int)
        rows = table_text("1 %d %d %.7g", *places, scores)
        write_whole(below(out, f"{name}.pos"), HEAD + rows)


def read_xmipp(path: Path, name: str, note: Note) -> Iterator[Coordinates]:
    """Yield the particles of all blocks of a file that are not disabled."""
    blocks = read_star(path, (X, Y, SCORE, ENABLED)).values()
    found = [block for block in blocks if X in block and Y in block]
    if not found:
        raise ValueError(f"it has no block with {X} and {Y}")
    rows = np.concatenate(
        [[column(block, label) for label in (X, Y, SCORE, ENABLED)] for block in found], axis=1
    )
    if (disabled := rows[3] <= 0).any():
        note(f"{path.name}: {int(disabled.sum())} disabled particles left out")
    x, y, cost, _ = rows[:, ~disabled]
    yield from_file(name, x, y, np.where(cost == BY_HAND, np.nan, cost))


XMIPP = Format(
    name="xmipp",
    title="Xmipp pos",
    suffixes=(".pos",),
    looks_like=lambda head: f"_{X}" in head and f"_{Y}" in head,
    read=read_xmipp,
    write=write_xmipp,
    holds=frozenset({"scores", "empty", "folders"}),
)
