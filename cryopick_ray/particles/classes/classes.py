"""Classes with their averages and qualities: what a classification, ours or RELION's, comes to."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
from numpy.typing import NDArray

from cryopick_ray.formats.star_text import loop, word
from cryopick_ray.particles.classes.class_quality import ClassMeasures
from cryopick_ray.particles.particle_star import Particles, write_particles
from cryopick_ray.passes.bad_classes import HEAD, QUALITIES, Quality
from cryopick_ray.store.publish import published, whole, write_whole

CLASSES_CSV, CLASSES_JSON, KEPT = "classes.csv", "classes.json", "kept.star"


@dataclass(frozen=True, eq=False)
class Classes:
    """``k`` classes of ``n`` particles.

    Attributes
    ----------
    averages
        ``(k, box_px, box_px)`` float32, particles bright, background 0.
    label
        ``(n,)`` class of each particle, from 0; RELION's rlnClassNumber is one more.
    psi_deg, origin_A, probability
        ``(n,)``, ``(n, 2)``, ``(n,)``: RELION's rlnAnglePsi, rlnOriginX/YAngst, rlnMaxValueProbDistribution.
    measured
        What is measured of each class.
    likeness
        ``(k,)`` probability that a class shows particles.
    quality
        Of each class.
    """

    averages: NDArray[np.float32]
    label: NDArray[np.int64]
    psi_deg: NDArray[np.float64]
    origin_A: NDArray[np.float64]
    probability: NDArray[np.float64]
    measured: ClassMeasures
    likeness: NDArray[np.float64]
    quality: Sequence[Quality]

    @property
    def ranking(self) -> list[int]:
        """Classes that have particles, the likeliest first."""
        order = np.lexsort((-self.measured.particles, -self.likeness))
        return [int(one) for one in order if self.measured.particles[one] > 0]

    def counts(self) -> dict[str, int]:
        """Return particles by the quality of their class."""
        names = np.array(self.quality)[self.label]
        return {name: int((names == name).sum()) for name in QUALITIES}

    def places(self, worst: Quality) -> NDArray[np.int64]:
        """Return which particles are in classes as good as ``worst`` or better."""
        kept = np.array([QUALITIES.index(one) <= QUALITIES.index(worst) for one in self.quality])
        return np.flatnonzero(kept[self.label])

    def rows(self) -> list[dict[str, Any]]:
        """Return a plain row for each class, in the order of their numbers."""
        table = self.measured.table()
        return [
            {
                "class": number + 1,
                "quality": self.quality[number],
                "likeness": round(float(self.likeness[number]), 4),
                **{name: round(float(values[number]), 4) for name, values in table.items()},
                "particles": int(table["particles"][number]),
            }
            for number in range(len(self.quality))
        ]


def write_classes(out: Path, root: str, particles: Particles, classes: Classes) -> list[str]:
    """Write RELION's files and ours; return what a person should know of them.

    ``ROOT_data.star``, ``ROOT_classes.mrcs`` and ``ROOT_model.star`` are what RELION's own classification
    leaves; ``classes.csv`` is what ``cryopick table`` takes to leave out bad classes.
    """
    stack = out / f"{root}_classes.mrcs"
    with whole(stack) as aside, mrcfile.new(aside, overwrite=True) as mrc:
        mrc.set_data(classes.averages)
        mrc.set_image_stack()
        mrc.voxel_size = particles.pixel_size_A
        # The label holds the time of writing.
        mrc.header.label = b""
        mrc.header.nlabl = 0
    write_particles(out / f"{root}_data.star", particles, _columns(classes))
    _write_model(out / f"{root}_model.star", stack, particles, classes)
    return _write_csv(out / CLASSES_CSV, particles, classes)


def write_kept(out: Path, particles: Particles, classes: Classes, worst: Quality) -> int:
    """Write the particles of classes that are good enough as ``kept.star``; return how many they are."""
    places = classes.places(worst)
    columns = {name: values[places] for name, values in _columns(classes).items()}
    write_particles(out / KEPT, particles.of(places), columns)
    return len(places)


def write_json(path: Path, told: dict[str, Any]) -> None:
    """Write plain data."""
    write_whole(path, json.dumps(told, indent=1) + "\n")


def _columns(classes: Classes) -> dict[str, NDArray[Any]]:
    none = np.zeros(len(classes.label))
    return {
        "rlnClassNumber": classes.label + 1,
        "rlnAngleRot": none,
        "rlnAngleTilt": none,
        "rlnAnglePsi": classes.psi_deg,
        "rlnOriginXAngst": classes.origin_A[:, 0],
        "rlnOriginYAngst": classes.origin_A[:, 1],
        "rlnMaxValueProbDistribution": classes.probability,
    }


def _write_model(path: Path, stack: Path, particles: Particles, classes: Classes) -> None:
    share = classes.measured.particles / max(1, len(classes.label))
    general = {
        "rlnReferenceDimensionality": ["2"],
        "rlnDataDimensionality": ["2"],
        "rlnOriginalImageSize": [str(particles.box_px)],
        "rlnPixelSize": [f"{particles.pixel_size_A:.6f}"],
        "rlnNrClasses": [str(len(share))],
    }
    own = {
        "rlnReferenceImage": [word(f"{number + 1:06d}@{stack}") for number in range(len(share))],
        "rlnClassDistribution": [f"{one:.6f}" for one in share],
        "rlnEstimatedResolution": [f"{one:.6f}" for one in classes.measured.resolution_A],
    }
    with published(path) as file:
        for name, columns in (("model_general", general), ("model_classes", own)):
            file.write(loop(name, columns))
            file.writelines(" ".join(words) + "\n" for words in zip(*columns.values(), strict=True))
            file.write("\n")


def _write_csv(path: Path, particles: Particles, classes: Classes) -> list[str]:
    places, names = particles.picked_px, particles.micrographs
    if places is None or names is None:
        return [f"{particles.path} has no coordinates in micrographs: no {path.name} for the table of picks"]
    with published(path) as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(HEAD)
        for name, (x, y), label in zip(names, places.round(3).tolist(), classes.label.tolist(), strict=True):
            rows.writerow((name, f"{x:.9g}", f"{y:.9g}", label + 1, classes.quality[label]))
    return []
