"""Any movie file, chosen by its suffix."""

from pathlib import Path

from cryopick_ray.errors import MicrographError, brief
from cryopick_ray.micrographs.movies.eer import open_eer
from cryopick_ray.micrographs.movies.movie import Movie
from cryopick_ray.micrographs.movies.mrc_movie import open_mrc_movie
from cryopick_ray.micrographs.movies.tiff_movie import open_tiff_movie

MRC_SUFFIXES = tuple(f"{kind}{packed}" for kind in (".mrc", ".mrcs") for packed in ("", ".gz", ".bz2"))
TIFF_SUFFIXES = (".tif", ".tiff")
STACK_SUFFIXES = (*MRC_SUFFIXES, *TIFF_SUFFIXES, ".eer")
"""Names that end so, in any case, may be movies; a micrograph may be called so, too."""


def open_movie(path: Path, *, eer_grouping: int = 40, eer_upsampling: int = 1) -> Movie:
    """Read what a movie's file says of it, but no frames.

    A file of one image is a movie of one frame.

    Raises
    ------
    MicrographError
        The file cannot be read, or is none of :data:`STACK_SUFFIXES`.
    """
    name = path.name.lower()
    try:
        if not path.is_file():
            raise MicrographError(f"there is no file {path.name}")
        if name.endswith(".eer"):
            return open_eer(path, eer_grouping, eer_upsampling)
        if name.endswith(TIFF_SUFFIXES):
            return open_tiff_movie(path)
        if name.endswith(".gain"):  # a TIFF, but of EER, whose rows stay in order
            return open_tiff_movie(path, is_turned=False)
        if name.endswith(MRC_SUFFIXES):
            return open_mrc_movie(path)
    except MicrographError:
        raise
    # Decoders meet hostile bytes with every kind of error there is.
    except Exception as error:
        raise MicrographError(
            f"{path.name} cannot be read: {type(error).__name__}: {brief(error)}"
        ) from error
    raise MicrographError(f"{path.name!r} does not end in one of {' '.join(STACK_SUFFIXES)}")
