"""Ray's own test cluster: several nodes on this machine, with pretended GPUs."""

import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import pytest
import ray
from diary import DiaryWorker, complete, entries, notes, run, tried, units

from cryopick_ray.engine.open_engine import open_engine
from cryopick_ray.settings.engine_settings import EngineSettings
from tests.quiet_cluster import quiet_cluster

NAMES = [f"m{number}" for number in range(24)]
ONE = {"num_cpus": 1}
FOLLOWED = [("alone", 10), ("meet-3-", 6), ("m", 80)]
"""Units for one worker; for three that wait for each other, of which each holds two; for all there are."""


@pytest.fixture(scope="module")
def cluster():
    """A head without room, to which each test adds nodes."""
    with quiet_cluster() as running:
        yield running


@contextmanager
def engine_on(cluster, **settings):
    with open_engine(EngineSettings(address=cluster.address, **settings), threads=1) as engine:
        yield engine


def test_actors_sit_on_gpus_at_the_stated_share_and_see_their_own_alone(cluster, tmp_path):
    cluster.have({"num_cpus": 1, "num_gpus": 2}, {"num_cpus": 1, "num_gpus": 1})
    for share, on_one in [(1.0, 1), (0.5, 2)]:
        diary = tmp_path / f"{share}"
        diary.mkdir()
        names = [f"meet-{3 * on_one}-{number}" for number in range(24)]
        with engine_on(cluster, gpus_per_worker=share) as engine:
            reports = run(engine, diary, names, on_gpu=True)
        assert complete(reports) == len(names)
        actors = defaultdict(set)
        for _, pid, gpu, node, _ in entries(diary):
            assert gpu in {"0", "1"}
            actors[node, gpu].add(pid)
        assert len(actors) == 3
        assert {len(pids) for pids in actors.values()} == {on_one}


def test_workers_follow_nodes_that_come_and_go(cluster, tmp_path):
    alone, meeting, many = ([f"{kind}{n}" for n in range(count)] for kind, count in FOLLOWED)
    cluster.have(ONE)
    with engine_on(cluster) as engine:
        reports, third = [], None
        made = partial(DiaryWorker, tmp_path, 0.25)
        for report in engine.run(units([*alone, *meeting, *many]), made, on_gpu=False):
            reports.append(report)
            if complete(reports) == 10:
                _, third = cluster.add(**ONE), cluster.add(**ONE)
            if complete(reports) == 46:
                cluster.remove(third)
    done = entries(tmp_path)
    assert complete(reports) == len(alone + meeting + many)
    assert sorted(tried(tmp_path)) == sorted(alone + meeting + many)
    assert len({node for *_, node, _ in done[:8]}) == 1
    assert len({node for *_, node, _ in done[18:43]}) == 3
    assert len({node for *_, node, _ in done[-15:]}) == 2
    assert rate(done[18:43]) > 2 * rate(done[:10])
    assert rate(done[-30:]) > 1.4 * rate(done[:10])


def rate(done):
    return (len(done) - 1) / (float(done[-1][-1]) - float(done[0][-1]))


def test_a_node_that_is_about_to_vanish_is_left_with_nothing_lost(cluster, tmp_path):
    names = ["leave", *NAMES]
    cluster.have(ONE, ONE)
    with engine_on(cluster) as engine:
        reports = run(engine, tmp_path, names, size=5, seconds=0.1)
    assert complete(reports) == len(names)
    assert tried(tmp_path) == Counter(names)  # it stopped after the item in hand
    done = entries(tmp_path)
    left = next(node for name, _, _, node, _ in done if name == "leave")
    after = [node for *_, node, _ in done[[name for name, *_ in done].index("leave") + 1 :]]
    assert left not in after
    assert sum("about to vanish" in note for note in notes(reports)) == 1


def test_a_node_where_no_worker_can_start_is_left_alone(cluster, tmp_path):
    cluster.have(ONE, ONE)
    with engine_on(cluster) as engine:
        bad, good = (node["NodeID"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU"))
        (tmp_path / "bad node").write_text(bad)
        reports = []
        for report in engine.run(units(["a", "wait", "b"]), partial(DiaryWorker, tmp_path), on_gpu=False):
            reports.append(report)
            if any("gets no more work" in note for note in report.notes):
                (tmp_path / "no more waiting").touch()
    assert complete(reports) == 3
    assert {node for *_, node, _ in entries(tmp_path)} == {good}


def test_nothing_is_lost_with_a_node(cluster, tmp_path):
    meeting = [f"meet-3-{number}" for number in range(15)]  # five units, of which each worker holds two
    names = [*meeting, *(f"m{number}" for number in range(24))]
    victim, _ = cluster.have({"num_cpus": 2}, ONE)
    with engine_on(cluster) as engine:
        reports = []
        for report in engine.run(units(names, 3), partial(DiaryWorker, tmp_path, 0.2), on_gpu=False):
            reports.append(report)
            at_work = {pid for _, pid, _, node, _ in entries(tmp_path) if node == victim.node_id}
            if len(at_work) == 2 and victim in cluster.nodes:
                cluster.remove(victim)
        assert victim not in cluster.nodes
    assert complete(reports) == len(names)
    assert set(tried(tmp_path)) == set(names)


def test_a_run_waits_for_gpus_that_the_cluster_does_not_have_yet(cluster, tmp_path):
    cluster.have(ONE)
    with engine_on(cluster, device="cuda") as engine:
        assert engine.has_gpus
        with ThreadPoolExecutor(1) as thread:
            reports = thread.submit(run, engine, tmp_path, NAMES[:4], on_gpu=True)
            time.sleep(2)
            assert not reports.done()
            cluster.add(num_cpus=1, num_gpus=1)
            reports = reports.result()
    assert complete(reports) == 4
    assert {gpu for _, _, gpu, _, _ in entries(tmp_path)} == {"0"}
