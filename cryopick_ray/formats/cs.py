"""CryoSPARC's picks: a ``.cs`` file, one array of all particles, and the ``.csg`` group that names it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import yaml
from numpy.typing import NDArray

from cryopick_ray.errors import PicksError, UsageError, brief
from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.formats.cs_like import CsLike
from cryopick_ray.formats.cs_picks import TEMPLATE, TEMPLATE_ANGLE, read_cs
from cryopick_ray.formats.export_paths import complete, relative_path
from cryopick_ray.formats.format import ExportSettings, Format
from cryopick_ray.micrographs.cs_list import MOST_UID, CsExposure
from cryopick_ray.store.publish import published, write_whole
from cryopick_ray.units import Shape

PLACED = np.dtype(
    [
        ("uid", "<u8"),
        ("location/center_x_frac", "<f4"),
        ("location/center_y_frac", "<f4"),
        ("pick_stats/ncc_score", "<f4"),
    ]
)
"""What tells a particle from others."""
SPOOLED = np.dtype([*PLACED.descr, (TEMPLATE, "<u4"), (TEMPLATE_ANGLE, "<f4")])
RESULTS = ("location", "pick_stats")
LIKE_VERSION = "v4.5.3"
"""Of the CryoSPARC whose groups ours are like."""


@dataclass(frozen=True)
class CsOrigin:
    """What all particles of one micrograph share; ``height_px`` is of the image we picked on."""

    exposure: CsExposure
    height_px: int
    shape: Shape
    pixel_size_A: float
    min_dist_A: float
    n_particles: int


def write_cs(
    picks: Iterable[Coordinates],
    out: Path,
    like: CsLike | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> None:
    """Write ``out/particles.cs``, and ``out/particles.csg`` for CryoSPARC's Import Result Group.

    Parameters
    ----------
    picks
        Micrographs in table order; read once, one at a time.
    out
        Folder, made where missing.
    like
        Picks that CryoSPARC has of these micrographs, or their exposures.
    say
        Told of micrographs that CryoSPARC will not know, and which way y goes by ``like``.

    Notes
    -----
    CryoSPARC joins picks to exposures by ``location/micrograph_uid``: the uid of INPUT's exposures or of
    ``like``, else one made up of the micrograph's name. The same goes for ``exp_group_id``, else 0, and
    for ``micrograph_path``, else rlnMicrographName. ``center_x_frac`` is column / width and
    ``center_y_frac`` row / height, row 0 first as stored in the file (programs disagree on it), unless picks
    of ``like`` agree with ours the other way round; 0 is the centre of the first pixel.
    ``micrograph_shape`` is height, width. ``min_dist_A`` is half the particle diameter, within which we keep
    one pick. ``ncc_score`` is our score, 0 for none. ``template_idx`` is the view, ``angle_rad`` the turn in
    the plane, 0 for none. A placeholder: ``power`` is the score again, so that Inspect Picks keeps what it
    keeps by score. Classes are left out: CryoSPARC has them as one of a score of results of an alignment.
    A particle's ``uid`` follows from its micrograph and the picks on it: equal picks give equal tables.

    Raises
    ------
    PicksError
        A micrograph has no pixel size.
    UsageError
        ``like`` knows none of the micrographs.
    """
    out.mkdir(parents=True, exist_ok=True)
    origins: list[CsOrigin] = []
    unknown: list[str] = []
    with TemporaryFile(dir=out) as spool:
        # The header needs the number of rows and the longest path, and y all picks: known last.
        for _, one in complete(picks, relative_path, say):
            origin, rows = _rows(one, like, unknown)
            origins.append(origin)
            spool.write(rows.tobytes())
        spool.seek(0)
        if unknown:
            say(_told(unknown, len(origins), like))
        mirrored = like is not None and like.is_mirrored(say)
        dtype = _dtype(max((len(origin.exposure.project_path.encode()) for origin in origins), default=1))
        count = sum(origin.n_particles for origin in origins)
        with published(out / "particles.cs", "wb") as file:
            header = {"descr": dtype.descr, "fortran_order": False, "shape": (count,)}
            np.lib.format.write_array_header_1_0(file, header)
            for origin in origins:
                size = origin.n_particles * SPOOLED.itemsize
                rows = np.frombuffer(spool.read(size), SPOOLED)
                file.write(_particles(origin, rows, dtype, mirrored=mirrored).tobytes())
    write_whole(out / "particles.csg", _group(count))


def _told(unknown: list[str], count: int, like: CsLike | None) -> str:
    first = f"{brief(unknown[0])}{', ...' * (len(unknown) > 1)}"
    if like is not None and len(unknown) == count:
        raise UsageError(f"`like`: {like.path} knows none of the micrographs ({first}){like.example()}")
    why = "the input was not its exposures" if like is None else f"{like.path.name} does not know them"
    return (
        f"{len(unknown)} of {count} micrographs have no uid of CryoSPARC, as {why}: their picks join no "
        f"exposure there ({first}); give `like`, picks or exposures of the project"
    )


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
            ("location/min_dist_A", "<f4"),
            ("location/micrograph_psize_A", "<f4"),
            ("pick_stats/ncc_score", "<f4"),
            ("pick_stats/power", "<f4"),
            (TEMPLATE, "<u4"),
            (TEMPLATE_ANGLE, "<f4"),
        ]
    )


def _rows(
    coordinates: Coordinates, like: CsLike | None, unknown: list[str]
) -> tuple[CsOrigin, NDArray[np.void]]:
    micrograph = coordinates.micrograph
    found = None if like is None else like.find(coordinates)
    own_shape = micrograph.shape or (found.shape if found else None)
    size_A = micrograph.pixel_size_A or (found.pixel_size_A if found else None)
    if own_shape is None:
        raise PicksError(
            f"shape of {micrograph.micrograph_id!r} is missing, for CryoSPARC counts in parts of it: give "
            "`micrographs` to what read it, or `like`, picks or exposures that know it"
        )
    if size_A is None:
        raise PicksError(
            f"pixel size of {micrograph.micrograph_id!r} is missing, expected angstroms: give "
            "`pixel_size_A`, `micrographs`, or `like`, picks or exposures that know it"
        )
    height, width = own_shape
    placed = np.zeros(len(coordinates.x_px), PLACED)
    placed["location/center_x_frac"] = coordinates.x_px / np.float32(width)
    placed["location/center_y_frac"] = coordinates.y_px / np.float32(height)
    placed["pick_stats/ncc_score"] = np.nan_to_num(coordinates.score, nan=0)
    name = f"{micrograph.dataset}\0{micrograph.micrograph_id}".encode()
    seed = _digest(name + placed.tobytes())
    placed["uid"] = np.random.default_rng(seed).integers(1, MOST_UID - 1, len(placed), dtype=np.uint64)
    rows, known = np.zeros(len(placed), SPOOLED), coordinates.known
    for column in PLACED.names or ():
        rows[column] = placed[column]
    if "view" in known:
        rows[TEMPLATE] = known["view"].clip(min=0)
    if "angle_deg" in known:
        rows[TEMPLATE_ANGLE] = np.radians(np.nan_to_num(known["angle_deg"], nan=0))
    exposure = CsExposure.from_text(micrograph.listed)
    shape, pixel_size_A = own_shape, size_A
    if found is not None:
        exposure = CsExposure.from_text(found.listed)
        shape, pixel_size_A = found.shape or shape, found.pixel_size_A or pixel_size_A
    if exposure is None:
        unknown.append(micrograph.micrograph_id)
        exposure = CsExposure(_digest(name), path=micrograph.relion_name)
    min_dist_A = (coordinates.diameter_A or 0) / 2
    return CsOrigin(exposure, height, shape, pixel_size_A, min_dist_A, len(rows)), rows


def _particles(
    origin: CsOrigin, rows: NDArray[np.void], dtype: np.dtype[np.void], *, mirrored: bool
) -> NDArray[np.void]:
    particles = np.zeros(len(rows), dtype)
    for name in SPOOLED.names or ():
        particles[name] = rows[name]
    if mirrored:
        last = (origin.height_px - 1) / origin.height_px
        particles["location/center_y_frac"] = last - rows["location/center_y_frac"]
    particles["location/micrograph_uid"] = origin.exposure.uid
    particles["location/exp_group_id"] = origin.exposure.exp_group_id or 0
    particles["location/micrograph_path"] = origin.exposure.project_path.encode()
    particles["location/micrograph_shape"] = origin.shape
    particles["location/micrograph_psize_A"] = origin.pixel_size_A
    particles["location/min_dist_A"] = origin.min_dist_A
    particles["pick_stats/power"] = rows["pick_stats/ncc_score"]
    return particles


def _digest(text: bytes) -> int:
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little")


def _group(count: int) -> str:
    """Return the group that Import Result Group reads: which file holds which result."""
    results = {
        name: {"metafile": ">particles.cs", "num_items": count, "type": f"particle.{name}"}
        for name in RESULTS
    }
    group = {
        "created": datetime.now(UTC).replace(tzinfo=None),
        "group": {
            "description": "Particles picked by cryopick-ray",
            "name": "particles",
            "title": "Particles",
            "type": "particle",
        },
        "results": results,
        "version": LIKE_VERSION,
    }
    return yaml.safe_dump(group)


def _write(picks: Iterable[Coordinates], out: Path, settings: ExportSettings) -> None:
    like = CsLike(settings.like, settings.say) if settings.like else None
    write_cs(picks, out, like, settings.say)


CS = Format(
    name="cs",
    title="CryoSPARC cs",
    suffixes=(".cs", ".csg"),
    looks_like=lambda head: "particle.location" in head or "location/center_x_frac" in head,
    read=lambda path, name, note: read_cs(path, note),
    write=_write,
    holds=frozenset({"scores", "fractions", "folders"}),
    columns=frozenset({"view", "angle_deg"}),
)
