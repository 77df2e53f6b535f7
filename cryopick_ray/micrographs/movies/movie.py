"""A movie as its reader returns it: frames one at a time, never all in memory."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from cryopick_ray.errors import MicrographError, brief
from cryopick_ray.micrographs.preprocess import LARGEST
from cryopick_ray.units import Shape

MAX_FRAMES = 2**16
"""More frames than any camera writes into a file; whatever claims more is damaged."""


class Movie(Protocol):
    """A movie on disk whose header was read, but no frames.

    Attributes
    ----------
    path
        The file.
    shape
        Height and width of a frame in pixels.
    count
        Number of frames.
    pixel_size_A
        Of a frame's pixel, as the file states it; ``None`` if it states none.
    notes
        How the file was understood where it is unclear.
    """

    @property
    def path(self) -> Path: ...  # noqa: D102 - above

    @property
    def shape(self) -> Shape: ...  # noqa: D102 - above

    @property
    def count(self) -> int: ...  # noqa: D102 - above

    @property
    def pixel_size_A(self) -> float | None: ...  # noqa: D102 - above

    @property
    def notes(self) -> tuple[str, ...]: ...  # noqa: D102 - above

    def frames(self, wanted: range) -> Iterator[NDArray[Any]]:
        """Yield the frames of these numbers (from 0) as ``(h, w)`` arrays, in the machine's byte order.

        Raises
        ------
        MicrographError
            A frame is missing or damaged.
        """
        ...


def read_frames(movie: Movie, wanted: range) -> Iterator[NDArray[Any]]:
    """Yield frames as :meth:`Movie.frames` does; what goes wrong names the file and the frame.

    Raises
    ------
    MicrographError
        A frame cannot be read.
    """
    frames = movie.frames(wanted)
    for number in wanted:
        try:
            frame = next(frames)
            _check_numbers(frame)
        except Exception as error:
            reason = (
                str(error)
                if isinstance(error, MicrographError)
                else f"{type(error).__name__}: {brief(error)}"
            )
            raise MicrographError(
                f"frame {number + 1} of {movie.count} of {movie.path.name} cannot be read: {reason}"
            ) from error
        yield frame


def _check_numbers(frame: NDArray[Any]) -> None:
    if frame.dtype.kind == "f" and not -LARGEST <= float(frame.min()) <= float(frame.max()) <= LARGEST:
        raise MicrographError(f"it has pixels that are NaN, infinite or beyond {LARGEST:g}")


def check_count(count: int) -> None:
    """Refuse a number of frames that no movie has.

    Raises
    ------
    MicrographError
        There are none, or more than :data:`MAX_FRAMES`.
    """
    if not 1 <= count <= MAX_FRAMES:
        raise MicrographError(f"the file states {count} frames; expected 1 to {MAX_FRAMES}")
