"""Two pixels of 4 bits in a byte, as cameras that count electrons are stored by SerialEM and IMOD."""

import numpy as np
from numpy.typing import NDArray

STORED = ((7676, 3710), (7420, 3838), (7680, 3712), (7424, 3840), (8184, 5760), (11520, 4092))
"""Rows, and bytes in each, of super-resolution frames of the K2 and the K3; no camera has such pixels."""
STORED_SHAPES = frozenset({*STORED, *(shape[::-1] for shape in STORED)})
"""Lying on their sides, too, as RELION has it."""
PACKED = "4 bits packed"
"""What SerialEM says of such a file in its first label."""


def unpacked(stored: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """Return the pixels of packed rows; the left one of a pair is in the low bits.

    Parameters
    ----------
    stored
        ``(h, (width + 1) // 2)``; of an odd width the last byte of a row holds one.
    width
        In pixels.
    """
    pixels = np.empty((stored.shape[0], width), np.uint8)
    np.bitwise_and(stored, 15, out=pixels[:, ::2])
    np.right_shift(stored[:, : width // 2], 4, out=pixels[:, 1::2])
    return pixels
