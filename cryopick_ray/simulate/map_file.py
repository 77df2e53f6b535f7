"""Density maps in MRC files: read with bounded sizes, written atomically."""

import struct
import warnings
from pathlib import Path

import mrcfile
import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import UsageError, brief
from cryopick_ray.micrographs.mrc_header import HEADER_BYTES, MAX_EXTENDED_BYTES, STAMPS
from cryopick_ray.store.publish import whole

MAX_VOXELS = 2**27  # 512 voxels a side
VOXELS_A = (0.1, 100.0)  # a map finer or coarser has a damaged header, or none


def read_map_values(path: Path) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return ``(z, y, x)`` values and the voxel's sides along them in angstroms.

    Raises
    ------
    UsageError
        It cannot be read, is no real volume, is too large, or has no voxel size.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # bytes after the data
            _check_extended(path)
            with mrcfile.open(path, permissive=False, header_only=True) as file:
                header = file.header
            nx, ny, nz = int(header.nx), int(header.ny), int(header.nz)
            if min(nx, ny, nz) < 2 or nx * ny * nz > MAX_VOXELS:
                raise UsageError(
                    f"map {str(path)!r} states {nx} x {ny} x {nz} voxels; "
                    f"expected a volume of at most {MAX_VOXELS} voxels"
                )
            with mrcfile.mmap(path, permissive=False) as file:
                if np.iscomplexobj(file.data) or file.data.ndim != 3:
                    raise UsageError(f"map {str(path)!r} is no real volume (MRC mode {int(header.mode)})")
                values = np.array(file.data, np.float32)
                axes = [int(header[name]) for name in ("maps", "mapr", "mapc")]  # 1 x, 2 y, 3 z
                sides_A = [float(file.voxel_size[name]) for name in "zyx"]
    except (OSError, ValueError, EOFError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"map {str(path)!r} cannot be read: {brief(error)}") from error
    if sorted(axes) != [1, 2, 3]:
        raise UsageError(f"map {str(path)!r} states axes {axes}; expected a permutation of 1, 2, 3")
    if not all(VOXELS_A[0] <= side <= VOXELS_A[1] for side in sides_A):
        raise UsageError(
            f"map {str(path)!r} states voxels of {' x '.join(f'{side:g}' for side in sides_A)} A; expected "
            f"{VOXELS_A[0]} to {VOXELS_A[1]:.0f} A; set its header's cell (mrcfile's voxel_size)"
        )
    return np.transpose(values, [axes.index(axis) for axis in (3, 2, 1)]), np.array(sides_A)


def write_map(path: Path, values: NDArray[np.float32], pixel_size_A: float) -> None:
    """Write a ``(z, y, x)`` map that appears whole; equal maps give equal files."""
    with whole(path) as aside, mrcfile.new(aside, overwrite=True) as mrc:
        mrc.set_data(values)
        mrc.set_volume()
        mrc.voxel_size = pixel_size_A
        # The label holds the time of writing.
        mrc.header.label = b""
        mrc.header.nlabl = 0


def _check_extended(path: Path) -> None:
    """Refuse an extended header that the file does not hold: the library makes room for it unread."""
    with path.open("rb") as file:
        raw = file.read(HEADER_BYTES)
    order = STAMPS.get(raw[212:214])  # the library refuses other stamps
    if order is not None and len(raw) == HEADER_BYTES:
        (size,) = struct.unpack_from(f"{order}i", raw, 92)
        if not 0 <= size <= MAX_EXTENDED_BYTES:
            raise UsageError(
                f"map {str(path)!r} states an extended header of {size} bytes; "
                f"expected 0 to {MAX_EXTENDED_BYTES}"
            )
