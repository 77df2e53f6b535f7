"""A micrograph as pickers see it and as a store keeps it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.micrographs.no_data import NO_AREAS, NoData


@dataclass(frozen=True, eq=False)
class NormalisedImage:
    """An image brought to median 0 and robust sigma 1.

    Attributes
    ----------
    pixels
        ``(h, w)`` float32, finite.
    offset, scale
        The values of the file are ``pixels * scale + offset``, where there are data.
    no_data
        Where the file has none. The pixels there are made up: no edge, and grey values as elsewhere.
    """

    pixels: NDArray[np.float32]
    offset: float
    scale: float
    no_data: NoData = NO_AREAS
