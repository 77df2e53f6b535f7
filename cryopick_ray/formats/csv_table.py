"""One CSV table of all picks, for spreadsheets and scripts."""

import csv
from collections.abc import Iterable
from pathlib import Path

from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.formats.files import FORMULA, complete, relative_path
from cryopick_ray.store.publish import published

COLUMNS = ("micrograph_id", "x_px", "y_px", "score", "diameter_A")


def write_csv(picks: Iterable[Coordinates], out: Path) -> None:
    """Write ``out/picks.csv``: centres in pixels, 0 at the centre of the first pixel, x = column, y = row.

    Parameters
    ----------
    picks
        Micrographs in table order; read once, one at a time.
    out
        Folder, made where missing.

    Notes
    -----
    A spreadsheet runs a cell that begins as a formula does. Such a name is written as the same path with
    ``./`` before it.
    """
    with published(out / "picks.csv") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for path, one in complete(picks, relative_path):
            micrograph_id = f"./{path}" if FORMULA.match(str(path)) else str(path)
            diameter_A = "" if one.diameter_A is None else f"{one.diameter_A:g}"
            for x, y, score in one.rows():
                table.writerow((micrograph_id, f"{x:.3f}", f"{y:.3f}", f"{score:.7g}", diameter_A))
