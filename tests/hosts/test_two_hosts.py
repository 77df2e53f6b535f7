"""Two hosts, a cable between them, and what may happen to either in the middle of a run."""

import time

import pytest
from namespaces import Network, eventually
from ray_nodes import RayNodes, busy_workers

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("namespaces"), pytest.mark.timeout(900)]


@pytest.fixture
def network(tmp_path_factory):
    with Network(tmp_path_factory.getbasetemp(), ["head", "far"]) as network:
        yield network


@pytest.fixture
def nodes(network, tmp_path):
    """Ray on both hosts, with room for one worker each."""
    nodes = RayNodes(network, tmp_path)
    nodes.start("head", cpus=1)
    nodes.start("far", cpus=1, head="head")
    nodes.wait_for_nodes("head", 2)
    return nodes


@pytest.fixture
def half_done(nodes, network, slow_run_file, shards, tmp_path):
    """A run in its middle, with a worker at work on both hosts; its folder and its process."""
    out = tmp_path / "run"
    process = nodes.cryopick("head", "run", "--config", slow_run_file, "--out", out, "--workers", "2")

    def in_its_middle():
        return len(shards(out)) >= 3 and all(busy_workers(network[name]) for name in ("head", "far"))

    eventually(in_its_middle, 240, "the middle of the run")
    assert process.poll() is None
    return out, process


def ends_well(process):
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, output + errors


def test_two_hosts_do_what_one_does(half_done, is_whole):
    out, process = half_done
    ends_well(process)
    is_whole(out)


@pytest.mark.parametrize("seconds", [2, 15])
def test_a_pulled_cable_that_is_put_back_costs_nothing(half_done, network, is_whole, seconds):
    out, process = half_done
    network.pull_cable("far")
    time.sleep(seconds)  # shorter and longer than the head waits for a node's answer
    network.plug_cable("far")
    ends_well(process)
    is_whole(out)


def test_a_cut_off_host_is_done_without(half_done, network, is_whole):
    out, process = half_done
    network.pull_cable("far")
    ends_well(process)
    is_whole(out)


def test_a_host_without_power_is_done_without(half_done, network, is_whole):
    out, process = half_done
    network["far"].kill()
    ends_well(process)
    is_whole(out)


def test_after_the_loss_of_the_head_a_new_cluster_goes_on(half_done, nodes, network, shards, is_whole):
    out, process = half_done
    network["head"].kill()
    process.communicate(timeout=60)
    assert process.returncode != 0
    kept = shards(out)
    network.boot("head")
    nodes.start("head", cpus=1)  # the other host's worker may still publish what it has in hand
    nodes.wait_for_nodes("head", 1)
    ends_well(nodes.cryopick("head", "run", "--out", out, "--resume"))
    is_whole(out)
    assert kept
    assert kept.items() <= shards(out).items()
