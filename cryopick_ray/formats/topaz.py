"""Topaz's own table of picks: tab-separated, whole pixels, micrographs named by their stem."""

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from cryopick_ray.errors import PicksError
from cryopick_ray.formats.coordinates import Coordinates, by_micrograph
from cryopick_ray.formats.export_paths import FORMULA, complete, without_extension
from cryopick_ray.formats.format import ExportSettings, Format, Note
from cryopick_ray.formats.text import header, number_words, rows, table_text
from cryopick_ray.store.publish import published

NAME, X, Y, SCORE = COLUMNS = ("image_name", "x_coord", "y_coord", "score")


def write_topaz(picks: Iterable[Coordinates], out: Path, settings: ExportSettings) -> None:
    """Write ``out/picks.txt`` with the columns image_name, x_coord, y_coord, score.

    Raises
    ------
    PicksError
        Two micrographs have one stem, so that Topaz could not tell them apart, or a stem begins as a
        formula does, which a spreadsheet would run.

    Notes
    -----
    ``topaz extract`` writes whole pixels counted from 0 at the centre of the first, so coordinates are
    rounded to the nearest pixel. A micrograph without picks has no row.
    """
    with published(out / "picks.txt") as file:
        file.write("\t".join(COLUMNS) + "\n")
        for stem, one in complete(picks, _stem, settings.say):
            name = str(stem).replace("%", "%%")
            places = np.rint(one.x_px).astype(int), np.rint(one.y_px).astype(int)
            file.write(table_text(f"{name}\t%d\t%d\t%s", *places, number_words(one.score)))


def read_topaz(path: Path, name: str, note: Note) -> Iterator[Coordinates]:
    """Yield the micrographs of a table of picks, or of labels, which have no scores."""
    del name, note
    table = rows(path, "\t")
    found = [(row.cells[NAME], row.value(X), row.value(Y), row.value_or_nan(SCORE)) for row in table]
    if found:
        yield from by_micrograph(*zip(*found, strict=True))


def _stem(micrograph_id: str) -> PurePosixPath:
    stem = without_extension(micrograph_id).name
    if FORMULA.match(stem):
        raise PicksError(
            f"micrograph {micrograph_id!r} would be a formula in a spreadsheet, and Topaz knows it by no "
            "other name; rename it and pick again, or use the format csv"
        )
    return PurePosixPath(stem)


TOPAZ = Format(
    name="topaz",
    title="Topaz table",
    suffixes=(".txt", ".tsv", ".tab"),
    looks_like=lambda head: {NAME, X, Y} <= header(head, "\t"),
    read=read_topaz,
    write=write_topaz,
    holds=frozenset({"scores"}),
)
