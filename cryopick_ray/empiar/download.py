"""An entry's files on this machine: listed, chosen, fetched or streamed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryopick_ray.empiar.checks import orientation_note
from cryopick_ray.empiar.download_manifest import Manifest
from cryopick_ray.empiar.entry import Entry, ImageSet, choose_image_set
from cryopick_ray.empiar.fetcher import Fetcher, FetchEvents
from cryopick_ray.empiar.rows import FileRow
from cryopick_ray.empiar.source import EmpiarSource, find_directory
from cryopick_ray.empiar.stream import Stream
from cryopick_ray.transfer.names import matches
from cryopick_ray.transfer.response import FileSource
from cryopick_ray.transfer.transfer_errors import MissingError

SHOWN = 5
"""Gain references that are named to a person."""


@dataclass(frozen=True)
class Wanted:
    """Which files of an entry.

    Attributes
    ----------
    image_set
        Number or name; ``None`` for micrographs before movies.
    pattern
        What names must fit.
    exclude
        What they must not fit.
    limit
        The first so many, by path.
    all_roles
        Whether what fits the pattern may be anything; else micrographs, or movies where there are none.
    """

    image_set: str | None = None
    pattern: str | None = None
    limit: int | None = None
    all_roles: bool = False
    exclude: tuple[str, ...] = ()

    def fits(self, path: str) -> bool:
        """Tell whether a path below the entry has a name that is asked for."""
        is_asked = self.pattern is None or matches(path, self.pattern)
        return is_asked and not any(matches(path, one) for one in self.exclude)


@dataclass(frozen=True)
class Chosen:
    """What was chosen of an entry.

    Attributes
    ----------
    role
        Of all files, or ``None`` if it was not asked for.
    gains
        Gain references of the image set, the first few: kept apart from its images.
    counts
        Files below the set's folder by role.
    """

    entry: Entry
    image_set: ImageSet
    files: FileSource
    folder: str
    role: str | None
    gains: tuple[FileRow, ...]
    counts: dict[str, int]


def choose(
    source: EmpiarSource, entry_id: str, manifest: Manifest, wanted: Wanted, say: Callable[[str], None]
) -> Chosen:
    """List an entry's files, unless that is done, and choose among them in the manifest.

    Parameters
    ----------
    say
        Told what was decided and why, for a person.

    Raises
    ------
    UsageError
        The entry has no such image set.
    MissingError
        Nothing fits.
    """
    entry = source.entry(entry_id)
    image_set, why = choose_image_set(entry, wanted.image_set)
    say(why)
    if note := orientation_note(image_set.details):
        say(f"the depositor says of orientation: {note}")
    files = source.files(entry_id)
    folder = _list(files, manifest, image_set, say)
    counts = manifest.counts(folder)
    role = None if wanted.all_roles else _role(counts, image_set, is_asked=wanted.image_set is not None)
    manifest.select(folder, role=role, fits=wanted.fits, limit=wanted.limit)
    if not manifest.summary():
        held = ", ".join(f"{number} {name}" for name, number in sorted(counts.items())) or "nothing"
        raise MissingError(
            f"{files.url}/{folder} has no {role or 'file'} to take"
            f"{f' that fits {wanted.pattern!r}' if wanted.pattern else ''}; it holds {held}"
        )
    chosen = Chosen(
        entry, image_set, files, folder, role, tuple(manifest.of_role(folder, "gain", SHOWN)), counts
    )
    for line in _remarks(chosen):
        say(line)
    return chosen


def fetch(source: EmpiarSource, chosen: Chosen, manifest: Manifest, events: FetchEvents) -> None:
    """Fetch all chosen files to the manifest's folder and keep them."""
    fetcher = Fetcher(chosen.files, manifest, events, connections=source.connections, stop=source.stop)
    with fetcher:
        fetcher.wait()


@contextmanager
def open_stream(
    source: EmpiarSource,
    entry_id: str,
    folder: Path,
    wanted: Wanted,
    events: FetchEvents,
    *,
    keep_bytes: int,
    keep_files: bool = False,
    say: Callable[[str], None],
) -> Iterator[tuple[Chosen, Stream]]:
    """Hand out the images of an entry as they come, at most ``keep_bytes`` of them in ``folder`` at a time.

    Examples
    --------
    >>> opened = open_stream(source, "10017", folder, Wanted(), events, keep_bytes=10**11, say=print)
    >>> with opened as (_, stream):
    ...     for batch in stream.batches(16):
    ...         ingest([file.path for file in batch])
    ...         stream.done(file.remote_path for file in batch)
    """
    folder.mkdir(parents=True, exist_ok=True)
    with Manifest(folder, entry_id) as manifest:
        chosen = choose(source, entry_id, manifest, wanted, say)
        stream = Stream(
            chosen.files,
            manifest,
            events,
            keep_bytes=keep_bytes,
            keep_files=keep_files,
            connections=source.connections,
            stop=source.stop,
        )
        with stream:
            yield chosen, stream


def _list(files: FileSource, manifest: Manifest, image_set: ImageSet, say: Callable[[str], None]) -> str:
    """Return the folder of an image set, its files listed in the manifest."""
    directory = image_set.directory
    name = f"{directory}, {image_set.frames} frames, {image_set.data_format}"
    listed = manifest.listed_folder(name)
    if listed is not None:
        return listed
    folder, found = find_directory(files, directory)
    if folder != directory:
        say(f"the declared folder {directory!r} is not there; {folder!r} is taken")
    manifest.list_files(found, frames=image_set.frames, data_format=image_set.data_format)
    counts = manifest.counts(folder)
    images = sum(counts.get(role, 0) for role in ("micrograph", "movie", "duplicate"))
    if image_set.count is None or images >= image_set.count:
        manifest.note_listed(name, folder)
    else:  # an archive's index pages are not always complete: the next run asks again
        say(f"{images} images are listed, the entry declares {image_set.count}")
    return folder


def _role(counts: dict[str, int], image_set: ImageSet, *, is_asked: bool) -> str:
    """Return what is taken of averages and movies in one folder: averages, unless movies are asked."""
    wishes = ["micrograph", "movie"]
    if is_asked and image_set.kind == "movies":
        wishes.reverse()
    return next((role for role in wishes if counts.get(role)), wishes[0])


def _remarks(chosen: Chosen) -> Iterator[str]:
    counts = chosen.counts
    if chosen.role:
        other = "movie" if chosen.role == "micrograph" else "micrograph"
        left = f"; {other}s left out: {counts[other]}" if other in counts else ""
        yield f"{chosen.role}s in {chosen.folder}: {counts[chosen.role]}{left}"
    if chosen.gains:
        names = ", ".join(row.path for row in chosen.gains)
        yield f"gain references, kept apart: {counts['gain']} ({names})"
    if "duplicate" in counts:
        yield f"other images of the same exposures, left out: {counts['duplicate']}"
    if "archive" in counts:
        yield f"archives (zip, tar), left out: {counts['archive']}; `pattern` fetches them"
    if "refused" in counts:
        yield f"names that are not believed, refused: {counts['refused']}"
