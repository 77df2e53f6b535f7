"""The files of INPUTs by data set: each file once, filtered, one image of each exposure."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Literal

from cryopick_ray.errors import UsageError
from cryopick_ray.micrographs.exposure_choice import LeftOut, duplicate_exposures, left_out, left_out_note
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
        """Paths below the root."""
        return [relative(file.path, self.root) for file in self.files]


def join_files(datasets: list[DataSet]) -> list[DataSet]:
    """Join single files of one folder to a data set, as a shell passes an unquoted glob."""
    joined: dict[tuple[Path, int], DataSet] = {}
    for position, dataset in enumerate(datasets):
        key = (dataset.root, -1 if dataset.kind == "file" else position)
        earlier = joined.get(key)
        joined[key] = replace(dataset, files=earlier.files + dataset.files) if earlier else dataset
    return list(joined.values())


def without_repeats(datasets: list[DataSet]) -> list[DataSet]:
    """Keep each file in the first data set that has it, and drop empty data sets."""
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
    """Keep the files that match, and drop empty data sets."""

    def fits(name: str) -> bool:
        return (pattern is None or matches(name, pattern)) and not any(
            matches(name, excluded) for excluded in exclude
        )

    kept = [
        replace(
            dataset,
            files=[file for file in dataset.files if fits(relative(file.path, dataset.root))],
            without_image=tuple(missing for missing in dataset.without_image if fits(missing[0].name)),
        )
        for dataset in datasets
    ]
    total, left = (sum(len(dataset.files) for dataset in sets) for sets in (datasets, kept))
    names = " and ".join(["`pattern`"] * (pattern is not None) + ["`exclude`"] * bool(exclude))
    if not left:
        given = ", ".join(repr(glob) for glob in (pattern, *exclude) if glob is not None)
        raise UsageError(f"none of {total} micrographs is left by {names} ({given}); expected globs of names")
    if left < total:
        say(f"{names}: {total - left} of {total} micrographs are left out")
    return [dataset for dataset in kept if dataset.files]


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
    """Return the files of a data set to leave out, by path: no exposures, or further images of one.

    STAR and ``.cs`` lists name what somebody selected: nothing of them is left out.
    """
    if dataset.kind in ("star", "cs"):
        if found := duplicate_exposures(dataset.paths):
            example = " and ".join(found[0])
            say(
                f"{dataset.name} lists several images of {len(found)} exposures ({example}, ...) and all are "
                "taken; `exclude` leaves out"
            )
        return {}
    out = left_out(dataset.paths, taken, is_whole=is_whole)
    if out:
        say(left_out_note(out))
    return out


def relative(path: Path, root: Path) -> str:
    """Return a path below a root."""
    text, above = path.as_posix(), f"{root.as_posix()}/"
    return text.removeprefix(above) if text.startswith(above) else path.relative_to(root).as_posix()
