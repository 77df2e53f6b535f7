import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import ray
import small_training
import torch
from small_training import SlowRecipe, Told, UnluckyRecipe, losses, small_job

from cryopick_ray.engine.open_engine import open_engine
from cryopick_ray.errors import EngineError, StoreError, TrainingError
from cryopick_ray.settings.engine_settings import EngineSettings
from cryopick_ray.training.loop.loss_log import read_log
from cryopick_ray.training.loop.ray_train import check_room, most_threads, train_on_ray
from cryopick_ray.training.loop.single_worker import train_here

# Ray Train makes settings of Ray Data, which warn of their own fields; nobody else gets to see it.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context")

ROUNDING = 1e-6


@pytest.fixture(scope="module")
def running_ray():
    """One private Ray for all tests of this file; its workers cannot import this folder."""
    ray.cloudpickle.register_pickle_by_value(small_training)
    with open_engine(EngineSettings(workers=2), threads=1):
        yield
    ray.cloudpickle.unregister_pickle_by_value(small_training)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """As many as each worker has: sums are rounded alike."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("store") / "s.zarr"


@pytest.fixture(scope="module")
def undisturbed(store, tmp_path_factory):
    """The whole training in one process: what all others must come to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    return train_here(small_job(store), folder, torch.device("cpu"), Told())


def train(job, folder, workers, listener=None):
    return train_on_ray(job, folder, workers=workers, threads=1, device="cpu", listener=listener or Told())


@contextmanager
def said():
    """Collect what this process and those that it starts print, in a fixture."""
    texts = []
    with tempfile.TemporaryFile() as file:
        before = [(stream, os.dup(stream)) for stream in (1, 2)]
        for stream, _ in before:
            os.dup2(file.fileno(), stream)
        try:
            yield texts
        finally:
            for stream, copy in before:
                os.dup2(copy, stream)
                os.close(copy)
        file.seek(0)
        texts.append(file.read().decode())


@pytest.fixture(scope="module")
def unlucky(running_ray, store, tmp_path_factory):
    """Two workers: one is killed in the second epoch; after the third, one meets an error of the program."""
    marks, folder, told = tmp_path_factory.mktemp("marks"), tmp_path_factory.mktemp("unlucky"), []
    recipe = UnluckyRecipe(killed=str(marks / "killed"), met=str(marks / "met"))
    with said() as texts, pytest.raises(StoreError) as raised:
        train(small_job(store, recipe), folder, (2, 2), Told(told.append))
    return SimpleNamespace(marks=marks, folder=folder, told=told, error=raised.value, said=texts)


def test_two_workers_train_as_one_with_the_whole_batch(unlucky, store, undisturbed, tmp_path):
    assert tuple(unlucky.told) == read_log(unlucky.folder)
    assert {epoch.workers for epoch in unlucky.told} == {2}
    assert sorted(path.name for path in unlucky.folder.iterdir()) == ["checkpoint.pt", "log.csv"]
    rest = shutil.copytree(unlucky.folder, tmp_path / "rest")
    state = train_here(small_job(store), rest, torch.device("cpu"), Told())  # one more epoch
    np.testing.assert_allclose(losses(state), losses(undisturbed), atol=ROUNDING)
    for name, tensor in undisturbed.network.items():
        torch.testing.assert_close(state.network[name], tensor, atol=1e-5, rtol=1e-4)


def test_a_killed_worker_costs_its_epoch_only(unlucky, undisturbed):
    assert (unlucky.marks / "killed").exists()
    assert [epoch.epoch for epoch in unlucky.told] == [1, 2, 3]
    loss = [(epoch.train_loss, epoch.validation_loss) for epoch in unlucky.told]
    np.testing.assert_allclose(loss, losses(undisturbed)[:3], atol=ROUNDING)


def test_an_error_of_one_worker_comes_out_as_itself_at_once(unlucky):
    assert str(unlucky.error) == "the shard of 1.mrc is damaged; ingest it again"
    assert (unlucky.marks / "met").read_text() == "met\n"
    assert unlucky.said == [""]


@pytest.fixture(scope="module")
def ended(running_ray, store, tmp_path_factory):
    """One process begins; one worker of Ray ends it, slowly."""

    def stop(epoch):
        if epoch.epoch == 2:
            raise KeyboardInterrupt

    folder, told = tmp_path_factory.mktemp("ended"), []
    with pytest.raises(KeyboardInterrupt):
        train_here(small_job(store), folder, torch.device("cpu"), Told(stop))
    listener, job = Told(told.append), small_job(store, SlowRecipe(step_s=0.4))
    with said() as texts:
        state = train(job, folder, (1, 1), listener)
    return SimpleNamespace(
        folder=folder, told=told, said=texts, state=state, stepped=listener.stepped, steps=job.settings.steps
    )


def test_what_one_process_began_a_worker_of_ray_ends(ended, undisturbed):
    assert [epoch.epoch for epoch in ended.told] == [3, 4]
    np.testing.assert_array_equal(losses(ended.state), losses(undisturbed))
    assert tuple(ended.told) == ended.state.history[2:]
    assert ended.state.history == read_log(ended.folder)
    assert sorted(path.name for path in ended.folder.iterdir()) == ["checkpoint.pt", "log.csv"]
    assert ended.said == [""]


def test_steps_within_an_epoch_are_told_while_it_goes_on(ended):
    assert ended.stepped[0] == (3, 1, ended.steps)
    assert sum(epoch == 3 for epoch, *_ in ended.stepped) > 1
    assert ended.stepped == sorted(set(ended.stepped))


def test_a_batch_must_be_enough_for_all_workers(store, tmp_path):
    with pytest.raises(TrainingError, match="batch of 2 cannot be shared by 3 workers"):
        train(small_job(store, batch=2), tmp_path, (1, 3))


def test_without_room_nothing_waits(running_ray, store, tmp_path):
    cpus = int(ray.cluster_resources()["CPU"])
    check_room((1, 10 * cpus), cpus, on_gpu=False)  # the least decides
    check_room((cpus, cpus), 1, on_gpu=False)
    for workers, threads in ((1, cpus + 1), (2, cpus // 2 + 1), (cpus + 1, 1)):
        with pytest.raises(EngineError, match=rf"`workers`.*`threads`.*Ray has {cpus} CPUs and 0 GPUs"):
            check_room((workers, workers), threads, on_gpu=False)
    with pytest.raises(EngineError, match="a GPU each"):
        check_room((1, 1), 1, on_gpu=True)
    with pytest.raises(EngineError, match="no room for 2 workers"):
        train_on_ray(small_job(store), tmp_path, workers=(2, 2), threads=cpus, device="cpu", listener=Told())
    assert not (tmp_path / "checkpoint.pt").exists()


def test_most_threads_are_those_that_just_find_room(running_ray):
    cpus = int(ray.cluster_resources()["CPU"])
    for workers in range(1, cpus + 1):
        threads = most_threads(workers, on_gpu=False)
        check_room((workers, workers), threads, on_gpu=False)
        with pytest.raises(EngineError):
            check_room((workers, workers), threads + 1, on_gpu=False)
    assert most_threads(cpus + 1, on_gpu=False) == 1
    assert most_threads(1, on_gpu=True) == 1


def test_after_a_killed_driver_training_goes_on(store, undisturbed, tmp_path):
    import psutil  # comes with Ray, found once that is imported

    driver = subprocess.Popen([sys.executable, Path(__file__).with_name("driver.py"), store, tmp_path])
    try:
        while driver.poll() is None and not read_log(tmp_path):
            time.sleep(0.1)
        children = psutil.Process(driver.pid).children(recursive=True)
        workers = [child for child in children if "TrainWorker" in child.cmdline()[0]]
    finally:
        driver.kill()
        driver.wait()
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert (len(workers), alive) == (2, [])
    done = len(read_log(tmp_path))
    assert 1 <= done < 4
    told = []
    state = train_here(small_job(store), tmp_path, torch.device("cpu"), Told(told.append))
    assert [epoch.epoch for epoch in told] in ([2, 3, 4], [3, 4])
    np.testing.assert_allclose(losses(state), losses(undisturbed), atol=ROUNDING)
