"""A store with a torn micrograph, a tiny network, and what a worker picks with it."""

import mrcfile
import torch

from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.pickers.topaz.networks import TopazNetwork
from cryopick_ray.pickers.weights import ModelCard, save_model, weights_digest
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.settings.run_settings import IngestSettings
from cryopick_ray.simulate.phantom import make_phantom
from cryopick_ray.stages import pick_worker
from cryopick_ray.stages.ingest_worker import IngestWorker
from cryopick_ray.stages.pick_worker import PickWorker
from cryopick_ray.store.layout import shard_key
from cryopick_ray.store.manifest import read_manifest
from cryopick_ray.store.store import MicrographStore


def tiny_model(tmp_path):
    torch.manual_seed(0)
    state = TopazNetwork("topaz-resnet8", 2).state_dict()
    card = {
        "name": "tiny",
        "architecture": "topaz-resnet8",
        "parameters": {"units": 2},
        "particle_px": 20.0,
        "normalisation": "topaz-gmm",
        "trained_on": "nothing",
        "licence": "CC0-1.0",
        "source": "a test",
        "digest": weights_digest(state),
    }
    save_model(tmp_path / "tiny.safetensors", state, ModelCard.model_validate(card))
    return str(tmp_path / "tiny.safetensors")


def torn_store(tmp_path):
    """Six micrographs of two shapes, the third one's shard torn."""
    sources = []
    for seed, shape in enumerate([(256, 300)] * 5 + [(280, 256)]):
        path = tmp_path / f"{seed}.mrc"
        pixels = make_phantom(seed, shape=shape, particles=5).pixels
        mrcfile.write(path, pixels, voxel_size=3.0)
        sources.append(MicrographSource(path.name, "set", path, path.name))
    store = MicrographStore(str(tmp_path / "s.zarr"), create=True)
    IngestWorker(store.place.url, IngestSettings()).process(sources)
    torn = store.place.get(shard_key("2.mrc"))
    store.place.put(shard_key("2.mrc"), torn[:-100] + bytes(100))
    return store


def picks(store, folder, settings, monkeypatch, most):
    monkeypatch.setattr(pick_worker, "most_at_once", lambda picker: most)
    rows = sorted(read_manifest(store.place).values(), key=lambda row: row.micrograph_id)
    report = PickWorker(store.place.url, str(folder), "d", settings, "cpu").process(rows)
    shards = PickShards(str(folder), "d")
    table, coverage = shards.read(shards.published()[0])
    return report, table.to_pandas(), coverage
