"""Particles of a run in a bucket come from its store once its files are gone."""

import shutil

import cryopick_ray
from cryopick_ray.engine.events import Silence
from cryopick_ray.engine.serial import SerialEngine
from cryopick_ray.particles.extract_settings import ExtractSettings
from cryopick_ray.runs.extracted import extract_particles
from cryopick_ray.settings.engine_settings import EngineSettings
from tests.end_to_end.micrograph_files import phantom, write_mrc


def test_particles_of_a_run_in_a_bucket(bucket, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mics").mkdir()
    for seed in range(2):
        write_mrc(tmp_path / f"mics/{seed}.mrc", phantom(seed, shape=(256, 288)).pixels)
    settings = cryopick_ray.Settings(inputs=["mics"], model="log", diameter_A=120, pixel_size_A=4)
    cryopick_ray.run(settings, f"{bucket.url}/run", engine=EngineSettings(engine="serial"))
    wanted = ExtractSettings(picks=f"{bucket.url}/run", box=["200A"])
    (there,) = extract_particles(wanted, "there", SerialEngine(), Silence()).files
    shutil.rmtree("mics")
    (stored,) = extract_particles(wanted, "stored", SerialEngine(), Silence()).files
    assert (there.from_store, stored.from_store) == (0, 2)
    assert there.particles == stored.particles > 0
