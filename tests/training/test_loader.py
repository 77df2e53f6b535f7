import threading
import time
from dataclasses import replace

import pytest
import torch
from small_training import SmallRecipe, small_rows

from cryopick_ray.errors import CryoPickError
from cryopick_ray.training.data.batch_plan import BatchPlan
from cryopick_ray.training.data.examples import Examples
from cryopick_ray.training.data.loader import AHEAD, Loader, processes_for
from cryopick_ray.training.data.views import Views

STEPS, BATCH = 3, 9


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    rows = small_rows(tmp_path_factory.mktemp("store"), range(4))
    return Examples(
        SmallRecipe(), rows, BatchPlan(1, len(rows), BATCH, STEPS), views=Views((0.8, 1.25), general=True)
    )


def epochs(examples, processes, rank=0, size=1, first=0):
    loader = Loader(examples, range(first, 3), STEPS, rank, size, processes)
    return [list(loader.epoch()) for _ in range(first, 3)]


@pytest.mark.parametrize(("rank", "size", "processes"), [(0, 1, 1), (1, 2, 2)])
def test_other_processes_make_the_same_batches(examples, rank, size, processes):
    here, elsewhere = epochs(examples, 0, rank, size), epochs(examples, processes, rank, size)
    for ours, theirs in zip(here, elsewhere, strict=True):
        assert len(ours) == STEPS
        for our, other in zip(ours, theirs, strict=True):
            assert all(torch.equal(*pair) for pair in zip(our, other, strict=True))


def test_a_training_that_goes_on_gets_the_epochs_that_are_left(examples):
    whole, rest = epochs(examples, 0), epochs(examples, 0, first=1)
    assert torch.equal(whole[1][0][0], rest[0][0][0])
    assert not torch.equal(whole[0][0][0], rest[0][0][0])


@pytest.mark.parametrize("processes", [0, 1])
def test_what_a_person_must_know_comes_from_other_processes_in_a_line(tmp_path, processes):
    (row,) = small_rows(tmp_path / "store", [0])
    lost = replace(row, store_url=str(tmp_path / "gone"))
    examples = Examples(SmallRecipe(), [lost], BatchPlan(1, 1, BATCH, STEPS))
    with pytest.raises(CryoPickError) as raised:
        next(Loader(examples, range(1), STEPS, 0, 1, processes).epoch())
    assert "gone" in str(raised.value)
    assert "Traceback" not in str(raised.value)


class Watched:
    """Examples that tell which thread made them."""

    def __init__(self):
        self.threads = []

    def batches(self, epoch, rank, workers):
        for _ in range(STEPS):
            self.threads.append(threading.get_ident())
            yield torch.zeros(1), torch.zeros(1)


def test_a_cpu_has_its_examples_made_by_another_thread_a_few_ahead():
    watched = Watched()
    loader = Loader(watched, range(9), STEPS, 0, 1, 0)
    next(loader.epoch())
    patience = time.monotonic() + 30
    while len(watched.threads) < 1 + AHEAD and time.monotonic() < patience:
        time.sleep(0.01)
    time.sleep(0.1)
    assert len(watched.threads) == 1 + AHEAD
    assert set(watched.threads).isdisjoint({threading.get_ident()})
    assert len(set(watched.threads)) == 1


def test_a_cpu_makes_its_examples_itself():
    assert processes_for(torch.device("cpu"), 64) == 0


@pytest.mark.parametrize(("gpus", "part", "wanted"), [(1, 64, 15), (2, 64, 7), (2, 3, 3), (16, 64, 1)])
def test_a_gpu_has_its_share_of_the_cpus_but_one(monkeypatch, gpus, part, wanted):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(16))
    monkeypatch.setattr("torch.cuda.device_count", lambda: gpus)
    assert processes_for(torch.device("cuda"), part) == wanted
