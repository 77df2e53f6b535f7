"""The script for SLURM, as the template gives it, under real daemons on four hosts."""

import stat

import pytest
from namespaces import Network, eventually
from ray_nodes import BIN, MICROGRAPHS, busy_workers
from slurm_daemons import Slurm, missing

from cryopick_ray.launch.cluster_settings import cluster_settings
from cryopick_ray.launch.render import render

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.usefixtures("namespaces"),
    pytest.mark.skipif(bool(missing()), reason=missing()),
    pytest.mark.timeout(900),
]
GPUS = {"n1": 2, "n2": 1, "n3": 1}


@pytest.fixture
def network(tmp_path_factory):
    with Network(tmp_path_factory.getbasetemp(), ["login", *GPUS]) as network:
        yield network


@pytest.fixture
def slurm(network, tmp_path):
    folder = tmp_path / "slurm"
    folder.mkdir()
    return Slurm(network, folder, "login", GPUS)


@pytest.fixture
def submit(slurm, slow_run, tmp_path):
    """Submit a run; return the job's number, the run's folder and the folder all nodes share."""

    def submit(name, nodes, *options):
        shared = tmp_path / "shared"
        shared.mkdir(exist_ok=True)
        settings = cluster_settings(
            {
                "kind": "slurm",
                "name": name,
                "nodes": nodes,
                "cpus_per_node": 1,
                "time_limit": "00:30:00",
                "venv": str(BIN.parent),
                "shared_dir": str(shared),
                "out": str(shared / name),
                "run": slow_run,
                "engine": {"device": "auto"},  # the GPUs are pretended
            }
        )
        script = shared / f"{name}.sh"
        script.write_text(render(settings)["job.sh"])
        return slurm("sbatch", "--parsable", *options, script).strip(), shared / name

    return submit


def ends(slurm, job):
    """Wait for the end of a job and return its state and how often it was started anew."""
    over = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL"}
    eventually(lambda: slurm.state(job)[0] in over, 300, f"the end of job {job}")
    return slurm.state(job)


def test_three_nodes_do_what_one_process_does(slurm, submit, network, is_whole):
    job, out = submit("apo", 3)
    token = out.parent / f".apo-{job}" / "token"
    eventually(lambda: at_work(network) == set(GPUS), 240, "work on all nodes")
    secret = token.read_text()
    assert len(secret) == 64
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert stat.S_IMODE(token.parent.stat().st_mode) == 0o700
    for name in GPUS:
        assert secret not in network[name].sh("ps -ewwo args")
    assert ends(slurm, job) == ("COMPLETED", 0)
    is_whole(out)
    assert secret not in out.with_suffix(".log").read_text()
    assert not token.parent.exists()
    for name in GPUS:
        left = network[name].sh("ps -eo stat=,args=; ls /tmp").splitlines()
        left = [line for line in left if "ray" in line and not line.startswith("Z")]
        assert left == []


@pytest.mark.parametrize("how", ["at once", "with notice"])
def test_a_preempted_job_goes_on_where_it_was(slurm, submit, network, shards, is_whole, how):
    job, out = submit("apo", 3)
    eventually(lambda: len(shards(out)) >= 3 and at_work(network) == set(GPUS), 240, "the middle of the run")
    if how == "at once":
        slurm("scontrol", "requeue", job)
    else:
        slurm("sbatch", "--partition=urgent", "--nodes=3", "--exclusive", "--wrap=true")
    eventually(lambda: slurm.state(job)[1] == 1, 90, "the requeue")
    kept = shards(out)
    assert 3 <= len(kept) < MICROGRAPHS
    assert not (out / "table").exists()
    assert ends(slurm, job) == ("COMPLETED", 1)
    is_whole(out)
    assert kept.items() <= shards(out).items()


def test_a_job_that_is_stopped_stays_so_and_goes_on_when_submitted_again(
    slurm, submit, network, shards, is_whole
):
    job, out = submit("apo", 1, "--nodelist=n1")
    eventually(lambda: len(shards(out)) >= 2, 240, "the middle of the run")
    slurm("scancel", "--batch", "--signal=TERM", job)
    assert ends(slurm, job) == ("FAILED", 0)
    kept = shards(out)
    assert 2 <= len(kept) < MICROGRAPHS
    again, _ = submit("apo", 2)
    assert ends(slurm, again) == ("COMPLETED", 0)
    is_whole(out)
    assert kept.items() <= shards(out).items()


def test_two_jobs_share_a_node(slurm, submit, network, is_whole):
    jobs = [submit(name, 1, "--nodelist=n1") for name in ("apo", "betagal")]
    eventually(lambda: busy_workers(network["n1"]) == 2, 240, "two workers on one node")
    for job, out in jobs:
        assert ends(slurm, job) == ("COMPLETED", 0)
        is_whole(out)


def at_work(network):
    """Return the names of the nodes whose workers are at work now."""
    return {name for name in GPUS if busy_workers(network[name])}
