"""Which micrographs a run is about, and what each is called."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Literal

from cryopick_ray.errors import UsageError, brief
from cryopick_ray.micrographs.exposures import read_cs_list
from cryopick_ray.micrographs.folder import list_folder
from cryopick_ray.micrographs.listing import ListedMicrograph, read_star_list, read_text_list
from cryopick_ray.micrographs.reader import SUFFIXES, is_micrograph_name, is_movie_name
from cryopick_ray.micrographs.remote.anywhere import list_remote
from cryopick_ray.micrographs.remote.names import UNWRITABLE, matches
from cryopick_ray.units import Optics

TEXT_LISTS, STAR_LISTS, CS_LISTS = (".txt", ".lst"), (".star",), (".cs", ".csg")
Say = Callable[[str], None]


@dataclass(frozen=True)
class MicrographSource:
    """One micrograph to be read: where it lies and what it is called.

    Attributes
    ----------
    micrograph_id
        Path relative to the source root with ``/``, folders and extension kept; with several
        data sets it starts with the data set's name.
    dataset
        Name of the data set, unique among the INPUTs.
    path
        Absolute path of the file; of a remote one its path below ``url``.
    relion_name
        rlnMicrographName: the name in the input STAR file, else the path relative to the RELION
        project, else the absolute path.
    optics, pixel_size_A
        What an input STAR, ``.cs`` or ``.csg`` file says, else ``None``.
    kind, gain
        An image, or a movie with the gain reference that its list names.
    url
        Where a remote file lies; empty for a file of this machine.
    optics_group, listed, original_pixel_size_A
        What a list says of it: see :class:`~cryopick_ray.micrographs.listing.ListedMicrograph`.
    """

    micrograph_id: str
    dataset: str
    path: Path
    relion_name: str
    optics: Optics | None = None
    pixel_size_A: float | None = None
    kind: Literal["micrograph", "movie"] = "micrograph"
    gain: Path | None = None
    url: str = ""
    optics_group: str = ""
    listed: str = ""
    original_pixel_size_A: float | None = None

    @property
    def origin(self) -> str:
        """The file's address, on this machine or elsewhere."""
        return f"{self.url}/{self.path.as_posix()}" if self.url else str(self.path)


@dataclass(frozen=True)
class _DataSet:
    """The files of one INPUT, or of all that name single files of one folder."""

    name: str
    root: Path
    files: list[ListedMicrograph]
    kind: Literal["folder", "file", "list", "star", "remote"]
    url: str = ""


def list_sources(
    inputs: Sequence[str],
    *,
    relion_project: Path,
    limit: int | None = None,
    pattern: str | None = None,
    exclude: Sequence[str] = (),
    say: Say = lambda text: None,
) -> list[MicrographSource]:
    """List the micrographs of all INPUTs, each file once, in the order of the INPUTs.

    An INPUT is a folder (searched below), a file, a glob, a list (text, STAR, ``.cs``) or a URL (``s3://``,
    ``gs://``, ``http(s)://``; searched below, a web server by its index pages). Files given
    one by one out of the same folder make one data set. Folders and globs are sorted by path,
    lists keep their order. A file that comes up again is kept where it came first.

    Parameters
    ----------
    relion_project
        Folder that names in STAR files, and the names given to RELION, are relative to.
    limit
        Keep the first so many.
    pattern, exclude
        What names must fit, and must not: paths below the INPUT's root where these have a ``/``.
    say
        Told what is left out.

    Raises
    ------
    UsageError
        An INPUT is missing, holds no micrographs or is of a kind that is not read; a name is unwritable.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"a limit of {limit} micrographs; expected at least 1 (`limit`)")
    if not inputs:
        raise UsageError("no `inputs`; give a folder, a file, a glob in quotes, a text list or a STAR list")
    project = Path(os.path.abspath(relion_project))
    found = _without_repeats(_join_files([_data_set(text, project, say) for text in inputs]))
    datasets = _fitting(found, pattern, exclude, say)
    sources: list[MicrographSource] = []
    for dataset, name in zip(datasets, _unique([dataset.name for dataset in datasets]), strict=True):
        prefix = f"{name}/" if len(datasets) > 1 else ""
        sources += [
            MicrographSource(
                micrograph_id=_checked(prefix + _relative(file.path, dataset.root)),
                dataset=_checked(name),
                path=file.path,
                relion_name=_checked(
                    file.name if dataset.kind in ("star", "remote") else relion_name(file.path, project)
                ),
                url=dataset.url,
                **file.carried(),
            )
            for file in dataset.files
        ]
    return sources[:limit]


def _data_set(text: str, project: Path, say: Say) -> _DataSet:
    if text.startswith("empiar:"):
        raise UsageError(f"`inputs` {text!r} is for `cryopick run` and `cryopick empiar`, alone")
    if "://" in text:
        return _remote(text)
    path = Path(os.path.abspath(text))
    if os.path.isdir(path):  # False, not an error, where one may not look
        files = _listed(path / name for name in list_folder(path))
        dataset = _DataSet(_folder_name(path), path, files, "folder")
    elif os.path.exists(path):
        dataset = _file_or_list(text, path, project, say)
    elif any(character in text for character in "*?["):
        dataset = _glob(text, path)
    else:
        raise UsageError(f"`inputs` {text!r}: there is no such file or folder; {_looked_for()}")
    if not dataset.files:
        raise UsageError(f"`inputs` {text!r} has no micrographs; {_looked_for()}")
    return dataset


def _file_or_list(text: str, path: Path, project: Path, say: Say) -> _DataSet:
    suffix = path.suffix.lower()
    if is_micrograph_name(path.name) or is_movie_name(path.name):
        return _DataSet(_folder_name(path.parent), path.parent, _listed([path]), "file")
    if suffix in TEXT_LISTS:
        listed = read_text_list(path, Path.cwd())
    elif suffix in STAR_LISTS:
        listed = read_star_list(path, project, say)
    elif suffix in CS_LISTS:
        listed = read_cs_list(path, Path.cwd(), say)
    else:
        lists = " ".join(TEXT_LISTS + STAR_LISTS + CS_LISTS)
        raise UsageError(f"`inputs` {text!r} is neither a micrograph nor a list ({lists}); {_looked_for()}")
    files = [replace(file, path=Path(os.path.abspath(file.path))) for file in listed]
    if files and not any(os.path.lexists(file.path) for file in files):
        raise UsageError(
            f"`inputs` {text!r}: none of its {len(files)} files is there, the first would be "
            f"{brief(str(files[0].path))}; names in a STAR file are relative to `relion_project`"
        )
    root = Path(os.path.commonpath([file.path.parent for file in files])) if files else path.parent
    return _DataSet(path.stem, root, files, "star" if suffix in STAR_LISTS else "list")


def _glob(text: str, pattern: Path) -> _DataSet:
    parts = pattern.parts
    fixed = next(i for i, part in enumerate(parts) if any(character in part for character in "*?["))
    root = Path(*parts[:fixed])
    try:
        found = sorted(root.glob("/".join(parts[fixed:])))
    except (OSError, ValueError) as error:
        raise UsageError(f"`inputs` {text!r} cannot be searched: {error}") from error
    visible = (path for path in found if not any(part[0] == "." for part in path.relative_to(root).parts))
    named = [path for path in visible if not os.path.isdir(path)]
    files = _listed(
        [path for path in named if is_micrograph_name(path.name)]
        or [path for path in named if is_movie_name(path.name)]
    )
    return _DataSet(_folder_name(root), root, files, "folder")


def _remote(url: str) -> _DataSet:
    """List what lies below a URL, movies only where there are no micrographs."""
    root, below = list_remote(url)
    names = [name for name in below if is_micrograph_name(name)] or [n for n in below if is_movie_name(n)]
    if not names:
        raise UsageError(f"`inputs` {url!r} has no micrographs; {_looked_for()}")
    files = _listed(Path(name) for name in names)
    return _DataSet(
        _folder_name(Path(root)), Path(), [replace(f, name=str(f.path)) for f in files], "remote", root
    )


def _listed(paths: Iterable[Path]) -> list[ListedMicrograph]:
    return [
        ListedMicrograph(path.name, path, kind="movie" if is_movie_name(path.name) else "micrograph")
        for path in paths
    ]


def _join_files(datasets: list[_DataSet]) -> list[_DataSet]:
    """Make one data set of files from one folder, as a shell passes them for an unquoted glob."""
    joined: dict[tuple[Path, int], _DataSet] = {}
    for position, dataset in enumerate(datasets):
        key = (dataset.root, -1 if dataset.kind == "file" else position)
        earlier = joined.get(key)
        joined[key] = replace(dataset, files=earlier.files + dataset.files) if earlier else dataset
    return list(joined.values())


def _without_repeats(datasets: list[_DataSet]) -> list[_DataSet]:
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


def _fitting(
    datasets: list[_DataSet], pattern: str | None, exclude: Sequence[str], say: Say
) -> list[_DataSet]:
    """Keep the files that fit; a data set of none is none."""

    def fits(dataset: _DataSet, file: ListedMicrograph) -> bool:
        path = _relative(file.path, dataset.root)
        return (pattern is None or matches(path, pattern)) and not any(matches(path, one) for one in exclude)

    kept = [replace(one, files=[file for file in one.files if fits(one, file)]) for one in datasets]
    total, left = (sum(len(one.files) for one in some) for some in (datasets, kept))
    asked = " and ".join(["`pattern`"] * (pattern is not None) + ["`exclude`"] * bool(exclude))
    if not left:
        given = ", ".join(repr(one) for one in (pattern, *exclude) if one is not None)
        raise UsageError(f"none of {total} micrographs is left by {asked} ({given}); expected globs of names")
    if left < total:
        say(f"{asked}: {total - left} of {total} micrographs are left out")
    return [one for one in kept if one.files]


def _unique(names: list[str]) -> list[str]:
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


def _folder_name(folder: Path) -> str:
    return folder.name or "micrographs"  # the root folder has no name


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def relion_name(path: Path, project: Path) -> str:
    """Return what RELION, run in ``project``, calls a file."""
    return _relative(path, project) if path.is_relative_to(project) else path.as_posix()


def _checked(name: str) -> str:
    if UNWRITABLE.search(name):
        raise UsageError(f"the name {brief(name)} has control characters or is no UTF-8; rename the file")
    return name


def _looked_for() -> str:
    return f"looked for {' '.join(SUFFIXES)}"
