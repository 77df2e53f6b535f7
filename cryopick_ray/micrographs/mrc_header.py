"""The first 1024 bytes of an MRC file (MRC2014: Cheng et al. 2015, J. Struct. Biol. 192:146)."""

import math
import struct
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.micrograph import MAX_PIXELS, check_size
from cryopick_ray.micrographs.nibbles import PACKED, STORED_SHAPES, unpacked
from cryopick_ray.units import Shape, is_positive

HEADER_BYTES = 1024
MAX_EXTENDED_BYTES = 2**26  # FEI and SerialEM write a kilobyte a section; far below this
FOUR_BITS = 101
MODES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2", FOUR_BITS: "u1"}
REFUSED_MODES = {3: "complex int16", 4: "complex64", 16: "RGB bytes"}
STAMPS: dict[bytes, Literal["<", ">"]] = {b"\x44\x44": "<", b"\x44\x41": "<", b"\x11\x11": ">"}
IMOD_STAMP, IMOD_SIGNED, IMOD_PACKED = 1146047817, 1, 16
SAME_PIXEL = 0.01  # x and y pixel sizes may differ by this fraction
SAMPLED_ROWS = 64
SMOOTHER = 0.9
"""Bytes are taken as they vary less from pixel to pixel, by this factor."""

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
        Number type with byte order.
    data_offset
        Bytes before the first pixel: the header and the extended header.
    pixel_size_A
        ``None`` if not recorded.
    is_packed
        Two pixels of 4 bits lie in a byte, each row in whole bytes.
    is_settled
        Nothing is left to be told by the pixels: see :meth:`settled`.
    unclear_size, notes
        As of a :class:`~cryopick_ray.micrographs.micrograph.Micrograph`.
    """

    shape: Shape
    sections: int
    dtype: np.dtype[Any]
    data_offset: int
    pixel_size_A: float | None
    is_packed: bool = False
    is_settled: bool = True
    unclear_size: str = ""
    notes: tuple[str, ...] = ()

    @property
    def stored_shape(self) -> Shape:
        """Rows of a section, and values of :attr:`dtype` in each."""
        height, width = self.shape
        return height, (width + 1) // 2 if self.is_packed else width

    @property
    def data_bytes(self) -> int:
        """Size of one section in bytes."""
        return math.prod(self.stored_shape) * self.dtype.itemsize

    def settled(self, stored: NDArray[Any]) -> "MrcHeader":
        """Return the header with the number type of bytes that it says nothing of.

        Images are smooth, as far as noise lets them be: read the wrong way, each step over the middle of
        the range becomes one over all of it. Without such steps both ways differ by a constant at most.

        Parameters
        ----------
        stored
            A section, of :attr:`stored_shape`.
        """
        if self.is_settled:
            return self
        rows = stored[:: max(1, len(stored) // SAMPLED_ROWS)]
        signed, unsigned = (
            np.abs(np.diff(rows.view(code).astype(np.int16))).sum(dtype=np.int64) for code in ("i1", "u1")
        )
        if unsigned >= SMOOTHER * signed:
            return replace(self, is_settled=True)
        note = (
            "the header does not say whether bytes are signed; they are read as unsigned, as the image tells"
        )
        return replace(self, dtype=np.dtype("u1"), is_settled=True, notes=(*self.notes, note))

    def pixels(self, stored: NDArray[Any]) -> NDArray[Any]:
        """Return the ``(ny, nx)`` image of a section as stored; a view where nothing is packed."""
        return unpacked(stored, self.shape[1]) if self.is_packed else stored.view(self.dtype)


def parse_header(raw: bytes, stored_bytes: int | None = None) -> MrcHeader:
    """Read an MRC header, of either byte order, with or without ``MAP`` and machine stamp.

    The origin, and which axes columns and rows are, count for nothing, as in RELION.

    Parameters
    ----------
    raw
        The first bytes of the file; :data:`HEADER_BYTES` are needed.
    stored_bytes
        Size of the file, where it is known; it tells where the header cannot be right.

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
    axes = struct.unpack_from(f"{order}3i", raw, 64)
    if mode not in MODES:
        name = f"mode {mode} ({REFUSED_MODES.get(mode, 'unknown')})"
        expected = ", ".join(f"{number} ({_mode_name(number)})" for number in MODES)
        raise MicrographError(f"MRC {name} is not read; expected {expected}")
    check_size(ny, nx)
    is_packed_byte = mode == 0 and _packs_bytes(raw, order, (ny, nx))
    is_signed = _is_signed(raw, order) if mode == 0 and not is_packed_byte else True
    code = "u1" if is_packed_byte or is_signed is False else MODES[mode]
    x_A, y_A = _sampling(cell_x, mx), _sampling(cell_y, my)
    is_square = x_A is None or y_A is None or math.isclose(x_A, y_A, rel_tol=SAME_PIXEL)
    header = MrcHeader(
        shape=(ny, 2 * nx if is_packed_byte else nx),
        sections=nz,
        dtype=np.dtype(code).newbyteorder(order),
        data_offset=HEADER_BYTES,
        pixel_size_A=x_A if is_square and y_A is not None else None,
        is_packed=is_packed_byte or mode == FOUR_BITS,
        is_settled=is_signed is not None,
        unclear_size=""
        if is_square
        else f"the header states pixels of {x_A:.4g} x {y_A:.4g} A, which are not square within 1 %",
        notes=()
        if axes[:2] in ((1, 2), (0, 0))
        else (
            f"the header's axes {axes[0]} {axes[1]} {axes[2]} are ignored: rows are read as they are stored",
        ),
    )
    check_size(*header.shape)
    return _fitted(header, struct.unpack_from(f"{order}i", raw, 92)[0], stored_bytes)


def _fitted(header: MrcHeader, extended_bytes: int, stored_bytes: int | None) -> MrcHeader:
    """Return the header with the place of its pixels and at least one section, as the file's size allows."""
    wanted = HEADER_BYTES + max(1, header.sections) * header.data_bytes
    notes = header.notes
    if extended_bytes and stored_bytes == wanted:
        notes += (f"the header states {extended_bytes} bytes more before the pixels, which are not there",)
        extended_bytes = 0
    if not 0 <= extended_bytes <= MAX_EXTENDED_BYTES:
        raise MicrographError(
            f"the header states an extended header of {extended_bytes} bytes; "
            f"expected 0 to {MAX_EXTENDED_BYTES}"
        )
    header = replace(header, data_offset=HEADER_BYTES + extended_bytes, notes=notes)
    if header.sections > 0:
        return header
    fitting = 1 if stored_bytes is None else (stored_bytes - header.data_offset) // header.data_bytes
    if fitting > 1:
        raise MicrographError(f"the header states {header.sections} sections, there is room for {fitting}")
    notes += (f"the header states {header.sections} sections; one is read",)
    return replace(header, sections=1, notes=notes)


def _mode_name(mode: int) -> str:
    return "4-bit" if mode == FOUR_BITS else np.dtype(MODES[mode]).name


def _packs_bytes(raw: bytes, order: ByteOrder, stored: Shape) -> bool:
    """Tell whether bytes are said to hold two pixels each, by IMOD's flag or SerialEM's label."""
    stamp, flags = struct.unpack_from(f"{order}2i", raw, 152)
    (labels,) = struct.unpack_from(f"{order}i", raw, 220)
    is_labelled = labels == 1 and PACKED.encode() in raw[224:304] and stored in STORED_SHAPES
    return is_labelled or (stamp == IMOD_STAMP and bool(flags & IMOD_PACKED))


def _is_signed(raw: bytes, order: ByteOrder) -> bool | None:
    """Tell whether bytes are signed by IMOD's flag, else by the stated extremes; ``None`` if untold."""
    stamp, flags = struct.unpack_from(f"{order}2i", raw, 152)
    if stamp == IMOD_STAMP:
        return bool(flags & IMOD_SIGNED)
    lowest, highest = struct.unpack_from(f"{order}2f", raw, 76)
    if -128 <= lowest < 0 and lowest <= highest < 128:
        return True
    if lowest >= 0 and 127 < highest < 256:
        return False
    return None


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
