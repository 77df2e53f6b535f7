"""The files of a classification while it goes on: all that a stopped one goes on from."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cryopick_ray.particles.classes.model import ClassModel, ClassSums
from cryopick_ray.particles.classes.schedule import pack, unpack
from cryopick_ray.particles.images import digest_of
from cryopick_ray.particles.particle_star import Particles
from cryopick_ray.store.publish import below, whole, write_whole

WORK = ".classify"


@dataclass(frozen=True)
class WorkFiles:
    """What lies in ``.classify`` below a folder: images ready to compare, models, and sums of parts."""

    out: Path

    def images(self, part: int) -> Path:
        """Return the file of the ``(n, f)`` complex64 components of a part's images."""
        return self._path(f"images/{part:04d}.npy")

    def ctfs(self, part: int) -> Path:
        """Return the file of the ``(n, f)`` float32 CTFs of a part."""
        return self._path(f"ctfs/{part:04d}.npy")

    def priors(self, part: int) -> Path:
        """Return the file of the ``(n,)`` directions of a part's segments, NaN where none is known."""
        return self._path(f"priors/{part:04d}.npy")

    def sums(self, iteration: int, part: int) -> Path:
        """Return the archive of what a part added up to, and of its poses."""
        return self._path(f"sums_{iteration:03d}/{part:04d}.npz")

    def model(self, iteration: int) -> Path:
        """Return the archive of the model after an iteration."""
        return self._path(f"model_{iteration:03d}.npz")

    def are_of(self, particles: Particles) -> bool:
        """Tell whether what lies here, if anything, is of these particles; note that all to come is."""
        path, digest = self._path("particles"), digest_of(particles)
        is_begun = any(path.parent.iterdir()) if path.parent.is_dir() else False
        if is_begun and not (path.is_file() and path.read_text() == digest):
            return False
        write_whole(path, digest)
        return True

    def _path(self, name: str) -> Path:
        return below(self.out, f"{WORK}/{name}")


def write_array(path: Path, values: NDArray[Any]) -> None:
    """Write an array that can be mapped; it appears whole."""
    with whole(path) as aside, aside.open("wb") as file:
        np.save(file, values)


def write_sums(path: Path, sums: ClassSums, **poses: NDArray[Any]) -> None:
    """Write what a part added up to."""
    arrays = {field.name: getattr(sums, field.name).cpu().numpy() for field in fields(sums)}
    write_whole(path, pack(**arrays, **poses))


def read_sums(path: Path) -> ClassSums:
    """Return what a part added up to."""
    found = unpack(path)
    return ClassSums(*(torch.from_numpy(found[field.name]) for field in fields(ClassSums)))


def write_model(path: Path, model: ClassModel) -> None:
    """Write a model."""
    arrays = {field.name: np.asarray(getattr(model, field.name)) for field in fields(model)}
    write_whole(path, pack(**arrays))


def read_model(path: Path) -> ClassModel:
    """Return a model."""
    found = unpack(path)
    pictures, noise = (torch.from_numpy(found[name]) for name in ("pictures", "noise"))
    return ClassModel(pictures, noise, float(found["offset_sigma_A"]), float(found["radius"]))
