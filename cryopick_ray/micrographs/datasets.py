"""The files of INPUTs by data set: joined, each once, those that fit, one image of each exposure."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Literal

from cryopick_ray.errors import UsageError
from cryopick_ray.micrographs.exposure_choice import LeftOut, doubles, left_out, told
from cryopick_ray.micrographs.star_list import ListedMicrograph
from cryopick_ray.transfer.names import matches


@dataclass(frozen=True)
class DataSet:
    """The files of one INPUT, or of all that name single files of one folder.

    ``without_image`` is what a list names that has nothing to be picked, and why.
    """

    name: str
    root: Path
    files: list[ListedMicrograph]
    kind: Literal["folder", "file", "list", "star", "cs", "remote"]
    url: str = ""
    without_image: tuple[tuple[ListedMicrograph, str], ...] = ()

    @property
    def paths(self) -> list[str]:
        """Where they lie below the root."""
        return [relative(file.path, self.root) for file in self.files]


def join_files(datasets: list[DataSet]) -> list[DataSet]:
    """Make one data set of files from one folder, as a shell passes them for an unquoted glob."""
    joined: dict[tuple[Path, int], DataSet] = {}
    for position, dataset in enumerate(datasets):
        key = (dataset.root, -1 if dataset.kind == "file" else position)
        earlier = joined.get(key)
        joined[key] = replace(dataset, files=earlier.files + dataset.files) if earlier else dataset
    return list(joined.values())


def without_repeats(datasets: list[DataSet]) -> list[DataSet]:
    """Keep each file where it came first; a data set of nothing new is none."""
    seen: set[tuple[str, Path]] = set()
    kept = []
    for dataset in datasets:
        new: dict[tuple[str, Path], ListedMicrograph] = {}
        for file in dataset.files:
            if (dataset.url, file.path) not in seen:
                new.setdefault((dataset.url, file.path), file)
        seen.update(new)
        if new:
            kept.append(replace(dataset, files=list(new.values())))
    return kept


def fitting(
    datasets: list[DataSet], pattern: str | None, exclude: Sequence[str], say: Callable[[str], None]
) -> list[DataSet]:
    """Keep the files that fit; a data set of none is none."""

    def fits(name: str) -> bool:
        return (pattern is None or matches(name, pattern)) and not any(matches(name, one) for one in exclude)

    kept = [
        replace(
            dataset,
            files=[file for file in dataset.files if fits(relative(file.path, dataset.root))],
            without_image=tuple(one for one in dataset.without_image if fits(one[0].name)),
        )
        for dataset in datasets
    ]
    total, left = (sum(len(one.files) for one in some) for some in (datasets, kept))
    asked = " and ".join(["`pattern`"] * (pattern is not None) + ["`exclude`"] * bool(exclude))
    if not left:
        given = ", ".join(repr(one) for one in (pattern, *exclude) if one is not None)
        raise UsageError(f"none of {total} micrographs is left by {asked} ({given}); expected globs of names")
    if left < total:
        say(f"{asked}: {total - left} of {total} micrographs are left out")
    return [one for one in kept if one.files]


def unique(names: list[str]) -> list[str]:
    """Return the names, repeated ones numbered -2, -3 and so on, past names that others have."""
    unique: list[str] = []
    for name in names:
        numbered = (name if number == 1 else f"{name}-{number}" for number in count(1))
        unique.append(
            next(
                candidate
                for candidate in numbered
                if candidate not in unique and (candidate == name or candidate not in names)
            )
        )
    return unique


def unwanted(
    dataset: DataSet, taken: Collection[str], *, is_whole: bool, say: Callable[[str], None]
) -> dict[str, LeftOut]:
    """Return what of a data set shows no exposure, or one that another image shows, by its path.

    STAR and ``.cs`` lists name what somebody selected: nothing of them is left out.
    """
    if dataset.kind in ("star", "cs"):
        if found := doubles(dataset.paths):
            example = " and ".join(found[0])
            say(
                f"{dataset.name} lists several images of {len(found)} exposures ({example}, ...) and all are "
                "taken; `exclude` leaves out"
            )
        return {}
    out = left_out(dataset.paths, taken, is_whole=is_whole)
    if out:
        say(told(out))
    return out


def relative(path: Path, root: Path) -> str:
    """Return a path below a root."""
    text, above = path.as_posix(), f"{root.as_posix()}/"
    return text.removeprefix(above) if text.startswith(above) else path.relative_to(root).as_posix()
