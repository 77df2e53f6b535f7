"""What a file of an entry is, told from its name: micrograph, movie, gain reference or something else."""

import re
from typing import Literal

from cryopick_ray.micrographs.reader import is_micrograph_name

Role = Literal["micrograph", "movie", "gain", "archive", "other"]

_COMPRESSED = (".gz", ".bz2")
_ARCHIVES = (".zip", ".tar", ".tgz", ".tbz", ".tbz2", ".7z", ".rar", ".tar.gz", ".tar.bz2", ".tar.xz")
_PICTURES = (".png", ".jpg", ".jpeg")
_REFERENCES = (".gain", ".dm3", ".dm4")
"""Formats that detectors write references in, and hardly ever images."""

# Words stand alone: "again" and "gaincorrected" name no reference, "GainRef" and "my_gain_2" do.
_GAIN = re.compile(
    r"(?<![a-z])(?<!no[_-])(?<!un[_-])"
    r"(?:gains?(?:[_-]?ref(?:erence)?s?)?|super[_-]?ref|count[_-]?ref|dark(?:[_-]?ref)?|defects?|flat[_-]?field)"
    r"(?![a-z])(?![_-](?:corr|norm|appl))|^norm[_-]"
)
_WEIGHTED = r"(?:dw|dose[_-]?weighted|weighted)"
_UNWEIGHTED = rf"(?:no|non|un)[_-]?{_WEIGHTED}"
_SUMMED = (
    r"(?:sum(?:corr)?|avg|average|mc2?|mcorr?|motioncorr?|mot(?:ion)?[_-]?corrected|ali(?:gned)?"
    r"|aligned[_-]mic)"
)
_AVERAGE = re.compile(rf"(?P<marks>(?:[_-](?:{_UNWEIGHTED}|{_WEIGHTED}|{_SUMMED}|patch|rigid))+)$")
_MOVIE = re.compile(r"[._-]?(?:fractions?|frames?|movies?|stack|raw)$")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")

MOST_GAINS, MOST_GAINS_FRACTION = 10, 0.05


def role_of(path: str, *, frames: int | None = None, data_format: str = "", gains_apart: bool = True) -> Role:
    """Tell what a file is.

    Parameters
    ----------
    path
        Path in the entry; only its name and the folder around it are looked at.
    frames
        Frames per image that the entry declares for the file's image set.
    data_format
        Format that the entry declares: a detector's own format, or PNG and JPEG, are images only
        where it says so.
    gains_apart
        ``False`` where "gain" is part of the images' own names: see :func:`gains_are_credible`.
    """
    name = path.lower().rpartition("/")[2]
    declared = data_format.lower()
    if name.endswith(_ARCHIVES):
        return "archive"
    if gains_apart and _names_a_gain(path):
        return "gain" if name.endswith(_REFERENCES) or _is_image(name) else "other"
    if name.endswith(_REFERENCES):
        return "other" if declared.startswith("dm") else "gain"
    if name.endswith(_PICTURES):
        return "micrograph" if declared in ("png", "jpeg", "jpg") else "other"
    if name.endswith(".eer"):
        return "movie"
    stem = stem_of(name)
    if name.endswith(".mrcs"):
        return "movie" if (frames or 1) > 1 or _MOVIE.search(stem) else "other"
    if not is_micrograph_name(name):
        return "other"
    if _AVERAGE.search(stem):
        return "micrograph"
    return "movie" if (frames or 1) > 1 or _MOVIE.search(stem) else "micrograph"


def gains_are_credible(gains: int, images: int) -> bool:
    """Tell whether so many gain references among so many images are that, and not images named so."""
    return gains <= max(MOST_GAINS, MOST_GAINS_FRACTION * images)


def exposure_of(path: str) -> tuple[str, int]:
    """Return what all images of one exposure share, and how good an image this is of it.

    The path without the endings that programs add; then 0 for a dose-weighted average, 1 for an average
    without a mark, 2 for one that is marked as not weighted, 3 for a movie.
    """
    folder, slash, name = path.rpartition("/")
    stem = stem_of(name)
    marks = _AVERAGE.search(stem.lower())
    if marks is None:
        movie = _MOVIE.search(stem.lower())
        key = stem[: movie.start()] if movie else stem
        return f"{folder}{slash}{key}", 3 if movie else 1
    found = marks["marks"]
    preference = 2 if re.search(_UNWEIGHTED, found) else 0 if re.search(_WEIGHTED, found) else 1
    key = stem[: marks.start()]
    movie = _MOVIE.search(key.lower())
    return f"{folder}{slash}{key[: movie.start()] if movie else key}", preference


def stem_of(name: str) -> str:
    """Return a name without its format and compression."""
    if name.lower().endswith(_COMPRESSED):
        name = name.rpartition(".")[0]
    return name.rpartition(".")[0] or name


def _is_image(name: str) -> bool:
    return is_micrograph_name(name) or name.endswith((".mrcs", ".eer"))


def _names_a_gain(path: str) -> bool:
    parts = path.split("/")[-2:]
    words = [_CAMEL.sub("_", part).lower() for part in (*parts[:-1], stem_of(parts[-1]))]
    return any(_GAIN.search(word) for word in words)
