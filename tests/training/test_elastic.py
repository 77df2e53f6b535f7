import logging

import numpy as np
import pytest
import ray
import small_training
import torch
from ray.cluster_utils import Cluster
from small_training import SlowRecipe, Told, losses, small_job

from cryopick_ray.training.loop import ray_train
from cryopick_ray.training.loop.single_worker import train_here

# Ray Train makes settings of Ray Data, which warn of their own fields; nobody else gets to see it.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context")

NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20}


@pytest.fixture
def cluster(monkeypatch):
    """A Ray of one node with room for one worker; others may join."""
    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    monkeypatch.setattr(ray_train, "RESIZE_SECONDS", 3.0)
    ray.cloudpickle.register_pickle_by_value(small_training)
    cluster = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
    ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.ERROR)
    yield cluster
    ray.shutdown()
    cluster.shutdown()
    ray.cloudpickle.unregister_pickle_by_value(small_training)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_workers_come_and_go_with_their_nodes(cluster, tmp_path):
    nodes, sizes = [], []

    def on_epoch(one):
        sizes.append(one.workers)
        if not nodes:
            nodes.append(cluster.add_node(**NODE))
        elif one.workers == 2 and len(nodes) == 1:
            cluster.remove_node(nodes[0], allow_graceful=False)
            nodes.append(None)

    epochs, store = 12, tmp_path / "s.zarr"
    state = ray_train.train_on_ray(
        small_job(store, SlowRecipe(step_s=1.0), epochs=epochs),
        tmp_path / "run",
        workers=(1, 2),
        threads=1,
        device="cpu",
        listener=Told(on_epoch),
    )
    alone = train_here(small_job(store, epochs=epochs), tmp_path / "alone", torch.device("cpu"), Told())
    np.testing.assert_allclose(losses(state), losses(alone), atol=1e-6)
    changes = [size for number, size in enumerate(sizes) if number == 0 or size != sizes[number - 1]]
    assert changes == [1, 2, 1]
