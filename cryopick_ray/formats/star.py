"""RELION STAR files: coordinates a micrograph, the list of them, and all particles in one."""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from tempfile import TemporaryFile

from cryopick_ray.errors import PicksError
from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.formats.files import complete, relative_path
from cryopick_ray.formats.star_text import loop, quoted
from cryopick_ray.store.publish import below, published
from cryopick_ray.units import Optics

COORDINATES = ("rlnCoordinateX", "rlnCoordinateY", "rlnAutopickFigureOfMerit")
FILES = ("rlnMicrographName", "rlnMicrographCoordinates")
PARTICLES = ("rlnMicrographName", *COORDINATES, "rlnOpticsGroup")
OPTICS = (
    "rlnOpticsGroupName",
    "rlnOpticsGroup",
    "rlnMicrographOriginalPixelSize",
    "rlnMicrographPixelSize",
    "rlnVoltage",
    "rlnSphericalAberration",
    "rlnAmplitudeContrast",
)


@dataclass
class OpticsGroups:
    """The optics groups met so far: one for each data set, pixel size and microscope, numbered from 1."""

    default: Optics
    numbers: dict[tuple[str, float, Optics], int] = field(default_factory=dict)

    def number(self, one: Coordinates) -> int:
        """Return the group of a micrograph; pixel sizes agree when equal to 1e-4 angstroms."""
        micrograph = one.micrograph
        if micrograph.pixel_size_A is None:
            raise PicksError(
                f"pixel size of {micrograph.micrograph_id!r} is missing, expected angstroms:"
                " ingest it again with `pixel_size_A`"
            )
        key = micrograph.dataset, round(micrograph.pixel_size_A, 4), micrograph.optics or self.default
        return self.numbers.setdefault(key, len(self.numbers) + 1)

    def _names(self) -> list[str]:
        """Return a name for each group: as much of data set, pixel size and number as tells them apart."""
        full = [(dataset, f"{dataset}_{size_A:.4f}A") for dataset, size_A, _ in self.numbers]
        short, long = ([pair[which] for pair in full] for which in (0, 1))
        return [
            one if short.count(one) == 1 else other if long.count(other) == 1 else f"{other}_{number}"
            for number, (one, other) in enumerate(full, 1)
        ]

    def text(self) -> str:
        """Return the ``data_optics`` block; RELION's ObservationModel refuses one without the microscope."""
        names = self._names()
        rows = []
        for (_, size_A, microscope), number in self.numbers.items():
            name = names[number - 1]
            rows.append(
                f"{quoted(name)} {number} {size_A:.6f} {size_A:.6f} {microscope.voltage_kV:.6f}"
                f" {microscope.spherical_aberration_mm:.6f} {microscope.amplitude_contrast:.6f}\n"
            )
        return loop("optics", OPTICS) + "".join(rows) + "\n"


def write_star(
    picks: Iterable[Coordinates],
    out: Path,
    relion_project: Path | None = None,
    optics: Optics | None = None,
    *,
    file_of: Callable[[str], str] = "star/{}.star".format,
) -> None:
    """Write a file of coordinates a micrograph, ``autopick.star`` and ``particles.star`` below ``out``.

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
    file_of
        Where the coordinates of a micrograph lie below ``out``, given its id.

    Notes
    -----
    rlnCoordinateX and Y count pixels from 0 at the centre of the first pixel, column and row as stored, as
    ours do. A micrograph without picks gets an empty, valid file; a failed one gets none.
    """
    project = (relion_project or Path()).resolve()
    groups = OpticsGroups(optics or Optics())
    out.mkdir(parents=True, exist_ok=True)
    with published(out / "autopick.star") as files, TemporaryFile("w+", dir=out, encoding="utf-8") as rows:
        files.write(loop("coordinate_files", FILES))
        for micrograph_id, one in complete(picks, relative_path):
            path = below(out, file_of(str(micrograph_id)))
            name = quoted(one.micrograph.relion_name)
            files.write(f"{name} {quoted(_seen_from(project, path))}\n")
            group = groups.number(one)
            with published(path) as file:
                file.write(loop("", COORDINATES))
                for x, y, score in one.rows():
                    row = f"{x:.3f} {y:.3f} {score:.7g}"
                    file.write(f"{row}\n")
                    rows.write(f"{name} {row} {group}\n")
        # The optics block comes first but is known last, hence the rows aside.
        with published(out / "particles.star") as file:
            file.write(groups.text() + loop("particles", PARTICLES))
            rows.seek(0)
            shutil.copyfileobj(rows, file, 1 << 20)


def _seen_from(project: Path, path: Path) -> str:
    path = path.resolve()
    return str(PurePosixPath(path.relative_to(project) if path.is_relative_to(project) else path))
