"""Rows of RELION's tables of particles -> the particles of each micrograph."""

import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import PicksError, brief
from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.formats.format import Note
from cryopick_ray.formats.relion.helical import HELICAL, from_relion, without
from cryopick_ray.micrographs.optics_groups import (
    GROUP,
    IMAGE_SIZE,
    IN_ROWS,
    ORIGINAL_SIZE,
    PIXEL_SIZE,
    Group,
    detector_pixel_size_A,
    groups_of,
    optics_of,
    positive,
)
from cryopick_ray.micrographs.star_blocks import Block, read_star
from cryopick_ray.micrographs.star_list import CTF, MICROGRAPH
from cryopick_ray.picks.schema import PickedMicrograph

X, Y, SCORE = "rlnCoordinateX", "rlnCoordinateY", "rlnAutopickFigureOfMerit"
IMAGE = "rlnImageName"
NO_SCORE = -999.0
"""What RELION gives particles that a person picked."""
ORIGINS_A, ORIGINS_PX = ("rlnOriginXAngst", "rlnOriginYAngst"), ("rlnOriginX", "rlnOriginY")
MORE = (
    *("rlnClassNumber", "rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"),
    *("rlnRandomSubset", "rlnParticleSelectionType"),
    *HELICAL,
    *CTF,
)
"""What is kept of each particle besides."""
READ = (X, Y, SCORE, MICROGRAPH, IMAGE, GROUP, *ORIGINS_A, *ORIGINS_PX, *IN_ROWS, *MORE)
STACK = re.compile(r"(?:\d+@)?(.*?)(?:_shiny|_particles)?\.mrcs?")


def read_rows(path: Path, own_name: str, say: Note) -> Iterator[Coordinates]:
    """Yield the particles of each micrograph that a STAR file's rows name, in the order of their first ones.

    Particles are moved to where they were refined to: coordinate - origin. Coordinates are in pixels of the
    micrograph however an image of the particle was scaled.

    Parameters
    ----------
    own_name
        Of the micrograph whose rows name none.
    say
        Told of what is guessed.

    Raises
    ------
    PicksError
        It cannot be read.
    """
    try:
        blocks = read_star(path, READ, whole=("optics",))
        if not blocks:
            raise ValueError("no STAR block in it")
        tables = [block for name, block in blocks.items() if name != "optics" and X in block and Y in block]
        for rows in tables:
            yield from _of_table(rows, blocks.get("optics"), own_name, say)
    except (OSError, ValueError) as error:
        raise PicksError(
            f"{path} is not a readable coordinate file: {brief(error)}; mend it or take it away"
        ) from error


def _of_table(rows: Block, optics: Block | None, own_name: str, say: Note) -> Iterator[Coordinates]:
    names = _names(rows, own_name)
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(name, []).append(place)
    groups = groups_of(rows, optics, say) if names else []
    wanted = (X, Y, SCORE, *ORIGINS_A, *ORIGINS_PX, *MORE)
    numbers = {name: _numbers(rows, name) for name in wanted if name in rows}
    for name, own in places.items() or [(own_name, [])]:
        index = np.array(own, np.intp)
        here = {column: values[index] for column, values in numbers.items()}
        yield _coordinates(name, here, groups[own[0]] if own else {}, say)


def _coordinates(name: str, here: dict[str, NDArray[np.float64]], group: Group, say: Note) -> Coordinates:
    pixel_size_A = _pixel_size_A(group)
    origins, size_A = ORIGINS_PX, 1.0
    if any(column in here and here[column].any() for column in ORIGINS_A):
        origins, size_A = ORIGINS_A, pixel_size_A or _movie_size_A(group, say)
    x_px, y_px = (here[one] - here.get(by, 0.0) / size_A for one, by in zip((X, Y), origins, strict=True))
    if not (np.isfinite(x_px).all() and np.isfinite(y_px).all()):
        raise ValueError(f"{name!r} has particles without finite coordinates")
    score = here.get(SCORE, np.full(len(x_px), math.nan))
    columns = {column: _whole(here[column]) for column in MORE if column in here}
    segments = from_relion(columns, x_px, y_px, pixel_size_A)
    listed = {column: value for column, value in group.items() if column.startswith("rln")}
    return Coordinates(
        PickedMicrograph(
            micrograph_id="/".join(part for part in name.split("/") if part not in ("", ".", "..")) or name,
            dataset="",
            relion_name=name,
            shape=None,
            pixel_size_A=pixel_size_A,
            optics=optics_of(group),
            status="complete",
            reason="",
            optics_group=json.dumps(listed) if PIXEL_SIZE in listed or ORIGINAL_SIZE in listed else "",
        ),
        x_px,
        y_px,
        np.where(score == NO_SCORE, math.nan, score),
        columns=without(columns) if segments else columns,
        more=segments,
    )


def _pixel_size_A(group: Group) -> float | None:
    """Return the micrograph's pixel size, which RELION takes out of a group when it extracts particles."""
    original_A, image_A = positive(group.get(ORIGINAL_SIZE)), positive(group.get(IMAGE_SIZE))
    is_plain = original_A and image_A and math.isclose(original_A, image_A, rel_tol=1e-3)
    return positive(group.get(PIXEL_SIZE)) or (original_A if is_plain else None)


def _movie_size_A(group: Group, say: Note) -> float:
    size_A = positive(group.get(ORIGINAL_SIZE)) or detector_pixel_size_A(group)
    if size_A is None:
        raise ValueError(f"origins in angstroms without a pixel size; expected {PIXEL_SIZE} in data_optics")
    say(
        f"particles are moved by their origins as if micrographs had the movies' pixels of {size_A:g} A: "
        f"{PIXEL_SIZE} is not in data_optics"
    )
    return size_A


def _names(rows: Block, own_name: str) -> Sequence[str]:
    if MICROGRAPH in rows:
        return rows[MICROGRAPH]
    if IMAGE in rows:
        return [found[1] if (found := STACK.fullmatch(name)) else own_name for name in rows[IMAGE]]
    return [own_name] * len(rows[X])


def _numbers(rows: Block, name: str) -> NDArray[np.float64]:
    try:
        return np.fromiter(map(float, rows[name]), np.float64, len(rows[name]))
    except ValueError as error:
        raise ValueError(f"{name}: {brief(error)}") from error


def _whole(values: NDArray[np.float64]) -> NDArray[np.float64] | NDArray[np.int64]:
    """Return numbers as integers if they are."""
    whole = values.astype(np.int64) if np.isfinite(values).all() and (abs(values) < 2**53).all() else None
    return whole if whole is not None and (whole == values).all() else values
