"""Which micrographs a run is about, and what each is called."""

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from cryopick_ray.errors import UsageError, brief
from cryopick_ray.micrographs.cs_list import read_cs_list
from cryopick_ray.micrographs.datasets import (
    DataSet,
    fitting,
    join_files,
    relative,
    unique,
    unwanted,
    without_repeats,
)
from cryopick_ray.micrographs.fault import escaped, fault_of
from cryopick_ray.micrographs.micrograph_folder import list_folder
from cryopick_ray.micrographs.reader import SUFFIXES, is_micrograph_name, is_movie_name
from cryopick_ray.micrographs.remote_files import list_remote
from cryopick_ray.micrographs.star_list import ListedMicrograph, read_star_list, read_text_list
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
        What a list says of it: see :class:`~cryopick_ray.micrographs.star_list.ListedMicrograph`.
    fault
        Why its name makes it unusable: it is a failed micrograph under a name as like as can be written.
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
    fault: str = ""

    @property
    def origin(self) -> str:
        """The file's address, on this machine or elsewhere, as it can be written."""
        return escaped(f"{self.url}/{self.path.as_posix()}" if self.url else str(self.path))


def list_sources(
    inputs: Sequence[str],
    *,
    relion_project: Path,
    limit: int | None = None,
    pattern: str | None = None,
    exclude: Sequence[str] = (),
    taken: Collection[str] = (),
    is_whole: bool = True,
    say: Say = lambda text: None,
    leave_out: Callable[[list[tuple[MicrographSource, str]]], None] = lambda others: None,
) -> list[MicrographSource]:
    """List the micrographs of all INPUTs, each file once, in the order of the INPUTs.

    An INPUT is a folder (searched below), a file, a glob, a list (text, STAR, ``.cs``) or a URL (``s3://``,
    ``gs://``, ``http(s)://``; searched below, a web server by its index pages). Files given
    one by one out of the same folder make one data set. Folders and globs are sorted by path,
    lists keep their order. A file that comes up again is kept where it came first. Every exposure comes
    once, as its best image (:mod:`~cryopick_ray.micrographs.exposure_choice`); STAR and ``.cs`` lists
    are selections already and are kept as they are.

    Parameters
    ----------
    relion_project
        Folder that names in STAR files, and the names given to RELION, are relative to.
    limit
        Keep the first so many.
    pattern, exclude
        What names must fit, and must not: paths below the INPUT's root where these have a ``/``.
    taken
        Ids of what was picked before: it stays the image of its exposure.
    is_whole
        Whether all files are there that will come.
    say
        Told what is left out.
    leave_out
        Given what shows no exposure or one that is listed by another image, and why, unless ``limit`` cuts.

    Raises
    ------
    UsageError
        An INPUT is missing, holds no micrographs or is of a kind that is not read; no name can be written
        into tables.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"a limit of {limit} micrographs; expected at least 1 (`limit`)")
    if not inputs:
        raise UsageError("no `inputs`; give a folder, a file, a glob in quotes, a text list or a STAR list")
    project = Path(os.path.abspath(relion_project))
    found = without_repeats(join_files([_data_set(text, project, say) for text in inputs]))
    datasets = fitting(found, pattern, exclude, say)
    listed, reasons, nothing = list[MicrographSource](), list[str](), list[tuple[MicrographSource, str]]()
    for dataset, name in zip(datasets, unique([dataset.name for dataset in datasets]), strict=True):
        prefix = f"{name}/" if len(datasets) > 1 else ""
        earlier = {one.removeprefix(prefix) for one in taken if one.startswith(prefix)}
        out = unwanted(dataset, earlier, is_whole=is_whole or pattern is not None, say=say)
        nothing += _without_image(dataset, name, prefix, project)
        listed += [_source(dataset, file, name, prefix, project) for file in dataset.files]
        reasons += [out[path].reason if path in out else "" for path in dataset.paths]
    told = list(zip(_told_apart(listed), reasons, strict=True))
    kept = [source for source, reason in told if not reason]
    others = [*((source, reason) for source, reason in told if reason), *nothing]
    if not kept:
        raise UsageError(
            f"no micrographs yet: {others[0][0].micrograph_id}: {others[0][1]}; `pattern` takes it"
        )
    if all(source.fault for source in kept):
        raise UsageError(kept[0].fault)
    if limit is None or len(kept) <= limit:
        leave_out(others)
    return kept[:limit]


def _told_apart(sources: list[MicrographSource]) -> list[MicrographSource]:
    """Give a name that is written as another file's own an end of its own."""
    names = {source.micrograph_id for source in sources if not source.fault}
    for place, source in enumerate(sources):
        if source.fault:
            name = source.micrograph_id
            while name in names:
                name += "~"
            names.add(name)
            sources[place] = replace(source, micrograph_id=name)
    return sources


def _source(
    dataset: DataSet, file: ListedMicrograph, name: str, prefix: str, project: Path
) -> MicrographSource:
    path = prefix + relative(file.path, dataset.root)
    called = file.name if dataset.kind in ("star", "remote") else relion_name(file.path, project)
    return MicrographSource(
        micrograph_id=escaped(path),
        dataset=escaped(name),
        path=file.path,
        relion_name=escaped(called),
        url=dataset.url,
        fault=fault_of(path) or fault_of(called) or fault_of(str(file.path)),
        **file.carried(),
    )


def _without_image(
    dataset: DataSet, name: str, prefix: str, project: Path
) -> list[tuple[MicrographSource, str]]:
    """Return what a list names that has no image, by its name there: it may lie outside the root."""
    taken = {prefix + path for path in dataset.paths}
    return [
        (
            MicrographSource(
                escaped(prefix + file.name),
                escaped(name),
                file.path,
                escaped(relion_name(file.path, project)),
            ),
            reason,
        )
        for file, reason in dataset.without_image
        if prefix + file.name not in taken
    ]


def _data_set(text: str, project: Path, say: Say) -> DataSet:
    if text.startswith("empiar:"):
        raise UsageError(f"`inputs` {text!r} is for `cryopick run` and `cryopick empiar`, alone")
    if "://" in text:
        return _remote(text)
    path = Path(os.path.abspath(text))
    if os.path.isdir(path):  # False, not an error, where one may not look
        files = _listed(path / name for name in list_folder(path))
        dataset = DataSet(_folder_name(path), path, files, "folder")
    elif os.path.exists(path):
        dataset = _file_or_list(text, path, project, say)
    elif any(character in text for character in "*?["):
        dataset = _glob(text, path)
    else:
        raise UsageError(f"`inputs` {text!r}: there is no such file or folder; {_looked_for()}")
    if not dataset.files:
        raise UsageError(f"`inputs` {text!r} has no micrographs; {_looked_for()}")
    return dataset


def _file_or_list(text: str, path: Path, project: Path, say: Say) -> DataSet:
    suffix, without_image = path.suffix.lower(), list[tuple[ListedMicrograph, str]]()
    if _is_image(path.name):
        return DataSet(_folder_name(path.parent), path.parent, _listed([path]), "file")
    if suffix in TEXT_LISTS:
        listed = read_text_list(path, Path.cwd())
    elif suffix in STAR_LISTS:
        listed = read_star_list(path, project, say)
    elif suffix in CS_LISTS:
        listed = read_cs_list(path, Path.cwd(), say, lambda *one: without_image.append(one))
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
    kind: Literal["star", "cs", "list"] = (
        "star" if suffix in STAR_LISTS else "cs" if suffix in CS_LISTS else "list"
    )
    return DataSet(path.stem, root, files, kind, without_image=tuple(without_image))


def _glob(text: str, pattern: Path) -> DataSet:
    parts = pattern.parts
    fixed = next(i for i, part in enumerate(parts) if any(character in part for character in "*?["))
    root = Path(*parts[:fixed])
    try:
        found = sorted(root.glob("/".join(parts[fixed:])))
    except (OSError, ValueError) as error:
        raise UsageError(f"`inputs` {text!r} cannot be searched: {error}") from error
    visible = (path for path in found if not any(part[0] == "." for part in path.relative_to(root).parts))
    named = [path for path in visible if not os.path.isdir(path)]
    files = _listed(path for path in named if _is_image(path.name))
    return DataSet(_folder_name(root), root, files, "folder")


def _remote(url: str) -> DataSet:
    root, below = list_remote(url)
    names = [name for name in below if _is_image(name)]
    if not names:
        raise UsageError(f"`inputs` {url!r} has no micrographs; {_looked_for()}")
    files = _listed(Path(name) for name in names)
    return DataSet(
        _folder_name(Path(root)), Path(), [replace(f, name=str(f.path)) for f in files], "remote", root
    )


def _listed(paths: Iterable[Path]) -> list[ListedMicrograph]:
    return [
        ListedMicrograph(path.name, path, kind="movie" if is_movie_name(path.name) else "micrograph")
        for path in paths
    ]


def _is_image(name: str) -> bool:
    return is_micrograph_name(name) or is_movie_name(name)


def _folder_name(folder: Path) -> str:
    return folder.name or "micrographs"  # the root folder has no name


def relion_name(path: Path, project: Path) -> str:
    """Return what RELION, run in ``project``, calls a file."""
    try:
        return relative(path, project)
    except ValueError:
        return path.as_posix()


def _looked_for() -> str:
    return f"looked for {' '.join(SUFFIXES)}"
