"""Stores of earlier versions read on, and what joins them is told to be made otherwise."""

import io
from dataclasses import asdict, replace

import mrcfile
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cryopick_ray.engine.events import Silence
from cryopick_ray.engine.serial import SerialEngine
from cryopick_ray.micrographs.preprocess import PREPARATION
from cryopick_ray.micrographs.sources import list_sources
from cryopick_ray.settings.run_settings import IngestSettings
from cryopick_ray.stages.flow import ingest
from cryopick_ray.store.manifest import SCHEMA, _key, read_manifest, replace_rows
from cryopick_ray.store.store import MicrographStore

COARSE, FINE = (IngestSettings(store_pixel_size_A=size_A) for size_A in (20.0, 4.0))


class Heard(Silence):
    def __init__(self):
        self.warnings = []

    def warn(self, text):
        self.warnings.append(text)


def bring_in(place, names, settings=COARSE):
    for name in names:
        with mrcfile.new(place / "in" / name, overwrite=True) as file:
            file.set_data(np.random.default_rng(len(name)).normal(300, 20, (1024, 256)).astype(np.float32))
            file.voxel_size = 2.0
    heard = Heard()
    sources = list_sources([str(place / "in")], relion_project=place)
    ingest(sources, str(place / "s.zarr"), settings, SerialEngine(), heard)
    return heard.warnings


def made_by_an_earlier_version(place):
    """Let the store's rows be what a version without their last column published."""
    store = MicrographStore(str(place / "s.zarr"))
    rows = [replace(row, preparation=1) for row in read_manifest(store.place).values()]
    replace_rows(store.place, read_manifest(store.place).values())
    table = pa.Table.from_pylist([asdict(row) for row in rows], schema=SCHEMA).drop_columns(["preparation"])
    part = io.BytesIO()
    pq.write_table(table, part)
    store.place.put_new(_key(part.getvalue()), part.getvalue())
    assert read_manifest(store.place) == {row.micrograph_id: row for row in rows}


@pytest.fixture
def place(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path


def test_what_joins_a_store_of_an_earlier_version_is_told_once(place):
    assert bring_in(place, ["a.mrc", "bb.mrc"]) == []
    made_by_an_earlier_version(place)
    assert bring_in(place, []) == []  # nothing joins
    [warning] = bring_in(place, ["ccc.mrc"])
    assert "2 micrographs of the store were resampled by an earlier version" in warning
    manifest = read_manifest(MicrographStore(str(place / "s.zarr")).place)
    assert [row.preparation for row in manifest.values()] == [1, 1, PREPARATION]


def test_a_store_of_this_version_takes_more_without_a_word(place):
    bring_in(place, ["a.mrc"])
    assert bring_in(place, ["bb.mrc"]) == []


def test_pixels_that_both_versions_make_alike_mix_without_a_word(place):
    bring_in(place, ["a.mrc"], FINE)
    made_by_an_earlier_version(place)
    assert bring_in(place, ["bb.mrc"], FINE) == []
