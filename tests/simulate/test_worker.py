import hashlib
import os

import mrcfile
import numpy as np
import pytest

from cryopick_ray.engine.events import SilentEvents
from cryopick_ray.engine.open_engine import open_engine
from cryopick_ray.engine.serial import SerialEngine
from cryopick_ray.errors import UsageError
from cryopick_ray.micrographs.junk import Junk
from cryopick_ray.micrographs.preprocess import prepare
from cryopick_ray.settings.config import assigned
from cryopick_ray.settings.engine_settings import EngineSettings
from cryopick_ray.simulate.contamination import KINDS
from cryopick_ray.simulate.simulate_worker import NumberedMicrograph, SimulateWorker
from cryopick_ray.simulate.simulation import SETTINGS, plan_simulation, simulate_all, simulate_together
from cryopick_ray.simulate.simulation_settings import simulation_settings
from cryopick_ray.store.manifest import read_manifest
from cryopick_ray.store.store import MicrographStore

FOLDERS = {"micrographs": ".mrc", "masks": ".mrc", "truth": ".star", "decoys": ".star"}


def plan(*texts):
    data = {"molecules": ["apoferritin"], "height_px": 192, "width_px": 256, "pixel_size_A": 6.0}
    return simulation_settings(assigned(data, ["micrographs=4", "scene.particles=6", *texts]))


def run(settings, out, engine=None, store_url=None):
    return simulate_all(settings, out, engine or SerialEngine(), SilentEvents(), store_url=store_url)


def contents(out):
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name != SETTINGS
    }


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    out = tmp_path_factory.mktemp("serial")
    assert run(plan(), out) == []
    return out


def test_every_micrograph_has_all_its_files_and_nothing_else_is_left(serial):
    names = {f"{folder}/simulated_{i:06d}{suffix}" for i in range(4) for folder, suffix in FOLDERS.items()}
    assert set(contents(serial)) == names
    assert len({contents(serial)[f"micrographs/simulated_{i:06d}.mrc"] for i in range(4)}) == 4


@pytest.mark.parametrize("workers", [1, 2])
def test_ray_makes_the_same_bytes(serial, tmp_path, workers):
    with open_engine(EngineSettings(workers=workers), threads=1) as engine:
        assert run(plan(), tmp_path, engine) == []
    assert contents(tmp_path) == contents(serial)


@pytest.mark.parametrize("name", ["serial", "ray"])
def test_simulations_made_together_are_those_made_alone(serial, tmp_path, name):
    run(plan("micrographs=1"), tmp_path / "begun")
    kept = (tmp_path / "begun/micrographs/simulated_000000.mrc").stat().st_mtime_ns
    other = plan("micrographs=2", "seed=5", "molecules=[rubisco,hsp90]")
    run(other, tmp_path / "alone")
    planned = {
        "begun": plan_simulation(plan(), tmp_path / "begun"),
        "other": plan_simulation(other, tmp_path / "other"),
    }
    assert (planned["begun"].done, planned["other"].done) == (1, 0)
    with open_engine(EngineSettings(engine=name, workers=2), threads=1) as engine:
        assert simulate_together(planned, engine, SilentEvents()) == {"begun": [], "other": []}
    assert contents(tmp_path / "begun") == contents(serial)
    assert contents(tmp_path / "other") == contents(tmp_path / "alone")
    assert (tmp_path / "begun/micrographs/simulated_000000.mrc").stat().st_mtime_ns == kept
    assert (tmp_path / "other" / SETTINGS).read_bytes() == (tmp_path / "alone" / SETTINGS).read_bytes()
    assert plan_simulation(plan(), tmp_path / "begun").is_recorded


def test_planning_writes_nothing(tmp_path):
    planned = plan_simulation(plan(), tmp_path / "out")
    assert (len(planned.remaining), planned.is_recorded) == (4, False)
    assert not list(tmp_path.iterdir())


def test_going_on_makes_what_is_missing_and_ends_with_the_same_bytes(serial, tmp_path):
    run(plan("micrographs=2"), tmp_path)
    (tmp_path / "micrographs" / "simulated_000000.mrc").unlink()
    kept = tmp_path / "micrographs" / "simulated_000001.mrc"
    before = kept.stat().st_mtime_ns, os.stat(kept).st_ino
    run(plan(), tmp_path)
    assert (kept.stat().st_mtime_ns, os.stat(kept).st_ino) == before
    assert contents(tmp_path) == contents(serial)


def test_other_settings_in_the_same_folder_are_refused_with_the_difference(serial):
    before = contents(serial), (serial / SETTINGS).read_bytes()
    with pytest.raises(UsageError, match=r"\(seed: 0 -> 1; scene\.particles: \(6, 6\) -> \(7, 7\)\)"):
        run(plan("seed=1", "scene.particles=7"), serial)
    assert (contents(serial), (serial / SETTINGS).read_bytes()) == before


def test_headers_say_what_the_files_hold(serial):
    for folder, mode in (("micrographs", 2), ("masks", 0)):
        with mrcfile.open(serial / folder / "simulated_000000.mrc") as mrc:
            assert mrc.header.mode == mode
            assert mrc.data.shape == (192, 256)
            assert [float(mrc.voxel_size[axis]) for axis in "xy"] == pytest.approx([6, 6])
        assert mrcfile.validate(serial / folder / "simulated_000000.mrc")


def test_masks_hold_codes_of_junk_and_are_empty_without(tmp_path):
    clean = ["scene.aggregates=0", *(f"contamination.{kind}.probability=0" for kind in KINDS)]
    run(plan("micrographs=1", *clean), tmp_path / "clean")
    run(plan("micrographs=1", *clean, "contamination.carbon.probability=1"), tmp_path / "carbon")
    clean, carbon = (
        mrcfile.read(tmp_path / name / "masks" / "simulated_000000.mrc") for name in ("clean", "carbon")
    )
    assert clean.dtype == np.int8
    assert (np.unique(clean).tolist(), np.unique(carbon).tolist()) == ([0], [Junk.NONE, Junk.CARBON])


def test_a_store_holds_what_ingesting_the_files_would(serial, tmp_path):
    url = str(tmp_path / "store.zarr")
    run(plan(), tmp_path / "out", store_url=url)
    assert not (tmp_path / "out" / "micrographs").exists()
    store = MicrographStore(url)
    rows = read_manifest(store.place)
    assert len(rows) == 4
    for name, row in rows.items():
        expected = prepare(mrcfile.read(serial / "micrographs" / name), (192, 256)).pixels
        assert np.array_equal(store.read(row), expected.astype(np.float16).astype(np.float32))
        assert (row.pixel_size_A, row.status) == (6, "complete")
    assert run(plan("micrographs=5"), tmp_path / "out", store_url=url) == []
    assert len(read_manifest(store.place)) == 5


def test_a_store_of_another_simulation_is_refused(tmp_path):
    url = str(tmp_path / "store.zarr")
    run(plan("micrographs=1"), tmp_path / "one", store_url=url)
    with pytest.raises(UsageError, match="`store`"):
        run(plan("micrographs=1", "seed=1"), tmp_path / "two", store_url=url)
    assert not (tmp_path / "two").exists()


def test_a_micrograph_that_cannot_be_made_is_reported_and_the_others_are_made(tmp_path):
    crowded = plan("scene.particles=0,5000")  # beyond what run() lets pass
    items = [NumberedMicrograph(number) for number in range(12)]
    report = SimulateWorker(tmp_path, crowded, None).process(items)
    assert report.complete + len(report.failures) == 12
    assert all("do not fit" in reason for _, reason in report.failures)
    made = {path.name for path in tmp_path.glob("micrographs/*")}
    assert len(made) == report.complete
    assert made.isdisjoint(name for name, _ in report.failures)


@pytest.mark.parametrize("text", ["scene.particles=0,5000", "scene.mixture=1,2"])
def test_what_cannot_be_is_refused_before_anything_is_written(tmp_path, text):
    with pytest.raises(UsageError):
        run(plan(text), tmp_path / "out", store_url=str(tmp_path / "store.zarr"))
    assert not list(tmp_path.iterdir())
