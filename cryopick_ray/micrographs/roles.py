"""What an image is, told from its name: of an exposure, or something that lies beside the images of one.

MotionCor2 and 3, RELION, CryoSPARC, Warp, EPU, SerialEM, cisTEM and Scipion mark what they write by the end
of its name or by its folder. An exposure has many images; which is the best one is told here, too.
"""

import re
from collections.abc import Collection, Mapping
from typing import Literal

from cryopick_ray.micrographs.reader import is_micrograph_name, is_movie_name

Kind = Literal[
    "micrograph",
    "movie",
    "preview",
    "stack",
    "half",
    "overview",
    "result",
    "background",
    "spectrum",
    "gain",
]
Role = Literal[Kind, "archive", "other"]
APART: tuple[Kind, ...] = ("stack", "half", "overview", "result", "background", "spectrum", "gain")
"""What is no image of an exposure, in the order in which it is taken for one where there is nothing else."""

_COMPRESSED = (".gz", ".bz2")
_ARCHIVES = (".zip", ".tar", ".tgz", ".tbz", ".tbz2", ".7z", ".rar", ".tar.gz", ".tar.bz2", ".tar.xz")
_PICTURES = (".png", ".jpg", ".jpeg")
_REFERENCES = (".gain", ".dm3", ".dm4")
"""Formats that detectors write references in, and hardly ever images."""

# Words stand alone: "again" and "gaincorrected" name no reference, "GainRef" and "my_gain_2" do.
_GAIN = re.compile(
    r"(?<![a-z])(?<!no[_-])(?<!un[_-])"
    r"(?:gains?(?:[_-]?ref(?:erence)?s?)?|(?:super|count|multi)[_-]?ref|dark(?:[_-]?ref)?|defects?"
    r"|flat[_-]?field|mtf)"
    r"(?![a-z])(?![_-](?:corr|norm|appl))|^norm[_-]"
)
_WEIGHTED = r"(?:dw|dose[_-]?weighted|weighted)"
_MARKS = {
    "unweighted": rf"(?:no|non|un)[_-]?{_WEIGHTED}",
    "selected": r"dws",  # MotionCor's weighted sum of a part of the frames
    "weighted": _WEIGHTED,
    "rigid": r"rigid(?:[_-]aligned)?",
    "average": r"sum(?:corr)?|avg|average|mc2?|mcorr?|motioncorr?|mot(?:ion)?[_-]?corrected|aligned[_-]mic"
    r"|ali(?:gned)?|patch|drift[_-]?corr(?:ected)?|intg|(?<=\d[a-z][a-z]-)a",  # ex-a: Leginon's
    "movie": r"fractions?|frames?|movies?|st(?:ac)?k|raw|eer",
    "derived": r"denoised|deconv(?:olved)?",
    "half": r"evn|even|odd",
    "preview": r"(?:thumb(?:nail)?|preview)(?:_@\dx)?",
    "spectrum": r"psd?|p(?:ow(?:er)?)?[_-]?spec(?:trum|tra)?|pow|spectrum|fft|ctf|avrot"
    r"|ctf[_-]diag(?:nostics?)?(?:_[12]d)?",
    "background": r"background(?:[_-]estimate)?",
    "result": r"particles?|masks?",
}
_MARK = re.compile("[._-](?:" + "|".join(f"(?P<{name}>{words})" for name, words in _MARKS.items()) + ")$")
_FOLDERS = {
    "movie": r"movies?|frames?|raw(?:[_-]?data)?|fractions?|stacks|eer|imported",
    "average": r"averages?|micrographs?|mics?|aligned|motion[_-]?corr(?:ect(?:ed|ion))?|motioncorr?[23]?"
    r"|sums?|summed|corrected|integrated|warp_frameseries",
    "weighted": _MARKS["weighted"],
    "unweighted": _MARKS["unweighted"],
    "derived": r"denois(?:ed|ing)|deconv(?:olved)?",
    "half": r"evn|even|odd",
    "preview": r"thumb(?:nail)?s?|previews?|scaled",
    "spectrum": r"power[_-]?spectr(?:um|a)|spectra|ctf(?:estimated)?",
    "background": r"backgrounds?",
    "result": r"particles?|masks?",
}
_FOLDER = re.compile("|".join(f"(?P<{name}>{words})" for name, words in _FOLDERS.items()))
_OVERVIEW_FOLDER = re.compile(r"atlas(?:es)?|overviews?|foilholes?|search[_-]?maps?")
_OVERVIEW = re.compile(
    r"gridsquare_(?!.*_data_)|foilhole_(?!.*_data_)|tile(?:_\d+){3}"
    r"|.*(?<![a-z])(?:atlas|lmm|mmm|overview|searchmap|montage)(?![a-z])"
    r"|.*_\d{5}(?:gr|sq|hl|fc)(?:_v\d+)?[.]"  # Leginon's
)
_JOB = re.compile(r"^(?:.*?/)??(?:([A-Z]\w+)/)?job(\d{3,})/")
"""RELION keeps the path of what went in below the folder of the job."""
_IMAGES_JOBS = (None, "MotionCorr", "Import", "External")
_CRYOSPARC_JOB = re.compile(r"J\d+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")

_RANKS = ("weighted", "selected", "average", "unweighted", "movie", "derived", "half", "preview", "spectrum")
"""Images of an exposure, the best first."""
_AVERAGES = {"weighted", "selected", "average", "rigid", "unweighted"}
MOST_GAINS, MOST_GAINS_FRACTION = 10, 0.05


def role_of(
    path: str, *, frames: int | None = None, data_format: str = "", apart: Collection[Kind] = APART
) -> Role:
    """Return the role of a file in an archive's entry.

    Parameters
    ----------
    path
        Path in the entry; only its name and the folder around it are looked at.
    frames
        Frames per image that the entry declares for the file's image set.
    data_format
        Format that the entry declares: a detector's own format, or PNG and JPEG, are images only
        where it says so.
    apart
        As :func:`kind_of` takes it.
    """
    name = path.lower().rpartition("/")[2]
    declared = data_format.lower()
    if name.endswith(_ARCHIVES):
        return "archive"
    is_image = is_micrograph_name(name) or is_movie_name(name)
    if "gain" in apart and _names_a_gain(path):
        return "gain" if name.endswith(_REFERENCES) or is_image else "other"
    if name.endswith(_REFERENCES):
        return "other" if declared.startswith("dm") else "gain"
    if name.endswith(_PICTURES):
        return "micrograph" if declared in ("png", "jpeg", "jpg") else "other"
    if not is_image:
        return "other"
    kind = kind_of(path, apart)
    has_frames = (frames or 1) > 1
    if kind in ("stack", "preview"):
        return "movie" if has_frames else "other"
    is_average = not _AVERAGES.isdisjoint(_marks(path)[1])
    return "movie" if kind == "micrograph" and has_frames and not is_average else kind


def kind_of(path: str, apart: Collection[Kind] = APART) -> Kind:
    """Return the kind of an image or movie.

    Parameters
    ----------
    path
        Below the root of a data set; only the name, the folder around it and RELION's jobs are looked at.
    apart
        What may be told apart from images of exposures: without ``gain`` a name may have that word.
    """
    name = path.lower().rpartition("/")[2]
    if "gain" in apart and _names_a_gain(path):
        return "gain"
    job = _JOB.match(path)
    _, marks, word, folder = _marks(path)
    words = {*marks, word}
    if job is not None and job[1] not in _IMAGES_JOBS:
        words.add("result")
    if _OVERVIEW.match(name) or _OVERVIEW_FOLDER.fullmatch(folder):
        words.add("overview")
    if kind := next((role for role in APART if role in words and role in apart), None):
        return kind
    if name.endswith(_PICTURES) or "preview" in words:
        return "preview"
    if is_movie_name(name):
        is_stack = "stack" in apart and "movie" not in marks and not name.endswith(".eer")
        return "stack" if is_stack else "movie"
    return "movie" if "movie" in marks and _AVERAGES.isdisjoint(marks) else "micrograph"


def gains_are_credible(gains: int, images: int) -> bool:
    """Tell whether the number of supposed gain references is plausible for so many images."""
    return gains <= max(MOST_GAINS, MOST_GAINS_FRACTION * images)


def wrongly_apart(counts: Mapping[str, int]) -> Kind | None:
    """Return a kind whose word in names is misleading: too many files have it, or all do.

    Parameters
    ----------
    counts
        Files of each kind.
    """
    images = sum(counts.get(kind, 0) for kind in ("micrograph", "movie", "preview"))
    if not gains_are_credible(counts.get("gain", 0), images):
        return "gain"
    if counts.get("stack") and not counts.get("micrograph"):
        return "stack"
    return None if images else next((kind for kind in APART if counts.get(kind)), None)


def exposure_of(path: str) -> tuple[str, int]:
    """Return the key that all images of one exposure share, and the rank of this image among them.

    The path without the endings that programs add, without folders that tell a step of processing (``frames``
    and ``averages``; other folders tell exposures apart), and without that of a RELION or CryoSPARC job; then
    a number, the less the better: a dose-weighted average before one without a mark, one that is marked as
    not weighted, a movie, what was made of an average, a half, a preview.
    """
    key, marks, word, _ = _marks(path)
    name = path.lower()
    is_tiff = name.endswith((".tif", ".tiff"))
    in_movies = word == "movie" and not _JOB.match(path)
    if name.endswith(_PICTURES):
        marks = ("preview",)
    elif is_movie_name(name) or (in_movies and is_tiff and not marks):
        marks = ("movie",)
    elif not marks and word != "movie":  # RELION keeps averages in folders called as those of the movies
        marks = (word,)
    ranks = [_RANKS.index(mark) for mark in marks if mark in _RANKS]
    averages = [_RANKS.index(mark) for mark in marks if mark in _AVERAGES and mark != "rigid"]
    if averages:
        best = next((rank for rank in averages if _RANKS[rank] != "average"), averages[0])
        ranks = [rank for rank in ranks if _RANKS[rank] not in {*_AVERAGES, "movie"}] or [best]
    rank = max(ranks, default=_RANKS.index("average"))
    by_format = 2 * is_tiff or name.endswith(_COMPRESSED)
    return key, 10 * rank + by_format + 3 * in_movies + 4 * ("rigid" in marks)


def job_of(path: str) -> int:
    """Return the number of the RELION job whose folder a file lies in; 0 for none."""
    job = _JOB.match(path)
    return int(job[2]) if job else 0


def stem_of(name: str) -> str:
    """Return a name without its format and compression."""
    if name.lower().endswith(_COMPRESSED):
        name = name.rpartition(".")[0]
    return name.rpartition(".")[0] or name


def _marks(path: str) -> tuple[str, tuple[str, ...], str, str]:
    """Return the exposure's key, the marks of its name, what its folders say, and the folder around it."""
    folder, _, name = path.rpartition("/")
    stem = stem_of(name)
    marks = []
    while (found := _MARK.search(stem.lower())) and found.start():
        marks.append(str(found.lastgroup))
        stem = stem[: found.start()]
    if job := _JOB.match(f"{folder}/"):
        folder = f"{folder}/"[job.end() :]
    parts = [part for part in folder.split("/") if part]
    words = [_word(part) for part in parts]
    # J12 around CryoSPARC's own folders tells a step, too.
    steps = [
        word or (after and _CRYOSPARC_JOB.fullmatch(part))
        for part, word, after in zip(parts, words, [*words[1:], ""], strict=False)
    ]
    kept = [part for part, is_step in zip(parts, steps, strict=True) if not is_step]
    return (
        "/".join([*kept, stem]),
        tuple(marks),
        words[-1] if words else "",
        parts[-1].lower() if parts else "",
    )


def _word(folder: str) -> str:
    """Return what a folder's name says of the images in it, empty for nothing."""
    found = _FOLDER.fullmatch(folder.lower())
    return str(found.lastgroup) if found else ""


def _names_a_gain(path: str) -> bool:
    parts = path.split("/")[-2:]
    words = [_CAMEL.sub("_", part).lower() for part in (*parts[:-1], stem_of(parts[-1]))]
    return any(_GAIN.search(word) for word in words)
