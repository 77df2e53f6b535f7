"""EMAN ``.box`` files: one line a particle, corner and size in pixels."""

from collections.abc import Iterable
from pathlib import Path

from cryopick_ray.formats.boxes import box_size_px
from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.formats.files import complete, without_extension
from cryopick_ray.store.publish import below, published


def write_box(picks: Iterable[Coordinates], out: Path, box_px: int | None = None) -> None:
    """Write ``out/<micrograph without extension>.box``, which RELION matches to its micrograph.

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
    Columns are corner x, corner y, width, height (see :mod:`cryopick_ray.formats.boxes`). Corners keep
    their fraction; RELION cuts it off, as it does with rlnCoordinateX when it extracts.
    """
    for name, one in complete(picks, without_extension):
        side = box_size_px(one, box_px)
        with published(below(out, f"{name}.box")) as file:
            for x, y, _ in one.rows():
                file.write(f"{x - side / 2:.3f}\t{y - side / 2:.3f}\t{side}\t{side}\n")
