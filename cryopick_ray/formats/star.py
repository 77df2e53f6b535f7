"""RELION STAR files: coordinates a micrograph, the list of them, and all particles in one."""

from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from tempfile import TemporaryFile

from cryopick_ray.errors import PicksError
from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.formats.files import complete, relative_path
from cryopick_ray.formats.relion.optics import OpticsGroups
from cryopick_ray.formats.relion.particles import COORDINATES, ParticleRows, coordinate_rows, more_columns
from cryopick_ray.formats.star_text import loop, quoted
from cryopick_ray.store.publish import below, published
from cryopick_ray.units import Optics

FILES = ("rlnMicrographName", "rlnMicrographCoordinates")


def write_star(
    picks: Iterable[Coordinates],
    out: Path,
    relion_project: Path | None = None,
    optics: Optics | None = None,
    *,
    whole_px: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> None:
    """Write ``star/<micrograph id>.star``, ``autopick.star`` and ``particles.star`` below ``out``.

    Parameters
    ----------
    picks
        Micrographs in table order; read once, one at a time.
    out
        Folder, made where missing.
    relion_project
        Folder in which RELION will run; ``autopick.star`` names files relative to it, or in full where
        they lie outside. The working folder where ``None``.
    optics
        Microscope of the micrographs whose own is unknown.
    whole_px
        Round coordinates to whole pixels: RELION and Topaz cut fractions off, half a pixel on average.
    say
        Told what these files cannot hold, and what RELION will not find.

    Notes
    -----
    rlnCoordinateX and Y count pixels from 0 at the centre of the first pixel, column and row as stored, as
    ours do. A micrograph without picks gets an empty, valid file; a failed one gets none.
    """
    project = (relion_project or Path()).resolve()
    groups = OpticsGroups(optics or Optics(), say)
    out.mkdir(parents=True, exist_ok=True)
    outside, lost = 0, set[str]()
    with published(out / "autopick.star") as files, TemporaryFile("w+", dir=out, encoding="utf-8") as rows:
        particles = ParticleRows(rows)
        files.write(loop("coordinate_files", FILES))
        for micrograph_id, one in complete(picks, relative_path):
            path, more = below(out, f"star/{micrograph_id}.star"), more_columns(one)
            group, seen = groups.number(one.micrograph, one.diameter_A), _seen_from(project, path)
            with published(path) as file:
                file.write(loop("", (*COORDINATES, *more)))
                file.writelines(f"{row}\n" for row in coordinate_rows(one, more, whole_px))
            try:
                name, place = quoted(one.micrograph.relion_name), quoted(seen)
            except PicksError as error:
                say(f"{micrograph_id} is in neither autopick.star nor particles.star: {error}")
                continue
            files.write(f"{name} {place}\n")
            lost.update(particles.add(one, name, group, whole_px))
            outside += seen.startswith("/") or one.micrograph.relion_name.startswith("/")
        # Topaz reads the first block alone, so the particles come before their optics.
        with published(out / "particles.star") as file:
            without_ctf = particles.write(file)
            file.write(groups.text(has_ctf=particles.has_ctf))
    if lost:
        say(f"particles.star has no {', '.join(sorted(lost))}, which only some of its micrographs have")
    if without_ctf:
        say(f"{without_ctf} particles in particles.star have a defocus of 0: `inputs` gives no CTF of theirs")
    if outside:
        say(
            f"autopick.star has full paths for {outside} micrographs or their coordinates, outside the "
            f"RELION project {project}: RELION 5 skips such without a word; check `relion_project` and `out`"
        )


def _seen_from(project: Path, path: Path) -> str:
    path = path.resolve()
    return str(PurePosixPath(path.relative_to(project) if path.is_relative_to(project) else path))
