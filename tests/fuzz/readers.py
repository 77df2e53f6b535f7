"""The table of readers: what each is called, valid files for it, and the call that reads them."""

import bz2
import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zlib import crc32

import mrcfile
import numpy as np
import tifffile
import torch
from PIL import Image

from cryopick_ray.empiar.download_manifest import Manifest
from cryopick_ray.empiar.entry import choose_image_set, parse_entry, parse_search
from cryopick_ray.evaluation.truth import read_truth
from cryopick_ray.formats.coordinates import from_file
from cryopick_ray.formats.cs_picks import read_cs
from cryopick_ray.formats.format import ExportSettings
from cryopick_ray.formats.formats import FORMATS, READ, WRITTEN, write
from cryopick_ray.formats.relion import lists
from cryopick_ray.formats.star import read_star_file
from cryopick_ray.launch.check import read_crds
from cryopick_ray.launch.cluster_settings import cluster_settings
from cryopick_ray.micrographs.cs_list import read_cs_list
from cryopick_ray.micrographs.movies.defects import read_defects
from cryopick_ray.micrographs.movies.gain import load_gain
from cryopick_ray.micrographs.movies.movie import read_frames
from cryopick_ray.micrographs.movies.open_movie import open_movie
from cryopick_ray.micrographs.mrc_header import FOUR_BITS
from cryopick_ray.micrographs.nibbles import PACKED
from cryopick_ray.micrographs.reader import read_micrograph
from cryopick_ray.micrographs.sidecars.beside import sidecar_of
from cryopick_ray.micrographs.sources import list_sources
from cryopick_ray.passes.bad_classes import read_classes
from cryopick_ray.passes.build import TableSettings, build_table
from cryopick_ray.passes.decision_files import read_rows
from cryopick_ray.pickers.families import load_network_picker
from cryopick_ray.pickers.importers import import_topaz
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.pickers.weights import load_model, save_model
from cryopick_ray.picks.columns import COLUMNS
from cryopick_ray.picks.estimated_diameter import EstimatedDiameter
from cryopick_ray.picks.reasons import Why
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph
from cryopick_ray.picks.shard import Picked
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.picks.table import PickTable
from cryopick_ray.picks.thresholds import Threshold
from cryopick_ray.picks.write_table import write_table
from cryopick_ray.runs.rates import from_bench
from cryopick_ray.runs.results import Summary, read_summary
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.settings.config import load_settings, read_yaml
from cryopick_ray.simulate.library import load_molecule
from cryopick_ray.simulate.simulation_settings import simulation_settings
from cryopick_ray.stages.find_diameter import keep_diameter, kept_diameter
from cryopick_ray.store.manifest import ManifestRow, publish_part, read_manifest
from cryopick_ray.store.store import MicrographStore, StoredPixels
from cryopick_ray.suite.suite_settings import suite_settings
from cryopick_ray.training.loop.checkpoint import load_checkpoint, save_checkpoint
from cryopick_ray.training.loop.loop import Epoch, TrainState
from cryopick_ray.training.loop.loss_log import read_log, write_log
from cryopick_ray.training.training_settings import train_settings
from cryopick_ray.transfer.index_pages import HttpFiles
from cryopick_ray.transfer.response import RemoteFile
from tests.micrographs.epu_files import epu_xml
from tests.micrographs.movies.eer_files import random_events, write_eer
from tests.pickers.test_importers import topaz_state

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
COUNTS = np.random.default_rng(0).poisson(20, (3, 24, 32)).astype(np.uint16)
DIAMETER = EstimatedDiameter(120.0, (100.0, 120.0), (0.5, 1.5), 90, ("a.mrc",), "heatmap-general")


@dataclass(frozen=True)
class Reader:
    """One reader.

    Attributes
    ----------
    seeds
        Each writes valid files into a folder of its own.
    read
        Reads such a folder, to the end.
    real
        Globs below the formats of ``CRYOPICK_DATA``: files of other programs, each alone in its folder.
    vouched
        Check sums stand for what is read: a changed file is refused, or gives the same.
    """

    seeds: tuple[Callable[[Path], object], ...]
    read: Callable[[Path], object]
    real: tuple[str, ...] = ()
    vouched: bool = False


def only(folder: Path) -> Path:
    """Return the one file in a folder."""
    (path,) = folder.iterdir()
    return path


# Micrographs and movies


def _mrc(name: str, pixels: Any) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        packed = {".gz": gzip.compress, ".bz2": bz2.compress}.get(Path(name).suffix, bytes)
        plain = folder / "plain"
        with mrcfile.new(plain) as mrc:
            mrc.set_data(pixels)
            mrc.voxel_size = 1.5
        (folder / name).write_bytes(packed(plain.read_bytes()))
        plain.unlink()

    return write


def _bytes_mrc(name: str, pixels: Any, mode: int) -> Callable[[Path], None]:
    """Return what writes bytes whose kind the header leaves open, or two pixels in each."""

    def write(folder: Path) -> None:
        _mrc(name, pixels.astype(np.uint8).view(np.int8))(folder)
        raw = bytearray((folder / name).read_bytes())
        raw[12:16], raw[76:84] = mode.to_bytes(4, "little"), bytes(8)
        if mode:
            raw[0:4] = (2 * pixels.shape[-1]).to_bytes(4, "little")
        (folder / name).write_bytes(raw)

    return write


def _tiff(name: str, pixels: Any, **options: Any) -> Callable[[Path], None]:
    return lambda folder: tifffile.imwrite(folder / name, pixels, photometric="minisblack", **options)


def _picture(name: str) -> Callable[[Path], None]:
    return lambda folder: Image.fromarray(COUNTS[0].astype(np.uint8)).save(folder / name)


def _eer(compression: int) -> Callable[[Path], object]:
    shape = (32, 32)
    events = [random_events(np.random.default_rng(seed), shape, 0.1) for seed in range(4)]
    return lambda folder: write_eer(folder / "m.eer", events, shape, compression)


def _micrograph(folder: Path) -> object:
    read = read_micrograph(only(folder))
    return crc32(np.ascontiguousarray(read.pixels)), read.pixel_size_A


def _movie(folder: Path) -> object:
    movie = open_movie(only(folder), eer_grouping=2)
    return [crc32(frame) for frame in read_frames(movie, range(movie.count))]


# Texts


def _sidecar(folder: Path) -> object:
    said = sidecar_of(only(folder).with_suffix(""))
    return said, said.pixel_size_of((4092, 5760)), said.pixel_size_of((3, 5))


def _text(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


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
    return [repr(one) for one in read_cs_list(group, folder)]


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
    return [(repr(one.micrograph), one.x_px.tobytes(), one.y_px.tobytes()) for one in found]


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
INDEX = "".join(
    f'<a href="{name}">{name}</a>   2020-01-02 03:04   {size}\n'
    for name, size in [("../", "-"), ("sub/", "-"), ("a%20b.mrc", "12M"), ("c.mrc", "1024")]
)
ENTRY = {
    "EMPIAR-10017": {
        "title": "x",
        "dataset_size": "1 GB",
        "cross_references": [{"name": "EMD-1"}],
        "imagesets": [
            {
                "name": "a",
                "directory": "data/a",
                "category": "micrographs - single frame",
                "pixel_width": "1.5",
            },
            {
                "name": "b",
                "category": "micrographs - multiframe",
                "frames_per_image": 20,
                "details": "flipped",
            },
        ],
    },
    "entries": [{"id": "EMPIAR-10017", "fields": {"title": ["x"]}}],
    "hitCount": 1,
}


def _coordinates(format: str, folder: Path) -> None:
    one = from_file("a.mrc", [1.5, 30], [2, 40.25], [0.5, -1], [(30, 30)] * 2)
    write(iter([one]), format, folder, ExportSettings(image_height=64))
    for path in folder.rglob("*"):
        if path.name in ("autopick.star",):
            path.unlink()


def _listed(folder: Path) -> object:
    """Read a list whose files are there: a list of none is refused for that, not for what it holds."""
    path = only(folder)
    for name in ("a.mrc", "b c.mrc", "J1/a.mrc"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    return [str(one) for one in list_sources([str(path)], relion_project=folder)]


def _relion(folder: Path) -> list[str]:
    """Read a file of RELION's by whichever of its readers knows it; a list names a file that is there."""
    path = only(folder)
    if lists.looks_like(path):
        (folder / "a.star").write_text(COORDINATES)
    return [repr((one.micrograph, one.x_px)) for one in read_star_file(path, path.stem, [].append)]


def _index(folder: Path) -> object:
    page = only(folder).read_bytes()
    pages = iter([page])
    client = SimpleNamespace(page=lambda url, at_most: next(pages, b""))
    return list(HttpFiles("http://host/10017", client).walk("data"))  # type: ignore[arg-type]


def _downloads(folder: Path) -> None:
    (folder / ".empiar").mkdir()
    with Manifest(folder, "10017") as manifest:
        manifest.list_files(
            [RemoteFile("data/a.mrc", 10), RemoteFile("data/b.mrc")], frames=1, data_format=""
        )


def _downloaded(folder: Path) -> object:
    with Manifest(folder, "10017") as manifest:
        manifest.select("data", role="micrograph", fits=lambda path: True, limit=None)
        return manifest.counts("data"), list(manifest.chosen()), manifest.summary()


def _entry(folder: Path) -> object:
    raw = only(folder).read_bytes()
    parse_search(raw)
    return choose_image_set(parse_entry(raw, "10017"), None)


def _example(name: str) -> Callable[[Path], object]:
    return _text("settings.yaml", (EXAMPLES / name).read_text())


def _settings(check: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    return lambda folder: repr(check(read_yaml(only(folder))))


CRD = """
kind: CustomResourceDefinition
spec:
  names: {kind: RayJob}
  versions:
  - name: v1
    schema:
      openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {a: {type: string}}}}}
"""
PDB = (
    "ATOM      1  CA  GLY A   1      11.104   6.134  -6.504  1.00  0.00           C\n"
    "ATOM      2  CB  ALA A   2      31.104  16.134  -6.504  1.00  0.00           C\nEND\n"
)
CIF = """data_x
loop_
_atom_site.group_PDB
_atom_site.id
_atom_site.type_symbol
_atom_site.label_atom_id
_atom_site.label_comp_id
_atom_site.label_asym_id
_atom_site.label_alt_id
_atom_site.label_entity_id
_atom_site.label_seq_id
_atom_site.auth_asym_id
_atom_site.auth_seq_id
_atom_site.Cartn_x
_atom_site.Cartn_y
_atom_site.Cartn_z
_atom_site.occupancy
_atom_site.pdbx_PDB_model_num
ATOM 1 C CA GLY A . 1 1 A 1 11.1 6.1 -6.5 1.0 1
ATOM 2 C CB ALA A . 1 2 A 2 31.1 16.1 -6.5 1.0 1
"""


def _molecule(folder: Path) -> object:
    made = load_molecule(only(folder))
    return made.mass_kDa


def _density(folder: Path) -> None:
    values = np.zeros((12, 12, 12), np.float32)
    values[4:8, 4:8, 4:8] = 1
    with mrcfile.new(folder / "d.map") as mrc:
        mrc.set_data(values)
        mrc.voxel_size = 4.0


# Models and trainings


def _model(folder: Path) -> None:
    state, card = import_topaz(_saved(folder))
    (folder / "m.sav").unlink()
    save_model(folder / "m.safetensors", state, card)


def _saved(folder: Path, *, zipped: bool = True) -> Path:
    torch.save(topaz_state(), folder / "m.sav", _use_new_zipfile_serialization=zipped)
    return folder / "m.sav"


def _loaded(folder: Path) -> object:
    state, _ = load_model(folder / "m.safetensors")
    load_network_picker(folder / "m.safetensors", particle_px=None, device="cpu")
    return {name: state[name].numpy().tobytes() for name in sorted(state)}


EPOCHS = tuple(Epoch(n, 1.0 / n, None if n == 1 else 0.5, 1e-3, 2.0, 10, 1) for n in (1, 2))


def _checkpoint(folder: Path) -> None:
    layer = torch.nn.Linear(3, 2)
    optimiser = torch.optim.Adam(layer.parameters())
    layer(torch.ones(3)).sum().backward()
    optimiser.step()
    weights = layer.state_dict()
    save_checkpoint(folder, TrainState(weights, weights, optimiser.state_dict(), EPOCHS))


def _resumed(folder: Path) -> object:
    state = load_checkpoint(folder)
    return state and repr((state.network, state.best, state.optimiser, state.history))


# A run's own files


ROW = {
    **dict.fromkeys(("micrograph_id", "relion_name", "source"), "a.mrc"),
    **{"dataset": "d", "checksum": "crc32c:00000000", "status": "complete", "reason": ""},
    **{"source_height_px": 60, "source_width_px": 80, "pixel_size_A": 1.5, "height_px": 30, "width_px": 40},
    **{"voltage_kV": None, "spherical_aberration_mm": None, "amplitude_contrast": None},
}
PICKS = [
    Picked("a.mrc", "crc", Candidates(*np.random.default_rng(1).uniform(0, 50, (3, 9)).astype(np.float32))),
    Picked("b.mrc", "crc", None, "torn"),
]


def _store(folder: Path) -> ManifestRow:
    store = MicrographStore(str(folder), create=True)
    pixels = np.random.default_rng(2).normal(size=(30, 40)).astype(np.float32)
    row = ManifestRow(**ROW, shard_bytes=store.write("a.mrc", StoredPixels(pixels, 1.0, 2.0)))  # type: ignore[arg-type]
    publish_part(store.place, [row])
    return row


def _stored(folder: Path) -> object:
    store = MicrographStore(str(folder))
    rows = read_manifest(store.place)
    return [(repr(row), store.read(row).tobytes()) for row in rows.values()]


def _shards(folder: Path) -> PickShards:
    shards = PickShards(str(folder), "d" * 16, create=True)
    shards.describe({"model": "log"})
    shards.publish(PICKS)
    return shards


def _picked(folder: Path) -> object:
    shards = PickShards(str(folder), "d" * 16)
    read = [shards.read(key) for key in shards.published()]
    return [(table.to_pydict(), repr(coverage)) for table, coverage in read]


def _table(folder: Path) -> None:
    other = {"micrograph_id": "b.mrc", "status": "failed", "reason": "torn"}
    rows = {"a.mrc": ManifestRow(**ROW, shard_bytes=1), "b.mrc": ManifestRow(**ROW | other, shard_bytes=0)}  # type: ignore[arg-type]
    settings = TableSettings(diameter_A=150.0, model="log", digest="d" * 16)
    picks = folder / "picks"
    build_table(_shards(picks), rows, folder / "table", settings=settings, threshold=Threshold(0.0, "given"))
    for path in sorted(picks.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    picks.rmdir()


def _full_table(folder: Path) -> None:
    """Write a table with every optional column, some of it not known, and every reason."""
    n = len(Why)
    more = {name: one.nothing(n) for name, one in COLUMNS.items()}
    for name, values in more.items():
        values[: n // 2] = "hand" if name == "source" else 3
    x, y, score = np.random.default_rng(3).uniform(0, 50, (3, n)).astype(np.float32)
    about = PickedMicrograph("a.mrc", "d", "a.mrc", (60, 80), 1.5, None, "complete", "")
    picks = MicrographPicks(about, x, y, score, np.array([0, *Why][:n], np.uint16), 150.0, more=more)
    write_table([picks], folder / "table")


def _tabled(folder: Path) -> object:
    return [
        (
            *(repr(one.micrograph), one.x_px.tobytes(), one.score.tobytes(), one.unpicked.tobytes()),
            {name: values.tolist() for name, values in one.more.items()},
        )
        for one in PickTable(folder / "table")
    ]


CURATION = """micrograph_id,action,x_px,y_px
"grid 1/a, b.mrc",exclude,,
c.mrc,remove,1200.5,873
c.mrc,add,310,2044
"""
DATED = """micrograph_id,action,x_px,y_px,radius_px,by,at
"grid 1/a, b.mrc",include,,,,anna,2026-11-30T10:00:00.123Z
c.mrc,keep,1200.5,873,,anna,2026-11-30T10:00:01.000Z
c.mrc,junk,310,2044,25.5,bo,2026-11-30T10:00:02.000Z
"""


CLASSES = """micrograph,x_px,y_px,class_number,quality
s0/a.mrc,10.5,20,1,good
"s0/b,c.mrc",0,0,12,junk
s0/a.mrc,100.25,3.5,2,doubtful
"""


def _classified(folder: Path) -> object:
    return {
        name: (own.places.tolist(), own.class_number.tolist(), own.rank.tolist())
        for name, own in read_classes(only(folder)).items()
    }


def _decided(folder: Path) -> object:
    return read_rows([only(folder)])


def _summary(folder: Path) -> object:
    cut = {"d": Threshold(0.5, "given")}
    summary = Summary(
        "0.1", str(folder), "d" * 16, 1, (("b.mrc", "torn"),), 9, 5, cut, {"pick": 1.0}, DIAMETER
    )
    return (folder / "summary.json").write_text(json.dumps(summary.to_dict()))


BENCH = {
    "models": [
        {
            **{"name": "log", "model": "log", "device": "cpu", "stored_shape": [100, 100], "candidates": 90},
            "stages": [{"name": "checksum", "bytes": 10**6}, {"name": "write", "bytes": 10**5}],
            "ingest": {"seconds": 0.5, "cpu_seconds": 0.4},
            "pick": {"seconds": 1.5, "cpu_seconds": 1.4},
        }
    ]
}

MDOC = """Voltage = 300

[ZValue = 0]
PixelSpacing = 1.5
Binning = 2
ImageSize = 2880 2046
SubFramePath = X:\\in\\m.tif
NumSubFrames = 12
FrameDosesAndNumber = 0.6 12
ExposureDose = 7.2
GainReference = ref.dm4
RotationAndFlip = 3
"""

READERS: Mapping[str, Reader] = {
    "micrograph": Reader(
        (
            *(_mrc(f"m.mrc{packed}", COUNTS[0]) for packed in ("", ".gz", ".bz2")),
            *(
                _tiff("m.tif", COUNTS[0], compression=code)
                for code in (None, "lzw", "zlib", "zstd", "packbits")
            ),
            _tiff("m.tif", COUNTS[0].astype(np.float32), tile=(16, 16)),
            _tiff("m.tiff", COUNTS[0], bigtiff=True, rowsperstrip=5),
            _tiff("m.tif", COUNTS[0].astype(np.float64)),
            _tiff("m.tif", COUNTS[0].astype(np.uint8) % 16, bitspersample=4),
            _tiff("m.tif", COUNTS[0].astype(np.uint8), description=f"SerialEMCCD: {PACKED}", metadata=None),
            *(_bytes_mrc("m.mrc", COUNTS[0] + 110, mode) for mode in (0, FOUR_BITS)),
            *(_picture(name) for name in ("m.png", "m.jpg")),
        ),
        _micrograph,
        ("tiff-grey/*.tif", "mrc/*.png"),
    ),
    "movie": Reader(
        (
            *(_mrc(f"m.mrcs{packed}", COUNTS) for packed in ("", ".gz", ".bz2")),
            *(_bytes_mrc("m.mrcs", COUNTS + 110, mode) for mode in (0, FOUR_BITS)),
            *(_tiff("m.tif", COUNTS, compression=code) for code in (None, "lzw")),
            *map(_eer, (65000, 65001, 65002)),
        ),
        _movie,
        ("tiff-grey/gray.[fiu]*.tif",),
    ),
    "gain": Reader(
        (_tiff("m.gain", COUNTS[0].astype(np.float32)), _mrc("m.mrc", COUNTS[0].astype(np.float32))),
        lambda folder: load_gain(only(folder)).tobytes(),
    ),
    "defects": Reader(
        (_text("d.txt", "# x y w h\n1 2 3 4\n0 0 32 1\n"), _tiff("d.tif", (COUNTS[0] > 25).astype(np.uint8))),
        lambda folder: read_defects(only(folder), (24, 32)).tobytes(),
    ),
    "sidecar": Reader(
        (_text("m.mdoc", MDOC), _text("m.xml", epu_xml())), _sidecar, ("mdoc/frame*.mdoc", "mdoc/tilt*.mdoc")
    ),
    "text list": Reader((_text("l.txt", "# mine\na.mrc\nb c.mrc\n"),), _listed),
    "STAR list": Reader((_text("l.star", STAR),), _listed, ("relion5-project/**/*.star",)),
    "RELION files": Reader(
        (_text("c.star", COORDINATES), _text("p.star", PARTICLES), _text("l.star", FILES)),
        _relion,
        ("relion-optics/*.star", "relion5-project/*/*/Movies/*.star"),
    ),
    "exposures": Reader((_cs,), _listed, ("cs/*.cs",)),
    "exposures of a group": Reader((_cs_group,), _exposures),
    "CryoSPARC's picks": Reader((_particles,), _placed, ("cs/*.cs",)),
    "coordinates": Reader(
        (
            _text("a.star", COORDINATES),
            _text("a.box", "1 2 30 30\n4.5 6 30 30\n"),
            _text("e.box", "1 2 30 30 -1\n4.5 6 30 30 -2\n"),
            _text("h.box", "#helix: (1, 2),(9, 9),8\n1 2\n5 5.5\n9 9\n"),
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
    "index page": Reader((_text("index.html", INDEX),), _index),
    "downloads": Reader((_downloads,), _downloaded),
    "EMPIAR entry": Reader((_text("entry.json", json.dumps(ENTRY)),), _entry),
    "settings": Reader((_example("run.yaml"),), _settings(load_settings)),
    "simulation": Reader((_example("01_simulate.yaml"),), _settings(simulation_settings)),
    "training": Reader(
        (_example("06_train.yaml"), _example("08_across_molecules.yaml")), _settings(train_settings)
    ),
    "suite": Reader((_example("10_suite.yaml"),), _settings(suite_settings)),
    "cluster": Reader((_example("12_cluster.yaml"),), _settings(cluster_settings)),
    "definitions": Reader((_text("crd.yaml", CRD),), lambda folder: repr(read_crds(only(folder)))),
    "molecule": Reader((_density, _text("m.pdb", PDB), _text("m.cif", CIF)), _molecule),
    "model": Reader((_model,), _loaded, vouched=True),
    "Topaz weights": Reader(
        (_saved, partial(_saved, zipped=False)),
        lambda folder: import_topaz(only(folder))[1].digest,
    ),
    "checkpoint": Reader((_checkpoint,), _resumed, vouched=True),
    "training log": Reader(
        (lambda folder: write_log(folder, EPOCHS),), lambda folder: repr(read_log(folder))
    ),
    "diameter": Reader(
        (lambda folder: keep_diameter(folder / "diameter.json", DIAMETER),),
        lambda folder: repr(kept_diameter(folder / "diameter.json")),
    ),
    "summary": Reader((_summary,), lambda folder: repr(read_summary(RunFolder(folder)))),
    "bench": Reader(
        (_text("bench.json", json.dumps(BENCH)),), lambda folder: repr(from_bench(only(folder), None))
    ),
    "store": Reader((_store,), _stored, vouched=True),
    "picks": Reader((_shards,), _picked, vouched=True),
    "table": Reader((_table, _full_table), _tabled, vouched=True),
    "curation": Reader(
        (
            _text("c.csv", CURATION),
            _text("c.csv", "\ufeff" + CURATION.replace("\n", "\r\n")),
            _text("c.csv", DATED + CURATION),
        ),
        _decided,
    ),
    "classes": Reader((_text("c.csv", CLASSES),), _classified),
}
