"""Picks of other programs on the real sets, in the shape that our own evaluation reads."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import mrcfile
import numpy as np
import pandas as pd
from spent import Spent, spend

from cryopick_ray.picks.reasons import none
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph
from cryopick_ray.units import Shape, resampled_to_source

BINNING = 2
"""The published boxes lie on full frames; the real set is binned by this."""
ON_CPU, ON_GPU = ("-d", "-1", "-j", "1"), ("-d", "0", "-j", "1")
"""Topaz's options: where its network runs, and one CPU thread."""


def run_topaz(
    topaz: str, micrographs: Sequence[Path], scratch: Path, *, model: str, scale: int, radius_px: int
) -> Spent:
    """Let Topaz preprocess and pick on one CPU thread; its images and picks.txt come to lie in ``scratch``.

    Parameters
    ----------
    topaz
        Its program.
    radius_px
        Suppression radius in pixels of the images that it scaled down by ``scale``.
    """
    preprocessed = spend(topaz, "preprocess", "-s", scale, *ON_CPU, "-o", scratch, *micrographs)
    images = [scratch / path.name for path in micrographs]
    return preprocessed + extract(topaz, images, scratch / "picks.txt", model=model, radius_px=radius_px)


def extract(
    topaz: str,
    images: Sequence[Path],
    picks: Path,
    *,
    model: str,
    radius_px: int,
    device: Sequence[str] = ON_CPU,
) -> Spent:
    """Let Topaz pick in images that it, or someone else, has preprocessed."""
    return spend(topaz, "extract", "-m", model, "-r", radius_px, "-t", "-6", *device, "-o", picks, *images)


def read_topaz(scratch: Path, micrographs: Sequence[Path], diameter_A: float) -> Iterator[MicrographPicks]:
    """Yield what :func:`run_topaz` found, in pixels of the source micrographs."""
    table = pd.read_csv(scratch / "picks.txt", sep="\t", dtype={"image_name": str})
    for path in micrographs:
        rows = table[table["image_name"] == path.stem]
        shape, source_shape = _shape(scratch / path.name), _shape(path)
        x, y = (rows[name].to_numpy(np.float32) for name in ("x_coord", "y_coord"))
        yield _picks(path, *resampled_to_source(x, y, shape, source_shape), rows["score"], diameter_A)


def read_published(folder: Path, micrographs: Sequence[Path], diameter_A: float) -> Iterator[MicrographPicks]:
    """Yield published picks (EMAN boxes with scores, on full frames) of the micrographs that have any."""
    for path in micrographs:
        boxes = folder / f"{path.stem}.box"
        if boxes.exists():
            left, top, width, height, score = np.loadtxt(boxes, ndmin=2).T
            x, y = left + width / 2, top + height / 2
            x, y = ((full + 0.5) / BINNING - 0.5 for full in (x, y))
            yield _picks(path, x, y, score, diameter_A)


def _picks(path: Path, x: object, y: object, score: object, diameter_A: float) -> MicrographPicks:
    x_px, y_px, fom = (np.asarray(values, np.float32) for values in (x, y, score))
    with mrcfile.open(path, header_only=True) as file:
        pixel_size_A = float(file.voxel_size.x)
    micrograph = PickedMicrograph(path.name, "", path.name, _shape(path), pixel_size_A, None, "complete", "")
    return MicrographPicks(micrograph, x_px, y_px, fom, none(len(fom)), diameter_A)


def _shape(path: Path) -> Shape:
    with mrcfile.open(path, header_only=True) as file:
        return int(file.header.ny), int(file.header.nx)
