"""The first 1024 bytes of an MRC file (MRC2014: Cheng et al. 2015, J. Struct. Biol. 192:146)."""

import math
import struct
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.micrograph import MAX_PIXELS, check_size
from cryopick_ray.units import Shape, is_positive

HEADER_BYTES = 1024
MAX_EXTENDED_BYTES = 2**26  # FEI and SerialEM write a kilobyte a section; far below this
MODES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
REFUSED_MODES = {3: "complex int16", 4: "complex64", 16: "RGB bytes", 101: "4-bit"}
STAMPS: dict[bytes, Literal["<", ">"]] = {b"\x44\x44": "<", b"\x44\x41": "<", b"\x11\x11": ">"}
SAME_PIXEL = 0.01  # x and y pixel sizes may differ by this fraction

ByteOrder = Literal["<", ">"]


@dataclass(frozen=True)
class MrcHeader:
    """What an MRC header says of its pixels.

    Attributes
    ----------
    shape
        Height (ny) and width (nx) of a section in pixels.
    sections
        Number of sections (nz): 1 for a micrograph.
    dtype
        Number type with byte order. Mode 0 is signed, as MRC2014 and mrcfile have it.
    data_offset
        Bytes before the first pixel: the header and the extended header.
    pixel_size_A
        ``None`` if not recorded.
    """

    shape: Shape
    sections: int
    dtype: np.dtype[Any]
    data_offset: int
    pixel_size_A: float | None

    @property
    def data_bytes(self) -> int:
        """Size of one section in bytes."""
        return self.shape[0] * self.shape[1] * self.dtype.itemsize


def parse_header(raw: bytes) -> MrcHeader:
    """Read an MRC header, of either byte order, with or without ``MAP`` and machine stamp.

    Parameters
    ----------
    raw
        The first bytes of the file; :data:`HEADER_BYTES` are needed.

    Raises
    ------
    MicrographError
        This is no MRC header, or it states a mode or a size that is not read.
    """
    if len(raw) < HEADER_BYTES:
        what = f"{len(raw)} bytes, an MRC header has {HEADER_BYTES}" if raw else "it is empty"
        raise MicrographError(f"the file is too short: {what}")
    order = _byte_order(raw)
    nx, ny, nz, mode, _, _, _, mx, my, _, cell_x, cell_y = struct.unpack_from(f"{order}10i2f", raw)
    (extended_bytes,) = struct.unpack_from(f"{order}i", raw, 92)
    if mode not in MODES:
        name = f"mode {mode} ({REFUSED_MODES.get(mode, 'unknown')})"
        known = ", ".join(f"{number} ({np.dtype(code).name})" for number, code in MODES.items())
        raise MicrographError(f"MRC {name} is not read; expected {known}")
    check_size(ny, nx)
    if nz < 1:
        raise MicrographError(f"the header states {nz} sections; expected 1")
    if not 0 <= extended_bytes <= MAX_EXTENDED_BYTES:
        raise MicrographError(
            f"the header states an extended header of {extended_bytes} bytes; "
            f"expected 0 to {MAX_EXTENDED_BYTES}"
        )
    return MrcHeader(
        shape=(ny, nx),
        sections=nz,
        dtype=np.dtype(MODES[mode]).newbyteorder(order),
        data_offset=HEADER_BYTES + extended_bytes,
        pixel_size_A=_square(_sampling(cell_x, mx), _sampling(cell_y, my)),
    )


def _byte_order(raw: bytes) -> ByteOrder:
    """Tell the byte order from what makes sense; the stamp decides only where both orders do.

    Files older than MRC2000 have no stamp, and converters leave wrong ones behind.
    """
    stamp = STAMPS.get(raw[212:214])
    orders: tuple[ByteOrder, ByteOrder] = ("<", ">")
    sides = {order: struct.unpack_from(f"{order}2i", raw) for order in orders}
    modes = {order: struct.unpack_from(f"{order}i", raw, 12)[0] for order in orders}
    credible = [
        order
        for order in orders
        if (modes[order] in MODES or modes[order] in REFUSED_MODES)
        and min(sides[order]) > 0
        and math.prod(sides[order]) <= MAX_PIXELS
    ]
    if len(credible) == 1:
        return credible[0]
    if stamp is not None:
        return stamp
    if not credible and raw[208:211] != b"MAP":
        raise MicrographError("this is not an MRC file: its header makes no sense in either byte order")
    return min(orders, key=lambda order: max(map(abs, sides[order])))


def _sampling(cell_A: float, intervals: int) -> float | None:
    """Return the pixel size along one axis; ``None`` for anything that cannot be one."""
    if intervals < 1 or not is_positive(cell_A):
        return None
    return cell_A / intervals


def _square(x_A: float | None, y_A: float | None) -> float | None:
    """Return the one pixel size of both axes."""
    if x_A is None or y_A is None:
        return None
    if not math.isclose(x_A, y_A, rel_tol=SAME_PIXEL):
        raise MicrographError(
            f"the header states pixels of {x_A:.4g} x {y_A:.4g} A; only square pixels are read, within 1 %"
        )
    return x_A
