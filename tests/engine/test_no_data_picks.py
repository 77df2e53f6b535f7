"""Beside areas without data as many particles are found as there are without the areas, and none in them."""

import warnings
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from cryopick_ray import DEFAULT_MODEL
from cryopick_ray.engine.events import Silence
from cryopick_ray.engine.serial import SerialEngine
from cryopick_ray.micrographs.no_data import NoData
from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.pickers.catalogue import load_picker
from cryopick_ray.picks.matching import match
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.picks.thresholds import auto_threshold
from cryopick_ray.settings.run_settings import IngestSettings, PickSettings
from cryopick_ray.simulate.phantom import make_phantom
from cryopick_ray.stages.find_diameter import find_diameter
from cryopick_ray.stages.ingest_worker import IngestWorker
from cryopick_ray.stages.pick_worker import PickWorker
from cryopick_ray.store.manifest import read_manifest
from cryopick_ray.store.store import MicrographStore

PIXEL_SIZE_A, DIAMETER_A = 4.0, 150.0
DIAMETER_PX = DIAMETER_A / PIXEL_SIZE_A
SHAPE = (720, 800)
BORDERS = {
    "whole": (np.s_[:0], 0),
    "left": (np.s_[:, :90], 0),
    "bottom": (np.s_[-130:], 1e5),
    "half": (np.s_[:, 400:], np.nan),
    "quadrant": (np.s_[:360, :400], 0),
}


@pytest.fixture(scope="module")
def made():
    return make_phantom(
        5,
        shape=SHAPE,
        pixel_size_A=PIXEL_SIZE_A,
        diameter_A=DIAMETER_A,
        particles=110,
        signal_to_noise=0.15,
    )


@pytest.fixture(scope="module")
def store(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("borders")
    for name, (part, value) in BORDERS.items():
        pixels = made.pixels.astype(np.float32)
        pixels[part] = value
        with warnings.catch_warnings(action="ignore"):  # of NaN
            mrcfile.write(folder / f"{name}.mrc", pixels, voxel_size=PIXEL_SIZE_A)
    store = MicrographStore(str(folder / "s.zarr"), create=True)
    report = IngestWorker(store.place.url, IngestSettings()).process(sources(folder))
    assert report.complete == len(BORDERS)
    return store


def sources(folder):
    return [MicrographSource(f"{name}.mrc", "set", folder / f"{name}.mrc", name) for name in BORDERS]


def without_data(name):
    empty = np.zeros(SHAPE, bool)
    empty[BORDERS[name.removesuffix(".mrc")][0]] = True
    return empty


def test_the_manifest_tells_where_there_are_no_data(store):
    rows = read_manifest(store.place)
    assert len(rows) == len(BORDERS)
    for name, row in rows.items():
        empty = without_data(name)
        assert np.array_equal(NoData.from_text(row.no_data).mask(SHAPE), empty)
        said = "a part of it is constant or NaN, holds no picture and gives no picks"
        assert row.notes == (said if empty.any() else "")


@pytest.mark.parametrize("model", ["log", DEFAULT_MODEL])
def test_particles_are_found_beside_areas_without_data_as_elsewhere(model, made, store, tmp_path):
    settings = PickSettings(model=model, diameter_A=DIAMETER_A)
    PickWorker(store.place.url, str(tmp_path), "d", settings, "cpu").process(
        list(read_manifest(store.place).values())
    )
    shards = PickShards(str(tmp_path), "d")
    table = shards.read(shards.published()[0])[0].to_pandas()
    cut = load_picker(model, particle_px=None, device="cpu").threshold
    picked = table[table["score"] >= (auto_threshold(table["score"]).value if cut is None else cut)]
    found = {
        name: found_of(made, picked[picked["micrograph_id"] == name]) for name in read_manifest(store.place)
    }
    assert found["whole.mrc"].mean() > 0.8
    counts = np.zeros(2)
    for name in found.keys() - {"whole.mrc"}:
        empty = without_data(name)
        of_it = table[table["micrograph_id"] == name]
        assert not at(empty, of_it["x_px"].to_numpy(), of_it["y_px"].to_numpy()).any()
        away_px = at(distance_transform_edt(~empty), made.x_px, made.y_px)
        beside = (away_px > DIAMETER_PX / 2) & (away_px < 2 * DIAMETER_PX)
        assert found[name][away_px > 0].sum() >= 0.9 * found["whole.mrc"][away_px > 0].sum()
        counts += found[name][beside].sum(), found["whole.mrc"][beside].sum()
    assert counts[1] > 25
    assert counts[0] >= 0.9 * counts[1]


def found_of(made, picked):
    """Tell of each particle whether a pick found it."""
    found = np.zeros(len(made.x_px), bool)
    which = match(picked["x_px"], picked["y_px"], picked["score"], made.x_px, made.y_px, DIAMETER_PX / 2)
    found[which[which >= 0]] = True
    return found


def at(image, x, y):
    return image[np.rint(y).astype(int).clip(0, SHAPE[0] - 1), np.rint(x).astype(int).clip(0, SHAPE[1] - 1)]


def test_a_diameter_is_found_beside_areas_without_data(store):
    by_name = {source.micrograph_id: source for source in sources(Path(store.place.url).parent)}
    options = {"invert": False, "device": "cpu", "engine": SerialEngine(), "events": Silence()}
    whole, bordered = (
        find_diameter([by_name[name]], IngestSettings(), **options).diameter_A
        for name in ("whole.mrc", "half.mrc")
    )
    assert bordered == pytest.approx(whole, rel=0.1)
