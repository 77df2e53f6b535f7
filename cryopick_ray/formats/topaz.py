"""Topaz's own table of picks: tab-separated, whole pixels, micrographs named by their stem."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from cryopick_ray.errors import PicksError
from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.formats.files import FORMULA, complete, without_extension
from cryopick_ray.store.publish import published


def write_topaz(picks: Iterable[Coordinates], out: Path) -> None:
    """Write ``out/picks.txt`` with the columns image_name, x_coord, y_coord, score.

    Parameters
    ----------
    picks
        Micrographs in table order; read once, one at a time.
    out
        Folder, made where missing.

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
        file.write("image_name\tx_coord\ty_coord\tscore\n")
        for stem, one in complete(picks, _stem):
            for x, y, score in one.rows():
                file.write(f"{stem}\t{round(x)}\t{round(y)}\t{score:.7g}\n")


def _stem(micrograph_id: str) -> PurePosixPath:
    stem = without_extension(micrograph_id).name
    if FORMULA.match(stem):
        raise PicksError(
            f"micrograph {micrograph_id!r} would be a formula in a spreadsheet, and Topaz knows it by no "
            "other name; rename it and pick again, or use the format csv"
        )
    return PurePosixPath(stem)
