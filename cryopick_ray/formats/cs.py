"""CryoSPARC's ``.cs``: a NumPy file with one structured array of all particles."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import PicksError
from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.formats.files import complete, relative_path
from cryopick_ray.picks.schema import PickedMicrograph
from cryopick_ray.store.publish import published
from cryopick_ray.units import Shape

SPOOLED = np.dtype(
    [
        ("uid", "<u8"),
        ("location/center_x_frac", "<f4"),
        ("location/center_y_frac", "<f4"),
        ("pick_stats/ncc_score", "<f4"),
    ]
)


@dataclass(frozen=True)
class Origin:
    """What all particles of one micrograph share."""

    path: bytes
    uid: int
    shape: Shape
    pixel_size_A: float
    n_particles: int


def write_cs(picks: Iterable[Coordinates], out: Path) -> None:
    """Write ``out/particles.cs``.

    Parameters
    ----------
    picks
        Micrographs in table order; read once, one at a time.
    out
        Folder, made where missing.

    Notes
    -----
    ``location/center_x_frac`` is column / width and ``location/center_y_frac`` row / height, row 0 first
    as stored in the file: CryoSPARC draws row 0 at the bottom, but does not count from the top.
    0 is the centre of the first pixel, as a fraction of the grid that CryoSPARC's own pickers search.
    ``location/micrograph_shape`` is height, width. ``location/micrograph_path`` is the name that the
    project knows (rlnMicrographName). Patch Motion mirrors some movies in y against other programs:
    export picks of the micrographs that CryoSPARC itself will extract from.
    Identifiers follow from data set and micrograph, so equal picks give equal files.
    """
    out.mkdir(parents=True, exist_ok=True)
    origins: list[Origin] = []
    with TemporaryFile(dir=out) as spool:
        # The header needs the number of rows and the longest path, both known last.
        for _, one in complete(picks, relative_path):
            origin, rows = _rows(one)
            origins.append(origin)
            spool.write(rows.tobytes())
        spool.seek(0)
        dtype = _dtype(max((len(origin.path) for origin in origins), default=1))
        count = sum(origin.n_particles for origin in origins)
        with published(out / "particles.cs", "wb") as file:
            header = {"descr": dtype.descr, "fortran_order": False, "shape": (count,)}
            np.lib.format.write_array_header_1_0(file, header)
            for origin in origins:
                size = origin.n_particles * SPOOLED.itemsize
                rows = np.frombuffer(spool.read(size), SPOOLED)
                file.write(_particles(origin, rows, dtype).tobytes())


def _dtype(path_length: int) -> np.dtype[np.void]:
    return np.dtype(
        [
            ("uid", "<u8"),
            ("location/micrograph_uid", "<u8"),
            ("location/exp_group_id", "<u4"),
            ("location/micrograph_path", f"S{path_length}"),
            ("location/micrograph_shape", "<u4", (2,)),
            ("location/center_x_frac", "<f4"),
            ("location/center_y_frac", "<f4"),
            ("location/micrograph_psize_A", "<f4"),
            ("pick_stats/ncc_score", "<f4"),
        ]
    )


def _rows(one: Coordinates) -> tuple[Origin, NDArray[np.void]]:
    micrograph = one.micrograph
    if micrograph.shape is None or micrograph.pixel_size_A is None:
        raise PicksError(
            f"shape or pixel size of {micrograph.micrograph_id!r} is missing, expected pixels and angstroms:"
            " ingest it again with `pixel_size_A`"
        )
    height, width = micrograph.shape
    rows = np.zeros(len(one.x_px), SPOOLED)
    uid = _uid(micrograph)
    rows["uid"] = np.random.default_rng(uid).integers(0, 2**64, len(rows), dtype=np.uint64)
    rows["location/center_x_frac"] = one.x_px / np.float32(width)
    rows["location/center_y_frac"] = one.y_px / np.float32(height)
    rows["pick_stats/ncc_score"] = one.score
    path = micrograph.relion_name.encode()
    return Origin(path, uid, micrograph.shape, micrograph.pixel_size_A, len(rows)), rows


def _particles(origin: Origin, rows: NDArray[np.void], dtype: np.dtype[np.void]) -> NDArray[np.void]:
    particles = np.zeros(len(rows), dtype)
    for name in SPOOLED.names or ():
        particles[name] = rows[name]
    particles["location/micrograph_uid"] = origin.uid
    particles["location/micrograph_path"] = origin.path
    particles["location/micrograph_shape"] = origin.shape
    particles["location/micrograph_psize_A"] = origin.pixel_size_A
    return particles


def _uid(micrograph: PickedMicrograph) -> int:
    name = f"{micrograph.dataset}\0{micrograph.micrograph_id}".encode()
    return int.from_bytes(blake2b(name, digest_size=8).digest(), "little")
