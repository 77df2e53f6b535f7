"""CryoSPARC's exposures: a ``.cs`` file, one NumPy array with a row for each micrograph or movie."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import UsageError, brief
from cryopick_ray.micrographs.listing import ListedMicrograph, check_length, find_listed
from cryopick_ray.units import Optics, is_positive

NUMPY, STREAM = b"\x93NUMPY", b"\x95CSDAT"
MOST_HEADER_BYTES = 10**5
"""Of the description of columns: exposures with all their results take some ten thousand."""
IMAGES = ("micrograph_blob", "micrograph_blob_non_dw")
MOVIES = "movie_blob"


def read_cs_list(path: Path, working_folder: Path) -> list[ListedMicrograph]:
    """Read the micrographs of a ``.cs`` file of exposures, or the movies where there are no micrographs.

    Paths lie in the CryoSPARC project, which is the folder around the job's, else in the ``.cs`` file's
    folder, else in ``working_folder``. A ``>`` before a path marks it as the project's own; the number that
    CryoSPARC puts before a file's name is part of it.

    Raises
    ------
    UsageError
        The file is of another kind, or names no micrographs and no movies.
    """
    rows = _load(path)
    names = rows.dtype.names or ()
    blob = next((one for one in (*IMAGES, MOVIES) if f"{one}/path" in names and _is_filled(rows, one)), None)
    if blob is None:
        expected = " or ".join(f"{one}/path" for one in (*IMAGES, MOVIES))
        raise UsageError(f"{str(path)!r} names no exposures; expected {expected}")
    folders = (path.parent.parent, path.parent, working_folder)
    paths = _texts(path, rows[f"{blob}/path"])
    gains: Sequence[str] = [""] * len(rows)
    if blob == MOVIES and "gain_ref_blob/path" in names:
        gains = _texts(path, rows["gain_ref_blob/path"])
    return [
        ListedMicrograph(
            name,
            find_listed(name, folders),
            optics,
            float(pixel_size_A) if is_positive(pixel_size_A) else None,
            "movie" if blob == MOVIES else "micrograph",
            find_listed(gain, folders) if gain else None,
        )
        for name, gain, pixel_size_A, optics in zip(
            paths, gains, _numbers(rows, f"{blob}/psize_A"), _optics(rows), strict=True
        )
    ]


def _load(path: Path) -> NDArray[np.void]:
    check_length(path)
    try:
        with path.open("rb") as file:
            magic = file.read(len(NUMPY))
        if magic == STREAM:
            raise UsageError(
                f"{str(path)!r} is CryoSPARC's compressed stream; give the .cs of the job or of its export"
            )
        if magic != NUMPY:
            raise UsageError(f"{str(path)!r} is no .cs file: it does not begin as a NumPy array")
        # Without pickles nothing is executed, and mapping checks the stated size against the file's.
        rows = np.load(path, mmap_mode="r", allow_pickle=False, max_header_size=MOST_HEADER_BYTES)
    except UsageError:
        raise
    # NumPy meets a damaged header with whatever its parser raises (Token, Syntax, Value, Memory errors).
    except Exception as error:
        raise UsageError(f"{str(path)!r} cannot be read: {type(error).__name__}: {brief(error)}") from error
    if rows.dtype.names is None or rows.ndim != 1:
        raise UsageError(f"{str(path)!r} holds a plain array; expected one with named columns")
    if not rows.dtype.itemsize:  # any number of rows would fit into no bytes
        raise UsageError(f"{str(path)!r} has only columns of no width; expected names of exposures")
    return np.asarray(rows)


def _is_filled(rows: NDArray[np.void], blob: str) -> bool:
    column = rows[f"{blob}/path"]
    return (
        column.ndim == 1
        and column.dtype.kind in "SU"
        and bool(len(column) and np.all(column != column.dtype.type()))
    )


def _texts(path: Path, column: NDArray[Any]) -> list[str]:
    try:
        texts = [one.decode() if isinstance(one, bytes) else one for one in column.tolist()]
    except ValueError as error:  # bytes that are no UTF-8, numbers beyond Unicode
        raise UsageError(f"{str(path)!r} has paths that are no text: {brief(error)}") from error
    if not all(isinstance(one, str) for one in texts):
        raise UsageError(f"{str(path)!r} has paths that are no texts")
    return [one.removeprefix(">") for one in texts]


def _numbers(rows: NDArray[np.void], name: str) -> list[float]:
    """Return a column of numbers, as nan where it is missing or none."""
    column = rows[name] if name in (rows.dtype.names or ()) else None
    if column is None or column.ndim != 1 or column.dtype.kind not in "fiu":
        return [float("nan")] * len(rows)
    return [float(f"{one:.7g}") for one in column.tolist()]  # float32 as it was written


def _optics(rows: NDArray[np.void]) -> Iterator[Optics | None]:
    """Yield what the microscope's parameters say, else the CTF's; amplitude contrast is only in the CTF's."""
    names = rows.dtype.names or ()
    origin = "mscope_params" if "mscope_params/accel_kv" in names else "ctf"
    columns = (
        _numbers(rows, f"{origin}/accel_kv"),
        _numbers(rows, f"{origin}/cs_mm"),
        _numbers(rows, "ctf/amp_contrast"),
    )
    for voltage_kV, aberration_mm, contrast in zip(*columns, strict=True):
        if not is_positive(voltage_kV) or not 0 <= aberration_mm < 100:
            yield None
        elif 0 <= contrast <= 1:
            yield Optics(voltage_kV, aberration_mm, contrast)
        else:
            yield Optics(voltage_kV, aberration_mm)
