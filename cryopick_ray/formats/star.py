"""RELION STAR files: coordinates a micrograph, the list of them, and all particles in one."""

import math
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from tempfile import TemporaryFile

from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.formats.files import complete, relative_path
from cryopick_ray.formats.format import ExportSettings
from cryopick_ray.formats.star_text import loop, quoted
from cryopick_ray.store.publish import below, published
from cryopick_ray.units import Optics

COORDINATES = ("rlnCoordinateX", "rlnCoordinateY", "rlnAutopickFigureOfMerit")
BY_HAND = -999.0
"""RELION's merit of a particle that has none."""
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
        assert micrograph.pixel_size_A is not None
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


def write_star(picks: Iterable[Coordinates], out: Path, settings: ExportSettings) -> None:
    """Write ``star/<micrograph id>.star``, ``autopick.star`` and ``particles.star`` below ``out``.

    Notes
    -----
    rlnCoordinateX and Y count pixels from 0 at the centre of the first pixel, column and row as stored, as
    ours do. A micrograph without picks gets an empty, valid file; a failed one gets none.
    ``autopick.star`` names files relative to ``relion_project``, or in full where they lie outside.
    Optics need pixel sizes: without one of every micrograph ``particles.star`` is left out.
    """
    project = (settings.relion_project or Path()).resolve()
    groups = OpticsGroups(settings.optics)
    unknown: list[str] = []
    out.mkdir(parents=True, exist_ok=True)
    with published(out / "autopick.star") as files, TemporaryFile("w+", dir=out, encoding="utf-8") as rows:
        files.write(loop("coordinate_files", FILES))
        for micrograph_id, one in complete(picks, relative_path):
            path = below(out, f"star/{micrograph_id}.star")
            name = quoted(one.micrograph.relion_name)
            files.write(f"{name} {quoted(_seen_from(project, path))}\n")
            if one.micrograph.pixel_size_A is None:
                unknown.append(micrograph_id.as_posix())
            group = 0 if unknown else groups.number(one)
            with published(path) as file:
                file.write(loop("", COORDINATES))
                for x, y, score in one.rows():
                    merit = score if math.isfinite(score) else BY_HAND
                    row = f"{x:.3f} {y:.3f} {merit:.7g}"
                    file.write(f"{row}\n")
                    rows.write(f"{name} {row} {group}\n")
        if unknown:
            settings.say(
                f"particles.star is left out: pixel size of {unknown[0]!r} is missing; give `pixel_size_A`"
            )
            (out / "particles.star").unlink(missing_ok=True)
            return
        # The optics block comes first but is known last, hence the rows aside.
        with published(out / "particles.star") as file:
            file.write(groups.text() + loop("particles", PARTICLES))
            rows.seek(0)
            shutil.copyfileobj(rows, file, 1 << 20)


def _seen_from(project: Path, path: Path) -> str:
    path = path.resolve()
    return str(PurePosixPath(path.relative_to(project) if path.is_relative_to(project) else path))
