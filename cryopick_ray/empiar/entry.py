"""What an EMPIAR entry says of itself: everything may be missing, nothing is believed."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cryopick_ray.errors import UsageError
from cryopick_ray.transfer.names import UNWRITABLE
from cryopick_ray.transfer.transfer_errors import MissingError, RemoteError

MOST_TEXT = 4000
"""Characters of one field that are kept."""
MOST_SETS = 1000
MOST_COUNT = 10**9

Category = Literal["micrographs", "movies", "other"]


@dataclass(frozen=True)
class ImageSet:
    """One image set of an entry, as its depositor declared it.

    Attributes
    ----------
    directory
        Folder in the entry, ``data`` or below; not always where the files are.
    category
        In the archive's words, such as ``micrographs - single frame``.
    count
        Images, or tilt series.
    frames
        Frames per image.
    pixel_size_A
        In angstroms; of super-resolution movies often the half pixel.
    height_px, width_px
        Size of an image.
    """

    name: str = ""
    directory: str = "data"
    category: str = ""
    header_format: str = ""
    data_format: str = ""
    count: int | None = None
    frames: int | None = None
    voxel_type: str = ""
    pixel_size_A: float | None = None
    height_px: int | None = None
    width_px: int | None = None
    details: str = ""

    @property
    def kind(self) -> Category:
        """Single images, movies, or what is not picked (particles, tilt series, averages of classes)."""
        words = self.category.lower()
        if "micrograph" not in words and words:
            return "other"
        if self.frames is not None:
            return "movies" if self.frames > 1 else "micrographs"
        return "movies" if re.search(r"multi-?\s?frame", words) else "micrographs"


@dataclass(frozen=True)
class Entry:
    """An EMPIAR entry.

    Attributes
    ----------
    entry_id
        The number, as text: ``10017``.
    dataset_size
        In the archive's words, such as ``12.4 GB``.
    """

    entry_id: str
    title: str = ""
    dataset_size: str = ""
    release_date: str = ""
    doi: str = ""
    experiment_type: str = ""
    cross_references: tuple[str, ...] = ()
    image_sets: tuple[ImageSet, ...] = ()


@dataclass(frozen=True)
class SearchHit:
    """One entry that a search found."""

    entry_id: str
    title: str


def entry_number(text: str) -> str:
    """Return the number in ``10017``, ``EMPIAR-10017`` or ``empiar:10017``.

    Raises
    ------
    UsageError
        There is none.
    """
    found = re.fullmatch(r"(?:empiar[-:])?(?:empiar-)?([0-9]{4,7})", text.strip(), re.IGNORECASE)
    if found is None:
        raise UsageError(f"{text!r} is no EMPIAR entry; expected a number such as 10017 or EMPIAR-10017")
    return found[1]


def parse_entry(raw: bytes, entry_id: str) -> Entry:
    """Read the archive's JSON of an entry.

    Raises
    ------
    MissingError
        The answer holds no such entry.
    RemoteError
        It is no JSON object.
    """
    data = _object(raw)
    found = data.get(f"EMPIAR-{entry_id}")
    if not isinstance(found, dict):
        raise MissingError(f"EMPIAR has no entry {entry_id}; `cryopick empiar search` finds entries")
    sets = [one for one in _items(found.get("imagesets")) if isinstance(one, dict)]
    return Entry(
        entry_id=entry_id,
        title=_text(found.get("title")),
        dataset_size=_text(found.get("dataset_size")),
        release_date=_text(found.get("release_date")),
        doi=_text(found.get("entry_doi")),
        experiment_type=_text(found.get("experiment_type")),
        cross_references=tuple(filter(None, map(_reference, _items(found.get("cross_references"))))),
        image_sets=tuple(_image_set(one) for one in sets),
    )


def parse_search(raw: bytes) -> tuple[int, list[SearchHit]]:
    """Return the number of hits and the entries of one page of a search."""
    data = _object(raw)
    found = []
    for one in _items(data.get("entries")):
        if not isinstance(one, dict):
            continue
        number = re.fullmatch(r"(?:EMPIAR-)?([0-9]{4,7})", _text(one.get("id")))
        fields = one.get("fields")
        titles = _items(fields.get("title")) if isinstance(fields, dict) else []
        if number:
            found.append(SearchHit(number[1], _text(titles[0]) if titles else ""))
    return _count(data.get("hitCount")) or len(found), found


def choose_image_set(entry: Entry, wanted: str | None) -> tuple[ImageSet, str]:
    """Return an image set of an entry, and why this one.

    Parameters
    ----------
    wanted
        Its number as listed (from 1), its name, or a part of its name; ``None`` for the first set of single
        micrographs, dose-weighted before others, else the first of movies.

    Raises
    ------
    UsageError
        Several sets fit, or none does.
    """
    sets = entry.image_sets
    listed = "; ".join(f"{number} {one.name!r} ({one.category})" for number, one in enumerate(sets, 1))
    if wanted is None:
        best = min(sets, key=_rank, default=None)
        if best is None:
            return (
                ImageSet(),
                f"EMPIAR-{entry.entry_id} declares no image sets: its whole data folder is taken",
            )
        if best.kind == "other":
            raise UsageError(
                f"EMPIAR-{entry.entry_id} declares no micrographs and no movies ({listed}); "
                "choose a set with `archive.image_set`"
            )
        others = f", one of {len(sets)} sets (`archive.image_set` chooses another)" if len(sets) > 1 else ""
        return best, f"image set {best.name!r}: {best.category or best.kind}{others}"
    if wanted.isascii() and wanted.isdigit() and 1 <= int(wanted) <= len(sets):
        return sets[int(wanted) - 1], f"image set {sets[int(wanted) - 1].name!r}"
    fit = [one for one in sets if one.name == wanted] or [
        one for one in sets if wanted.lower() in one.name.lower()
    ]
    if len(fit) != 1:
        raise UsageError(
            f"`archive.image_set` {wanted!r} fits {len(fit)} of the image sets of EMPIAR-{entry.entry_id}: "
            f"{listed or 'it declares none'}"
        )
    return fit[0], f"image set {fit[0].name!r}"


def _rank(one: ImageSet) -> tuple[int, bool]:
    words = f"{one.name} {one.directory} {one.category} {one.details}".lower()
    weighted = re.search(r"(?<![a-z])(?:dw|dose[ _-]?weighted)", words)
    unweighted = re.search(r"(?<![a-z])(?:non?|un)[ _-]?(?:dw|dose)", words)
    return ("micrographs", "movies", "other").index(one.kind), not weighted or bool(unweighted)


def _image_set(found: Mapping[str, Any]) -> ImageSet:
    return ImageSet(
        name=_text(found.get("name")),
        directory=_directory(found.get("directory")),
        category=_text(found.get("category")),
        header_format=_text(found.get("header_format")),
        data_format=_text(found.get("data_format")),
        count=_count(found.get("num_images_or_tilt_series")),
        frames=_count(found.get("frames_per_image")),
        voxel_type=_text(found.get("voxel_type")),
        pixel_size_A=_positive(found.get("pixel_width")),
        height_px=_count(found.get("image_height")),
        width_px=_count(found.get("image_width")),
        details=_text(found.get("details")),
    )


def _object(raw: bytes) -> dict[str, Any]:
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise RemoteError(f"the archive's answer is no JSON: {type(error).__name__}") from error
    if not isinstance(data, dict):
        raise RemoteError("the archive's answer is no JSON object")
    return data


def _items(value: object) -> Sequence[Any]:
    return value[:MOST_SETS] if isinstance(value, list) else []


def _text(value: object) -> str:
    """Return a field as one line that no terminal minds."""
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return ""
    return UNWRITABLE.sub(" ", str(value)[:MOST_TEXT]).strip()


def _reference(value: object) -> str:
    return _text(value.get("name") if isinstance(value, dict) else value)


def _directory(value: object) -> str:
    """Return a folder inside the entry; what leads elsewhere becomes the whole data folder."""
    parts = [part for part in _text(value).replace("\\", "/").split("/") if part not in ("", ".")]
    return "/".join(parts) if parts and ".." not in parts else "data"


def _count(value: object) -> int | None:
    number = _positive(value)
    return int(number) if number is not None and 1 <= number <= MOST_COUNT else None


def _positive(value: object) -> float | None:
    try:
        number = float(_text(value))
    except ValueError:
        return None
    return number if 0 < number < math.inf else None
