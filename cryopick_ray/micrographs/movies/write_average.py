"""An average into an MRC file."""

from pathlib import Path

import mrcfile
import numpy as np

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.movies.average import Average


def write_average(path: Path, average: Average, *, half: bool = False) -> None:
    """Write an average as an MRC file of float32, or of float16 (mode 12).

    Equal averages make equal files.

    Parameters
    ----------
    path
        Emptied first, if it is there.
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
    with mrcfile.new(path, overwrite=True) as mrc:
        mrc.set_data(image)
        mrc.voxel_size = average.pixel_size_A or 0.0
        # The label holds the time of writing.
        mrc.header.label = b""
        mrc.header.nlabl = 0
