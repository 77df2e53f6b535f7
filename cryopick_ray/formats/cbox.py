"""crYOLO's ``.cbox`` files: a STAR file of boxes, format version 1.0."""

from collections.abc import Iterable
from pathlib import Path

from cryopick_ray.formats.boxes import box_size_px
from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.formats.files import complete, without_extension
from cryopick_ray.formats.star_text import loop
from cryopick_ray.store.publish import below, published

COLUMNS = (
    "CoordinateX",
    "CoordinateY",
    "CoordinateZ",
    "Width",
    "Height",
    "Depth",
    "EstWidth",
    "EstHeight",
    "Confidence",
    "NumBoxes",
    "Angle",
)
HEAD = "\ndata_global\n\n_cbox_format_version 1.0\n" + loop("cryolo", COLUMNS)
TAIL = loop("cryolo_include", ("slice_index",)) + "0.000000\n"


def write_cbox(picks: Iterable[Coordinates], out: Path, box_px: int | None = None) -> None:
    """Write ``out/<micrograph without extension>.cbox``.

    Parameters
    ----------
    picks
        Micrographs in table order.
    out
        Folder, made where missing.
    box_px
        Side of the box in pixels, even; 1.5 particle diameters where ``None``.

    Notes
    -----
    Coordinates are box corners (see :mod:`cryopick_ray.formats.boxes`) on slice 0, as in real 2-D files.
    ``Confidence`` is the picker's own score, whatever its scale; what crYOLO would have estimated is
    ``<NA>``.
    """
    for name, one in complete(picks, without_extension):
        side = box_size_px(one, box_px)
        size = f"{side:.6f}"
        with published(below(out, f"{name}.cbox")) as file:
            file.write(HEAD)
            for x, y, score in one.rows():
                corner = f"{x - side / 2:.6f} {y - side / 2:.6f} 0.000000"
                file.write(f"{corner} {size} {size} {size} <NA> <NA> {score:.7g} <NA> <NA>\n")
            file.write(TAIL)
