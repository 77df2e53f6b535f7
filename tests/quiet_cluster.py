"""Ray's own test cluster, without the processes that no test looks at."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray.cluster_utils import Cluster

from cryopick_ray.engine.ray_private import few_processes

OBJECT_STORE_BYTES = 80 * 2**20
CHECKS = {"health_check_period_ms": 300}
"""A node that was killed is missed after five, not after 15 s; one that is slow has as long as ever."""

Node = Any  # Ray's


class QuietCluster:
    """A head without room for work, and nodes that come and go."""

    def __init__(self) -> None:
        self._offers: dict[Node, dict[str, int]] = {}
        with few_processes():
            self._cluster = Cluster(
                initialize_head=True,
                head_node_args={
                    "num_cpus": 0,
                    "include_dashboard": False,
                    "object_store_memory": OBJECT_STORE_BYTES,
                    "_system_config": CHECKS,
                },
            )

    @property
    def address(self) -> str:
        """What a driver joins it by."""
        return str(self._cluster.address)

    @property
    def nodes(self) -> list[Node]:
        """All nodes but the head, the oldest first."""
        return list(self._offers)

    def add(self, **offer: int) -> Node:
        """Bring a node with ``num_cpus`` and ``num_gpus``."""
        with few_processes():
            node = self._cluster.add_node(**offer, object_store_memory=OBJECT_STORE_BYTES)
        self._offers[node] = offer
        return node

    def remove(self, node: Node, *, raylet_first: bool = False) -> None:
        """Kill the processes of a node, without a word to any of them."""
        if raylet_first:
            node.kill_raylet(check_alive=False)
        self._cluster.remove_node(node, allow_graceful=False)
        del self._offers[node]

    def have(self, *offers: dict[str, int]) -> list[Node]:
        """Have nodes with just these offers and return them; those of another test that are alike stay."""
        nodes: list[Node] = []
        left = self.nodes
        for offer in offers:
            node = next((node for node in left if self._offers[node] == offer), None)
            if node is not None:
                left.remove(node)
            nodes.append(node or self.add(**offer))
        for node in left:
            self.remove(node)
        while self._known() > 1 + len(nodes):  # else work would be given to nodes that are gone
            time.sleep(0.05)
        return nodes

    def _known(self) -> int:
        """Return how many nodes, itself among them, the head takes for alive."""
        return sum(node["Alive"] for node in self._cluster.global_state.node_table())

    def close(self) -> None:
        """End all of it."""
        self._cluster.shutdown()


@contextmanager
def quiet_cluster() -> Iterator[QuietCluster]:
    """Run a cluster of a head alone."""
    cluster = QuietCluster()
    try:
        yield cluster
    finally:
        ray.shutdown()
        cluster.close()
