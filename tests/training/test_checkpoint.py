import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from small_training import SmallRecipe, Told, losses, small_job

from cryopick_ray.errors import StoreError, TrainingError
from cryopick_ray.training.loop.checkpoint import CHECKPOINT, load_checkpoint, save_checkpoint
from cryopick_ray.training.loop.loop import Epoch
from cryopick_ray.training.loop.loss_log import LOG, read_log, write_log
from cryopick_ray.training.loop.single_worker import train_here

CPU = torch.device("cpu")


def stop_after(epochs):
    def on_epoch(one):
        if one.epoch == epochs:
            raise KeyboardInterrupt

    return Told(on_epoch)


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a == b


def same_state(a, b):
    return all(
        same(getattr(a, name), getattr(b, name)) for name in ("network", "best", "optimiser", "history")
    )


@pytest.fixture(scope="module", params=[False, True], ids=["adam", "momentum"])
def trained(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    job = small_job(folder / "s.zarr", SmallRecipe(momentum=request.param, learning_rate=0.01))
    return job, folder / "run", train_here(job, folder / "run", CPU, Told())


def test_training_learns(trained):
    _, _, state = trained
    assert losses(state)[-1].max() < losses(state)[0].min()


def test_a_checkpoint_holds_the_state_whole(trained, tmp_path):
    _, _, state = trained
    save_checkpoint(tmp_path, state)
    assert same_state(load_checkpoint(tmp_path), state)
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]


def test_a_stopped_training_goes_on_as_if_nothing_had_been(trained, tmp_path):
    job, _, undisturbed = trained
    with pytest.raises(KeyboardInterrupt):
        train_here(job, tmp_path, CPU, stop_after(2))
    later = []
    state = train_here(job, tmp_path, CPU, Told(later.append))
    assert [one.epoch for one in later] == [3, 4]
    np.testing.assert_array_equal(losses(state), losses(undisturbed))
    assert same(state.network, undisturbed.network)
    assert same(state.best, undisturbed.best)
    assert same(state.optimiser, undisturbed.optimiser)


def test_a_finished_training_is_done(trained):
    job, folder, state = trained
    again = []
    assert same_state(train_here(job, folder, CPU, Told(again.append)), state)
    assert again == []


def test_the_log_says_what_the_checkpoint_says(trained):
    _, folder, state = trained
    assert read_log(folder) == state.history


def test_a_folder_without_checkpoint_begins_anew_whatever_its_log_says(trained, tmp_path):
    job, _, _ = trained
    write_log(tmp_path, [Epoch(7, 0.1, None, 0.1, 0.5, 100, 1)])
    with pytest.raises(KeyboardInterrupt):
        train_here(job, tmp_path, CPU, stop_after(1))
    assert [one.epoch for one in read_log(tmp_path)] == [1]


def test_the_log_keeps_an_absent_validation_loss_absent(tmp_path):
    history = (Epoch(1, 0.7, None, 1e-3, 0.3, 54, 2), Epoch(2, 1e-9, 0.25, 1e-5, 1 / 3, 54, 1))
    write_log(tmp_path, history)
    assert read_log(tmp_path) == history


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "epoch,train_loss\nx,y\n", "\0\n\0\n"])
def test_a_foreign_log_is_refused(tmp_path, text):
    (tmp_path / LOG).write_text(text)
    with pytest.raises(TrainingError, match="not a log"):
        read_log(tmp_path)


def test_a_damaged_checkpoint_is_refused_or_damaged_where_it_does_not_matter(trained, tmp_path):
    _, folder, state = trained
    whole = (folder / CHECKPOINT).read_bytes()
    rng = np.random.default_rng(0)
    refused = []
    for place in rng.integers(len(whole), size=100):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        (tmp_path / CHECKPOINT).write_bytes(damaged)
        try:
            assert same_state(load_checkpoint(tmp_path), state)
        except TrainingError as error:
            refused.append(str(error))
    assert len(refused) > 10
    assert all("delete it to begin anew" in reason for reason in refused)


@pytest.mark.parametrize("part", [0.0, 0.3, 0.99])
def test_a_cut_checkpoint_is_refused(trained, tmp_path, part):
    job, folder, _ = trained
    whole = (folder / CHECKPOINT).read_bytes()
    (tmp_path / CHECKPOINT).write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(TrainingError, match="delete it to begin anew"):
        train_here(job, tmp_path, CPU, Told())


class Bomb:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("save", [torch.save, lambda bomb, path: path.write_bytes(pickle.dumps(bomb))])
def test_code_in_a_checkpoint_is_not_executed(tmp_path, save):
    mark = tmp_path / "executed"
    save(Bomb(mark), tmp_path / CHECKPOINT)
    with pytest.raises(TrainingError):
        load_checkpoint(tmp_path)
    assert not mark.exists()


def test_a_checkpoint_that_would_unfold_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / CHECKPOINT, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(10**7))
    with pytest.raises(TrainingError, match="larger than itself"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("part", ["network", "best", "optimiser"])
def test_tensors_that_claim_more_than_the_file_holds_are_refused(trained, tmp_path, part):
    _, folder, _ = trained
    content = torch.load(folder / CHECKPOINT, weights_only=True)
    huge = torch.zeros(1).expand(10**6)
    content[part] = content[part] | {"state": {0: {"moment": [huge]}}} if part == "optimiser" else {"a": huge}
    torch.save(content, tmp_path / CHECKPOINT)
    with pytest.raises(TrainingError, match=r"claims 4[0-9]{6} bytes of tensors in a file of"):
        load_checkpoint(tmp_path)


def test_a_sparse_tensor_is_refused(trained, tmp_path):
    content = torch.load(trained[1] / CHECKPOINT, weights_only=True)
    torch.save(content | {"best": {"a": torch.zeros(10**6).to_sparse()}}, tmp_path / CHECKPOINT)
    with pytest.raises(TrainingError, match="sparse"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("content", [{}, [1], {"format": "other"}, {"format": "cryopick-checkpoint-1"}])
def test_another_file_of_torch_is_refused(tmp_path, content):
    torch.save(content, tmp_path / CHECKPOINT)
    with pytest.raises(TrainingError, match="is no checkpoint"):
        load_checkpoint(tmp_path)


def test_a_checkpoint_of_another_network_is_refused(trained):
    _, folder, _ = trained
    other = small_job(folder.parent / "s.zarr", SmallRecipe(channels=5), epochs=9)
    with pytest.raises(TrainingError, match="another network"):
        train_here(other, folder, CPU, Told())


def test_a_diverging_loss_ends_training_and_is_not_kept(trained, tmp_path):
    _, folder, _ = trained
    wild = small_job(folder.parent / "s.zarr", SmallRecipe(momentum=True), learning_rate=1e30)
    with pytest.raises(TrainingError, match="diverged"):
        train_here(wild, tmp_path, CPU, Told())
    assert not (tmp_path / CHECKPOINT).exists()


def test_what_cannot_be_trained_on_is_refused_before_it_starts(trained, tmp_path):
    job, _, _ = trained
    empty = type(job)(job.recipe, (), (), job.settings)
    with pytest.raises(TrainingError, match="no labelled micrograph"):
        train_here(empty, tmp_path, CPU, Told())
    url = tmp_path / "s.zarr"
    broken = small_job(url)
    for shard in url.rglob("c/**/*"):
        if shard.is_file():
            shard.write_bytes(b"")
    with pytest.raises(StoreError, match="lacks"):
        train_here(broken, tmp_path, CPU, Told())


def test_every_step_is_told_in_order(tmp_path):
    job = small_job(tmp_path / "store", epochs=2)
    listener = Told()
    train_here(job, tmp_path / "run", CPU, listener)
    steps = job.settings.steps
    assert listener.stepped == [(epoch, step + 1, steps) for epoch in (1, 2) for step in range(steps)]
