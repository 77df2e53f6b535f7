"""A STAR file of particles with images: what classification and reconstruction begin with and add to."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import PicksError, brief
from cryopick_ray.formats.relion.particle_rows import IMAGE, ORIGINS_A, X, Y
from cryopick_ray.formats.star_text import loop, word
from cryopick_ray.micrographs.optics_groups import (
    ABERRATION,
    CONTRAST,
    IMAGE_SIZE,
    ORIGINAL_SIZE,
    PIXEL_SIZE,
    VOLTAGE,
    Group,
    groups_of,
    number,
    positive,
)
from cryopick_ray.micrographs.star_blocks import Block, read_star
from cryopick_ray.micrographs.star_list import MICROGRAPH
from cryopick_ray.particles.particle_ctf import CtfParameters
from cryopick_ray.project import found_above
from cryopick_ray.store.publish import published

DEFOCUS = ("rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle")
PHASE_SHIFT, SUBSET, CLASS = "rlnPhaseShift", "rlnRandomSubset", "rlnClassNumber"
ANGLES = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")
SIDE = "rlnImageSize"
PLACE = re.compile(r"(\d{1,9})@(.+)")
LARGEST_BOX_PX = 4096
NOT_USED = (
    "rlnBeamTiltX",
    "rlnBeamTiltY",
    "rlnOddZernike",
    "rlnEvenZernike",
    "rlnMagMat00",
    "rlnMtfFileName",
)
"""Of optics groups: told where they say anything, for nothing here corrects it."""


@dataclass(frozen=True, eq=False)
class Particles:
    """Particles with images, of one pixel size and one box.

    Attributes
    ----------
    path
        The STAR file.
    rows, optics
        Its columns, every value the word that stands there; optics groups are block and columns, too.
    files, file, frame
        Stacks, and for each particle ``(n,)`` which of them and which image in it, from 0.
    pixel_size_A, box_px
        Of the images.
    ctf
        ``None`` if the file has no defocus.
    notes
        What the file says and is not used.
    """

    path: Path
    rows: Block
    optics: Block
    files: tuple[Path, ...]
    file: NDArray[np.int64]
    frame: NDArray[np.int64]
    pixel_size_A: float
    box_px: int
    ctf: CtfParameters | None
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        """Return the number of particles."""
        return len(self.frame)

    def of(self, places: NDArray[Any]) -> "Particles":
        """Return some of the particles, by their places in ``rows``, in that order."""
        chosen = np.arange(len(self))[places]
        rows = {name: [words[place] for place in chosen] for name, words in self.rows.items()}
        ctf = None if self.ctf is None else self.ctf.of(chosen)
        return replace(self, rows=rows, file=self.file[chosen], frame=self.frame[chosen], ctf=ctf)

    @cached_property
    def origin_A(self) -> NDArray[np.float64]:
        """``(n, 2)`` shifts in x and y that bring particles to the middle, pixel ``box_px // 2``."""
        return np.stack([self.numbers(name, 0.0) for name in ORIGINS_A], axis=1)

    @cached_property
    def angles_deg(self) -> NDArray[np.float64] | None:
        """``(n, 3)`` rlnAngleRot, Tilt and Psi; ``None`` if the file has no views."""
        if not all(name in self.rows for name in ANGLES):
            return None
        return np.stack([self.numbers(name) for name in ANGLES], axis=1)

    @cached_property
    def subset(self) -> NDArray[np.int64] | None:
        """``(n,)`` 1 or 2: which half a particle is in; ``None`` if the file does not say."""
        return self.numbers(SUBSET).astype(np.int64) if SUBSET in self.rows else None

    @cached_property
    def xy_px(self) -> NDArray[np.float64] | None:
        """``(n, 2)`` rlnCoordinateX and Y in pixels of the micrograph; ``None`` if the file has none."""
        if X not in self.rows or Y not in self.rows:
            return None
        return np.stack([self.numbers(name) for name in (X, Y)], axis=1)

    @property
    def picked_px(self) -> NDArray[np.float64] | None:
        """``(n, 2)`` x, y where particles were picked, in pixels of the micrograph; ``None`` if not known.

        Boxes lie on whole pixels, maybe of a coarser image. Origins within half a pixel of the images are
        what that left; once one is larger, a program has looked for centres, and those of boxes are meant.
        """
        places = self.xy_px
        if places is None or np.abs(self.origin_A).max() > self.pixel_size_A * (0.5 + 1e-3):
            return places
        groups = groups_of(self.rows, self.optics or None, lambda text: None)
        sizes_A = [positive(group.get(PIXEL_SIZE)) or positive(group.get(ORIGINAL_SIZE)) for group in groups]
        known = np.array([math.inf if size_A is None else size_A for size_A in sizes_A])
        return np.asarray(places - self.origin_A / known[:, None])

    @property
    def micrographs(self) -> Sequence[str] | None:
        """``(n,)`` rlnMicrographName; ``None`` if the file has none."""
        return self.rows.get(MICROGRAPH)

    def numbers(self, column: str, default: float | None = None) -> NDArray[np.float64]:
        """Return a column as ``(n,)`` finite numbers; ``default`` for all if the file lacks it.

        Raises
        ------
        PicksError
            It is missing, or holds something else.
        """
        if column not in self.rows:
            if default is None:
                raise PicksError(f"{self.path} has no {column}, which is needed here")
            return np.full(len(self), default)
        return _numbers(self.path, column, self.rows[column])


def read_particles(path: Path) -> Particles:
    """Read the particles of a STAR file of RELION 3.1 or later, or of ours.

    Stacks are found from the RELION project, from here, or from a folder above the file.

    Raises
    ------
    PicksError
        It cannot be read, names no images, or images differ in pixel size or box.
    """
    try:
        blocks = read_star(path)
        rows = next((block for name, block in blocks.items() if name != "optics" and IMAGE in block), None)
        if rows is None:
            raise ValueError(f"no block with {IMAGE}, the images of particles; `cryopick extract` makes them")
        if not rows[IMAGE]:
            raise ValueError("no particle is in it")
        optics = blocks.get("optics")
        notes: list[str] = []
        groups = groups_of(rows, optics, notes.append)
    except (OSError, ValueError) as error:
        raise PicksError(f"{path} holds no particles that can be read: {brief(error)}") from error
    pixel_size_A = _one(path, groups, IMAGE_SIZE, positive)
    side = _one(path, groups, SIDE, positive)
    if side != int(side) or not 4 <= side <= LARGEST_BOX_PX or side % 2:
        raise PicksError(f"{path} has boxes of {side:g} pixels; expected an even number to {LARGEST_BOX_PX}")
    files, file, frame = _places(path, rows[IMAGE])
    ctf = _ctf(path, rows, groups)
    if ctf is None:
        notes.append(f"{path} has no {DEFOCUS[0]}: nothing is known of the CTF")
    notes += [
        f"{name} of the optics groups is not corrected here"
        for name in NOT_USED
        if optics is not None
        and any(word not in ("0", "0.000000", "1.000000") for word in optics.get(name, ()))
    ]
    return Particles(path, rows, optics or {}, files, file, frame, pixel_size_A, int(side), ctf, tuple(notes))


def write_particles(path: Path, particles: Particles, columns: Mapping[str, NDArray[Any]]) -> None:
    """Write particles as a STAR file that appears whole, with more columns or other values of theirs.

    Parameters
    ----------
    columns
        ``(n,)`` numbers by RELION's names: integers as they are, others with six digits after the point.
    """
    rows: dict[str, Sequence[str]] = {name: list(map(word, words)) for name, words in particles.rows.items()}
    for name, values in columns.items():
        whole = values.dtype.kind in "iu"
        rows[name] = [str(value) if whole else f"{value:.6f}" for value in values.tolist()]
    with published(path) as file:
        if particles.optics:
            file.write(loop("optics", particles.optics))
            file.writelines(_lines([list(map(word, words)) for words in particles.optics.values()]))
        file.write(loop("particles", rows))
        file.writelines(_lines(list(rows.values())))


def _lines(columns: Sequence[Sequence[str]]) -> list[str]:
    return [*(" ".join(words) + "\n" for words in zip(*columns, strict=True)), "\n"]


def _one(path: Path, groups: Sequence[Group], column: str, read: Any) -> float:
    """Return the value that all optics groups have of a column."""
    distinct = {id(group): group for group in groups}.values()
    found = Counter(read(group.get(column)) for group in distinct)
    if len(found) != 1 or None in found:
        told = ", ".join("none" if value is None else f"{value:g}" for value in found)
        mend = ": extract them with a `box` in angstroms and one `scale_to`" if len(found) > 1 else ""
        raise PicksError(f"{path} has images with {column} {told}; expected one and the same for all{mend}")
    (value,) = found
    assert value is not None
    return float(value)


def _places(
    path: Path, names: Sequence[str]
) -> tuple[tuple[Path, ...], NDArray[np.int64], NDArray[np.int64]]:
    """Return the stacks, and of each image which stack and where in it."""
    stacks: dict[str, int] = {}
    file, frame = np.empty(len(names), np.int64), np.empty(len(names), np.int64)
    for row, name in enumerate(names):
        found = PLACE.fullmatch(name)
        if found is None or int(found[1]) < 1:
            raise PicksError(f"{path} has an image {brief(name)}; expected NUMBER@STACK, from 1")
        file[row] = stacks.setdefault(found[2], len(stacks))
        frame[row] = int(found[1]) - 1
    root = _root(path, next(iter(stacks)))
    return tuple(root / name for name in stacks), file, frame


def _root(path: Path, name: str) -> Path:
    """Return the folder that names of stacks are relative to: where the first of them is found."""
    above = path.absolute().parents
    roots = [one for one in (found_above(path.absolute()), Path.cwd(), *above) if one is not None]
    root = next((root for root in roots if (root / name).is_file()), None)
    if root is None:
        raise PicksError(f"{path} names the stack {brief(name)}, which is not found from {roots[0]} or here")
    return root


def _ctf(path: Path, rows: Block, groups: Sequence[Group]) -> CtfParameters | None:
    if DEFOCUS[0] not in rows:
        return None
    u_A = _numbers(path, DEFOCUS[0], rows[DEFOCUS[0]])
    v_A = _numbers(path, DEFOCUS[1], rows[DEFOCUS[1]]) if DEFOCUS[1] in rows else u_A
    none = np.zeros(len(u_A))
    angle, phase = (
        _numbers(path, name, rows[name]) if name in rows else none for name in (DEFOCUS[2], PHASE_SHIFT)
    )
    distinct = {id(group): group for group in groups}
    microscope = {
        key: [
            _known(path, group, column, read)
            for column, read in ((VOLTAGE, positive), (ABERRATION, number), (CONTRAST, number))
        ]
        for key, group in distinct.items()
    }
    own = np.array([microscope[id(group)] for group in groups])
    return CtfParameters(u_A, v_A, angle, phase, own[:, 0], own[:, 1], own[:, 2])


def _known(path: Path, group: Group, column: str, read: Any) -> float:
    value = read(group.get(column))
    if value is None:
        raise PicksError(
            f"{path} has particles with a defocus and without {column}; expected it in data_optics"
        )
    return float(value)


def _numbers(path: Path, column: str, words: Sequence[str]) -> NDArray[np.float64]:
    try:
        values = np.fromiter(map(float, words), np.float64, len(words))
    except ValueError as error:
        raise PicksError(f"{path} has a {column} that is no number: {brief(error)}") from error
    if not np.isfinite(values).all():
        raise PicksError(f"{path} has a {column} that is not finite; expected a number for every particle")
    return values
