"""Ray's own test cluster: several nodes on this machine, with pretended GPUs."""

import threading
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import pytest
import ray
from diary import DiaryWorker, complete, entries, notes, run, tried, units
from ray.cluster_utils import Cluster

from cryopick_ray.engine.open_engine import open_engine
from cryopick_ray.settings.engine_settings import EngineSettings

NAMES = [f"m{number}" for number in range(24)]


@contextmanager
def nodes(*resources):
    """Start a cluster of one node without room and others with ``resources``; yield it."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        for resource in resources:
            cluster.add_node(**resource)
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


@contextmanager
def engine_on(cluster, **settings):
    with open_engine(EngineSettings(address=cluster.address, **settings), threads=1) as engine:
        yield engine


@pytest.mark.parametrize(("share", "on_one"), [(1.0, 1), (0.5, 2)])
def test_actors_sit_on_gpus_at_the_stated_share_and_see_their_own_alone(tmp_path, share, on_one):
    gpus = {"num_cpus": 1, "num_gpus": 2}, {"num_cpus": 1, "num_gpus": 1}
    names = [f"meet-{3 * on_one}-{number}" for number in range(24)]
    with nodes(*gpus) as cluster, engine_on(cluster, gpus_per_worker=share) as engine:
        reports = run(engine, tmp_path, names, on_gpu=True)
    assert complete(reports) == len(names)
    actors = defaultdict(set)
    for _, pid, gpu, node, _ in entries(tmp_path):
        assert gpu in {"0", "1"}
        actors[node, gpu].add(pid)
    assert len(actors) == 3
    assert {len(pids) for pids in actors.values()} == {on_one}


def test_workers_follow_nodes_that_come_and_go(tmp_path):
    names = [f"m{number}" for number in range(160)]
    with nodes({"num_cpus": 1}) as cluster, engine_on(cluster) as engine:
        made = partial(DiaryWorker, tmp_path, 0.25)
        reports, moments = [], []
        for report in engine.run(units(names), made, on_gpu=False):
            reports.append(report)
            moments.append(len(entries(tmp_path)))
            if complete(reports) == 10 and len(cluster.list_all_nodes()) == 2:
                second, third = cluster.add_node(num_cpus=1), cluster.add_node(num_cpus=1)
            if complete(reports) == 100 and third is not None:
                cluster.remove_node(third, allow_graceful=False)
                third = None
    assert complete(reports) == len(names)
    assert sorted(tried(tmp_path)) == sorted(names)
    done = entries(tmp_path)
    assert len({node for *_, node, _ in done[:8]}) == 1
    assert len({node for *_, node, _ in done[70:95]}) == 3
    assert len({node for *_, node, _ in done[-15:]}) == 2
    assert rate(done[70:95]) > 2 * rate(done[:10])
    assert rate(done[-30:]) > 1.4 * rate(done[:10])
    assert second is not None


def rate(done):
    return (len(done) - 1) / (float(done[-1][-1]) - float(done[0][-1]))


def test_a_node_that_is_about_to_vanish_is_left_with_nothing_lost(tmp_path):
    names = ["leave", *NAMES]
    with nodes({"num_cpus": 1}, {"num_cpus": 1}) as cluster, engine_on(cluster) as engine:
        reports = run(engine, tmp_path, names, size=5, seconds=0.1)
    assert complete(reports) == len(names)
    assert tried(tmp_path) == Counter(names)  # it stopped after the item in hand
    done = entries(tmp_path)
    left = next(node for name, _, _, node, _ in done if name == "leave")
    after = [node for *_, node, _ in done[[name for name, *_ in done].index("leave") + 1 :]]
    assert left not in after
    assert sum("about to vanish" in note for note in notes(reports)) == 1


def test_a_node_where_no_worker_can_start_is_left_alone(tmp_path):
    with nodes({"num_cpus": 1}, {"num_cpus": 1}) as cluster, engine_on(cluster) as engine:
        bad, good = (node["NodeID"] for node in ray.nodes() if node["Resources"].get("CPU"))
        (tmp_path / "bad node").write_text(bad)
        reports = run(engine, tmp_path, NAMES, seconds=0.5)
    assert complete(reports) == len(NAMES)
    assert {node for *_, node, _ in entries(tmp_path)} == {good}
    assert any("gets no more work" in note for note in notes(reports))


def test_nothing_is_lost_with_a_node(tmp_path):
    with nodes({"num_cpus": 2}, {"num_cpus": 2}) as cluster, engine_on(cluster) as engine:
        victim = cluster.worker_nodes.copy().pop()
        killer = threading.Timer(3.0, partial(cluster.remove_node, victim, allow_graceful=False))
        killer.start()
        reports = run(engine, tmp_path, [f"m{n}" for n in range(60)], size=3, seconds=0.2)
        killer.join()
    assert complete(reports) == 60
    assert set(tried(tmp_path)) == {f"m{n}" for n in range(60)}


def test_a_run_waits_for_gpus_that_the_cluster_does_not_have_yet(tmp_path):
    with nodes({"num_cpus": 1}) as cluster, engine_on(cluster, device="cuda") as engine:
        assert engine.has_gpus
        with ThreadPoolExecutor(1) as thread:
            reports = thread.submit(run, engine, tmp_path, NAMES[:4], on_gpu=True)
            time.sleep(2)
            assert not reports.done()
            cluster.add_node(num_gpus=1)
            reports = reports.result()
    assert complete(reports) == 4
    assert {gpu for _, _, gpu, _, _ in entries(tmp_path)} == {"0"}
