"""Images of particles out of their stacks, which are mapped, never loaded whole."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import CryoPickError, PicksError, brief
from cryopick_ray.micrographs.mrc_header import HEADER_BYTES, parse_header
from cryopick_ray.particles.particle_star import Particles


def read_images(particles: Particles, places: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
    """Return the ``(len(places), box_px, box_px)`` images of some particles, by their places.

    Raises
    ------
    PicksError
        A stack is missing or damaged, has other boxes than its STAR file says, fewer images than it names,
        or values that are not finite.
    """
    side = particles.box_px
    images = np.empty((len(places), side, side), np.float32)
    file, frame = particles.file[places], particles.frame[places]
    for number in np.unique(file):
        here = np.flatnonzero(file == number)
        path = particles.files[number]
        stack = open_stack(path)
        if stack.shape[1:] != (side, side):
            raise PicksError(
                f"{path} has images of {stack.shape[2]} x {stack.shape[1]} pixels, expected {side} x {side} "
                f"as {particles.path} says"
            )
        if (last := int(frame[here].max())) >= len(stack):
            raise PicksError(f"{path} has {len(stack)} images, {particles.path} names number {last + 1}")
        images[here] = stack[frame[here]]
    if not np.isfinite(images).all():
        raise PicksError(f"{particles.path} has images with values that are not finite; extract them again")
    return images


def batches(particles: Particles, size: int) -> Iterator[NDArray[np.int64]]:
    """Yield the places of all particles, ``size`` at a time, in order."""
    for start in range(0, len(particles), size):
        yield np.arange(start, min(start + size, len(particles)))


def digest_of(particles: Particles) -> str:
    """Return what tells particles of a file from others, and their stacks from ones made anew."""
    found = hashlib.sha256(particles.path.read_bytes())
    for file in particles.files:
        about = file.stat() if file.is_file() else None
        found.update(f"{file} {about and (about.st_size, about.st_mtime_ns)}".encode())
    return found.hexdigest()


def open_stack(path: Path) -> NDArray[Any]:
    """Return the ``(n, h, w)`` images of an MRC stack as stored, mapped and read-only.

    Raises
    ------
    PicksError
        There is none, or it is shorter than its header promises.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise PicksError("it is no file")
        with path.open("rb") as file:
            there = os.fstat(file.fileno()).st_size
            header = parse_header(file.read(HEADER_BYTES), there)
            if header.is_packed or there < header.data_offset + header.sections * header.data_bytes:
                raise PicksError(
                    f"it has {there} bytes, too few for the {header.sections} images it promises"
                )
            shape = (header.sections, *header.shape)
            return np.memmap(file, header.dtype, "r", header.data_offset, shape)
    except (OSError, CryoPickError) as error:
        raise PicksError(f"{path} is no stack that can be read: {brief(error)}") from error
