"""An average into an MRC file, whole or not at all."""

from pathlib import Path
from uuid import uuid4

import mrcfile
import numpy as np

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.movies.average import Average


def write_average(path: Path, average: Average, *, half: bool = False) -> None:
    """Write an average as an MRC file of float32, or of float16 (mode 12).

    Equal averages make equal files. It takes the place of a file that is there.

    Parameters
    ----------
    path
        What is to be there, whole, or not at all.
    half
        Half precision: RELION, CryoSPARC and newer programs read it.

    Raises
    ------
    MicrographError
        Values are too large for float16.
    OSError
        The file cannot be written.
    """
    image = average.image
    if half:
        largest = float(np.abs(image).max())
        if largest > float(np.finfo(np.float16).max):
            raise MicrographError(f"the average reaches {largest:g}, beyond float16; write float32")
        image = image.astype(np.float16)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.{uuid4().hex[:8]}.partial")
    try:
        with mrcfile.new(aside) as mrc:
            mrc.set_data(image)
            mrc.voxel_size = average.pixel_size_A or 0.0
            # The label holds the time of writing.
            mrc.header.label = b""
            mrc.header.nlabl = 0
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
