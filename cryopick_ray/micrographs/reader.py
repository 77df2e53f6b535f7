"""Reading of micrograph files of any kind, chosen by suffix."""

import stat
from collections.abc import Callable
from pathlib import Path

import google_crc32c

from cryopick_ray.errors import MicrographError, brief
from cryopick_ray.micrographs.mapped import BLOCK_BYTES, checksum_text
from cryopick_ray.micrographs.micrograph import Micrograph
from cryopick_ray.micrographs.mrc import read_mrc
from cryopick_ray.micrographs.picture import read_picture
from cryopick_ray.micrographs.tiff import read_tiff

READERS: dict[str, Callable[[Path], Micrograph]] = {
    ".mrc": read_mrc,
    ".mrc.gz": read_mrc,
    ".mrc.bz2": read_mrc,
    ".tif": read_tiff,
    ".tiff": read_tiff,
    ".png": read_picture,
    ".jpg": read_picture,
    ".jpeg": read_picture,
}
SUFFIXES = tuple(READERS)
"""Names that end so, in any case, are micrographs. ``.map`` and ``.mrcs`` are volumes and stacks."""

MOVIE_SUFFIXES = (".mrcs", ".mrcs.gz", ".mrcs.bz2", ".eer")
"""Names that end so are movies; a file that is named like a micrograph may be one, too."""


def is_micrograph_name(name: str) -> bool:
    """Tell whether a file's name ends like a micrograph's."""
    return name.lower().endswith(SUFFIXES)


def is_movie_name(name: str) -> bool:
    """Tell whether a file's name ends as only a movie's does."""
    return name.lower().endswith(MOVIE_SUFFIXES)


def read_micrograph(path: Path) -> Micrograph:
    """Read one micrograph of any kind in :data:`SUFFIXES`.

    Raises
    ------
    MicrographError
        Whatever is wrong with the file. The message is the reason alone: who reads many files
        knows which one this was.
    """
    name = path.name.lower()
    read = next((reader for suffix, reader in READERS.items() if name.endswith(suffix)), None)
    if read is None:
        raise MicrographError(f"{path.name!r} does not end in one of {' '.join(SUFFIXES)}")
    if _length_of_file(path) == 0:
        raise MicrographError("the file is empty")
    try:
        return read(path)
    except MicrographError:
        raise
    # Decoders meet hostile bytes with every kind of error there is (struct, zlib, Index, Syntax,
    # Memory, Recursion, ...), and one bad file must not end a run of thousands.
    except Exception as error:
        raise _unreadable(error) from error


def source_checksum(path: Path) -> str:
    """Return ``crc32c:`` and eight hexadecimal digits of a file's bytes, as stored on disk.

    Raises
    ------
    MicrographError
        The file cannot be read.
    """
    _length_of_file(path)
    checksum = 0
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                checksum = google_crc32c.extend(checksum, block)
    except OSError as error:
        raise _unreadable(error) from error
    return checksum_text(checksum)


def _length_of_file(path: Path) -> int:
    """Return the length in bytes; refuse what is no file, as opening a pipe would wait for ever."""
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise _unreadable(error) from error
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe or device"
        raise MicrographError(f"this is {kind}, expected a file")
    return status.st_size


def _unreadable(error: Exception) -> MicrographError:
    if isinstance(error, FileNotFoundError):
        return MicrographError("there is no such file")
    if isinstance(error, PermissionError):
        return MicrographError("permission to read the file is denied")
    if isinstance(error, OSError) and error.strerror:
        return MicrographError(f"the file cannot be read: {error.strerror}")
    return MicrographError(f"the file cannot be decoded: {type(error).__name__}: {brief(error)}")
