"""Readers of a run's own files: store, picks, tables, decisions, summaries."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from reader import Reader, only, text_file

from cryopick_ray.micrographs.normalised_image import NormalisedImage
from cryopick_ray.passes.bad_classes import read_classes
from cryopick_ray.passes.build import TableSettings, build_table
from cryopick_ray.passes.decision_files import read_rows
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.picks.columns import COLUMNS
from cryopick_ray.picks.estimated_diameter import EstimatedDiameter
from cryopick_ray.picks.reasons import Reason
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph
from cryopick_ray.picks.shard import Picked
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.picks.table import PickTable
from cryopick_ray.picks.thresholds import Threshold
from cryopick_ray.picks.write_table import write_table
from cryopick_ray.runs.estimate.measured_rates import from_bench
from cryopick_ray.runs.results.summary import Summary, read_summary
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.stages.find_diameter import keep_diameter, kept_diameter
from cryopick_ray.store.manifest import ManifestRow, publish_part, read_manifest
from cryopick_ray.store.store import MicrographStore

DIAMETER = EstimatedDiameter(120.0, (100.0, 120.0), (0.5, 1.5), 90, ("a.mrc",), "heatmap-general")
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
    row = ManifestRow(**ROW, shard_bytes=store.write("a.mrc", NormalisedImage(pixels, 1.0, 2.0)))  # type: ignore[arg-type]
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
    n = len(Reason)
    more = {name: item.unknown(n) for name, item in COLUMNS.items()}
    for name, values in more.items():
        values[: n // 2] = "hand" if name == "source" else 3
    x, y, score = np.random.default_rng(3).uniform(0, 50, (3, n)).astype(np.float32)
    about = PickedMicrograph("a.mrc", "d", "a.mrc", (60, 80), 1.5, None, "complete", "")
    picks = MicrographPicks(about, x, y, score, np.array([0, *Reason][:n], np.uint16), 150.0, more=more)
    write_table([picks], folder / "table")


def _tabled(folder: Path) -> object:
    return [
        (
            *(
                repr(micrograph_picks.micrograph),
                micrograph_picks.x_px.tobytes(),
                micrograph_picks.score.tobytes(),
                micrograph_picks.unpicked.tobytes(),
            ),
            {name: values.tolist() for name, values in micrograph_picks.more.items()},
        )
        for micrograph_picks in PickTable(folder / "table")
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
RUN_FILES: Mapping[str, Reader] = {
    "diameter": Reader(
        (lambda folder: keep_diameter(folder / "diameter.json", DIAMETER),),
        lambda folder: repr(kept_diameter(folder / "diameter.json")),
    ),
    "summary": Reader((_summary,), lambda folder: repr(read_summary(RunFolder(folder)))),
    "bench": Reader(
        (text_file("bench.json", json.dumps(BENCH)),), lambda folder: repr(from_bench(only(folder), None))
    ),
    "store": Reader((_store,), _stored, vouched=True),
    "picks": Reader((_shards,), _picked, vouched=True),
    "table": Reader((_table, _full_table), _tabled, vouched=True),
    "curation": Reader(
        (
            text_file("c.csv", CURATION),
            text_file("c.csv", "\ufeff" + CURATION.replace("\n", "\r\n")),
            text_file("c.csv", DATED + CURATION),
        ),
        _decided,
    ),
    "classes": Reader((text_file("c.csv", CLASSES),), _classified),
}
