"""Readers of lists and coordinates of all programs."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from reader import Reader, only, text_file

from cryopick_ray.evaluation.truth import read_truth
from cryopick_ray.formats.coordinates import from_file
from cryopick_ray.formats.cs_picks import read_cs
from cryopick_ray.formats.format import ExportSettings
from cryopick_ray.formats.format_table import FORMATS, READ, WRITTEN, write
from cryopick_ray.formats.relion import lists
from cryopick_ray.formats.star import read_star_file
from cryopick_ray.micrographs.cs_list import read_cs_list
from cryopick_ray.micrographs.sources import list_sources


def _cs(folder: Path) -> None:
    columns = [("uid", "<u8"), ("micrograph_blob/path", "|S30"), ("micrograph_blob/psize_A", "<f4")]
    columns += [
        ("mscope_params/accel_kv", "<f4"),
        ("mscope_params/cs_mm", "<f4"),
        ("ctf/amp_contrast", "<f4"),
    ]
    rows = np.zeros(3, columns)
    rows["micrograph_blob/path"] = [b">J1/a.mrc", b">J1/b.mrc", b"J1/c.mrc"]
    rows["micrograph_blob/psize_A"], rows["mscope_params/accel_kv"] = 1.5, 300
    with (folder / "exposures.cs").open("wb") as file:
        np.save(file, rows)


CS_GROUP = """
created: 2026-01-02 03:04:05.678901
group: {description: All, name: exposures, title: Exposures, type: exposure}
results:
  micrograph_blob: {metafile: '>exposures.cs', num_items: 3, type: exposure.micrograph_blob}
  mscope_params: {metafile: '>exposures.cs', num_items: 3, type: exposure.mscope_params}
version: v4.5.3
"""


def _cs_group(folder: Path) -> None:
    _cs(folder)
    (folder / "exposures.csg").write_text(CS_GROUP)


def _exposures(folder: Path) -> object:
    (group,) = folder.glob("*.csg")
    return [repr(item) for item in read_cs_list(group, folder)]


def _particles(folder: Path) -> None:
    names = [f"location/{name}" for name in ("micrograph_uid", "micrograph_path", "micrograph_shape")]
    names += ["location/center_x_frac", "location/center_y_frac", "location/micrograph_psize_A"]
    kinds: list[Any] = ["<u8", "|S9", ("<u4", (2,)), "<f4", "<f4", "<f4"]
    rows = np.zeros(4, [("uid", "<u8"), *zip(names, kinds, strict=True)])
    rows["uid"], rows["location/micrograph_shape"] = range(4), (300, 400)
    rows["location/micrograph_path"] = [b">J1/a.mrc", b">J1/a.mrc", b"J1/b.mrc", b"J1/b.mrc"]
    rows["location/center_x_frac"], rows["location/micrograph_psize_A"] = 0.5, 1.5
    with (folder / "particles.cs").open("wb") as file:
        np.save(file, rows)


def _placed(folder: Path) -> object:
    found = read_cs(only(folder))
    return [
        (repr(micrograph_picks.micrograph), micrograph_picks.x_px.tobytes(), micrograph_picks.y_px.tobytes())
        for micrograph_picks in found
    ]


STAR = """
data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnVoltage #3
_rlnSphericalAberration #4
_rlnAmplitudeContrast #5
_rlnMicrographPixelSize #6
opticsGroup1 1 300.0 2.7 0.1 1.5
opticsGroup2 2 200.0 1.4 0.1 1.4

data_micrographs

loop_
_rlnMicrographName #1
_rlnOpticsGroup #2
a.mrc 1
"b c.mrc" 2
"""
COORDINATES = "data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n10.5 20\n30 40.25\n"
PARTICLES = """
data_particles

loop_
_rlnMicrographName #1
_rlnCoordinateX #2
_rlnCoordinateY #3
_rlnOriginXAngst #4
_rlnOpticsGroup #5
a.mrc 10.5 20 1.5 1
"b c.mrc" 30 40.25 0 1

data_optics

loop_
_rlnOpticsGroup #1
_rlnMicrographPixelSize #2
1 1.5
"""
FILES = "data_\n\nloop_\n_rlnMicrographName #1\n_rlnMicrographCoordinates #2\na.mrc a.star\n"


def _coordinates(format: str, folder: Path) -> None:
    coordinates = from_file("a.mrc", [1.5, 30], [2, 40.25], [0.5, -1], [(30, 30)] * 2)
    write(iter([coordinates]), format, folder, ExportSettings(image_height=64))
    for path in folder.rglob("*"):
        if path.name in ("autopick.star",):
            path.unlink()


def _listed(folder: Path) -> object:
    """Read a list whose files are there: a list of none is refused for that, not for what it holds."""
    path = only(folder)
    for name in ("a.mrc", "b c.mrc", "J1/a.mrc"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    return [str(item) for item in list_sources([str(path)], relion_project=folder)]


def _relion(folder: Path) -> list[str]:
    """Read a file of RELION's by whichever of its readers knows it; a list names a file that is there."""
    path = only(folder)
    if lists.looks_like(path):
        (folder / "a.star").write_text(COORDINATES)
    return [
        repr((micrograph_picks.micrograph, micrograph_picks.x_px))
        for micrograph_picks in read_star_file(path, path.stem, [].append)
    ]


COORDINATE_FILES: Mapping[str, Reader] = {
    "text list": Reader((text_file("l.txt", "# mine\na.mrc\nb c.mrc\n"),), _listed),
    "STAR list": Reader((text_file("l.star", STAR),), _listed, ("relion5-project/**/*.star",)),
    "RELION files": Reader(
        (text_file("c.star", COORDINATES), text_file("p.star", PARTICLES), text_file("l.star", FILES)),
        _relion,
        ("relion-optics/*.star", "relion5-project/*/*/Movies/*.star"),
    ),
    "exposures": Reader((_cs,), _listed, ("cs/*.cs",)),
    "exposures of a group": Reader((_cs_group,), _exposures),
    "CryoSPARC's picks": Reader((_particles,), _placed, ("cs/*.cs",)),
    "coordinates": Reader(
        (
            text_file("a.star", COORDINATES),
            text_file("a.box", "1 2 30 30\n4.5 6 30 30\n"),
            text_file("e.box", "1 2 30 30 -1\n4.5 6 30 30 -2\n"),
            text_file("h.box", "#helix: (1, 2),(9, 9),8\n1 2\n5 5.5\n9 9\n"),
            *(
                partial(_coordinates, name)
                for name in WRITTEN
                if name in READ and name != "cs" and FORMATS[name].looks_like
            ),
        ),
        lambda folder: repr(read_truth(only(folder)).particles),
        (
            *("star/*.star", "box/*.box", "repic-box/*/*.box", "relion-optics/*.star", "csv/*.csv"),
            *("cbox/*.cbox", "topaz-convert/**/*.json", "topaz-convert/*.star"),
        ),
    ),
}
