"""RELION STAR files: coordinates a micrograph, the list of them, and all particles in one."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryFile

from cryopick_ray.errors import PicksError
from cryopick_ray.formats.box import read_box
from cryopick_ray.formats.column_names import IN_STAR
from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.formats.export_paths import RELION_ENDINGS, complete, relative_path
from cryopick_ray.formats.filament_files import FILAMENT
from cryopick_ray.formats.format import ExportSettings, Format, Note
from cryopick_ray.formats.plain import read_plain
from cryopick_ray.formats.relion import lists
from cryopick_ray.formats.relion.helical import TRACK_A
from cryopick_ray.formats.relion.particle_optics import OpticsGroups
from cryopick_ray.formats.relion.particle_rows import read_rows
from cryopick_ray.formats.relion.particles import COORDINATES, ParticleRows, coordinate_rows, more_columns
from cryopick_ray.formats.star_text import loop, quoted
from cryopick_ray.store.publish import below, published, write_whole

FILES = ("rlnMicrographName", "rlnMicrographCoordinates")


def write_star(
    picks: Iterable[Coordinates],
    out: Path,
    settings: ExportSettings,
    *,
    file_of: Callable[[str], str] = "star/{}.star".format,
) -> None:
    """Write a file of coordinates a micrograph, ``autopick.star`` and ``particles.star`` below ``out``.

    Parameters
    ----------
    file_of
        Gives the coordinate file of a micrograph, below ``out``, by its id.

    Notes
    -----
    rlnCoordinateX and Y count pixels from 0 at the centre of the first pixel, column and row as stored, as
    ours do. A micrograph without picks gets an empty, valid file; a failed one gets none.
    ``autopick.star`` names files relative to ``relion_project``, or in full where they lie outside.
    Optics need pixel sizes: without one of every micrograph ``particles.star`` is left out.
    """
    say = settings.say
    groups = OpticsGroups(settings.optics, say)
    lost, sizeless, trackless = set[str](), list[str](), 0
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=out) as aside:
        particles = ParticleRows(aside)
        for written in write_files(picks, out, settings, _coordinates, file_of):
            one, name = written.particles, written.name
            has_size = one.micrograph.pixel_size_A is not None
            trackless += not has_size and FILAMENT in one.known
            if name is not None and not has_size:
                sizeless.append(written.micrograph_id)
            elif name is not None:
                group = groups.number(one.micrograph, one.diameter_A)
                more = written.columns[len(COORDINATES) :]
                lost.update(particles.add(one, name, group, more, written.rows))
        if sizeless:
            (out / "particles.star").unlink(missing_ok=True)
            say(f"particles.star is left out: pixel size of {sizeless[0]!r} is missing; give `pixel_size_A`")
        else:
            _write_particles(out / "particles.star", particles, groups, lost, say)
    if trackless:
        say(f"segments of {trackless} micrographs have no {TRACK_A}, which RELION needs: give `pixel_size_A`")


@dataclass(frozen=True)
class Written:
    """A micrograph's file that was written.

    Attributes
    ----------
    micrograph_id, particles
        Whose, and what.
    name
        The micrograph's name as a STAR word; ``None`` where no list can have it.
    columns, rows
        Of the file.
    """

    micrograph_id: str
    particles: Coordinates
    name: str | None
    columns: Sequence[str]
    rows: Sequence[str]


Rows = tuple[Sequence[str], Sequence[str]]
"""Columns of a file, and its rows."""


def write_files(
    picks: Iterable[Coordinates],
    out: Path,
    settings: ExportSettings,
    rows_of: Callable[[Coordinates], Rows],
    file_of: Callable[[str], str],
) -> Iterator[Written]:
    """Write a file a micrograph and their list, ``autopick.star``; yield what each is of.

    Parameters
    ----------
    rows_of
        What is in a micrograph's file.
    """
    project, say = (settings.relion_project or Path()).resolve(), settings.say
    out.mkdir(parents=True, exist_ok=True)
    true_out, outside = out.resolve(), 0
    with published(out / "autopick.star") as files:
        files.write(loop("coordinate_files", FILES))
        for micrograph_id, one in complete(picks, relative_path, say):
            place, name = file_of(str(micrograph_id)), None
            columns, rows = rows_of(one)
            text = loop("", columns) + "".join([f"{row}\n" for row in rows])
            write_whole(below(out, place), text)
            seen = _seen_from(project, true_out / place)
            try:
                name, where = quoted(one.micrograph.relion_name), quoted(seen)
                files.write(f"{name} {where}\n")
                outside += seen.startswith("/") or one.micrograph.relion_name.startswith("/")
            except PicksError as error:
                name = None
                say(f"{micrograph_id} is in neither autopick.star nor particles.star: {error}")
            yield Written(str(micrograph_id), one, name, columns, rows)
    if outside:
        say(
            f"autopick.star has full paths for {outside} micrographs or their coordinates, outside the "
            f"RELION project {project}: RELION 5 skips such without a word; check `relion_project` and `out`"
        )


def _coordinates(coordinates: Coordinates) -> Rows:
    more = more_columns(coordinates)
    return [*COORDINATES, *more], coordinate_rows(coordinates, more)


def read_star_file(path: Path, name: str, note: Note) -> Iterator[Coordinates]:
    """Yield the micrographs of a STAR file: that its rows name, that it lists the files of, or its own."""
    if lists.looks_like(path):
        yield from lists.read_list(path, lambda file, micrograph: _read_other(file, micrograph, note), note)
    else:
        yield from read_rows(path, name, note)


def _write_particles(
    path: Path, particles: ParticleRows, groups: OpticsGroups, lost: set[str], say: Note
) -> None:
    # Topaz reads the first block alone, so the particles come before their optics.
    with published(path, "wb") as file:
        without_ctf = particles.write(file)
        file.write(groups.text(has_images=particles.has_ctf).encode())
    if lost:
        say(f"particles.star has no {', '.join(sorted(lost))}, which only some of its micrographs have")
    if without_ctf:
        say(f"{without_ctf} particles in particles.star have a defocus of 0: `inputs` gives no CTF of theirs")


def _read_other(path: Path, name: str, note: Note) -> Iterator[Coordinates]:
    """Yield a micrograph of a file that a list of RELION names, which may be of another program."""
    return (read_box if path.suffix == ".box" else read_plain)(path, name, note)


def _seen_from(project: Path, path: Path) -> str:
    path = path.resolve()
    return str(PurePosixPath(path.relative_to(project) if path.is_relative_to(project) else path))


STAR = Format(
    name="star",
    title="RELION STAR",
    suffixes=(".star",),
    looks_like=lambda head: "data_" in head and "_rln" in head,
    read=read_star_file,
    write=write_star,
    holds=frozenset({"scores", "fractions", "empty", "folders", "columns"}),
    columns=IN_STAR,
    endings=RELION_ENDINGS,
)
