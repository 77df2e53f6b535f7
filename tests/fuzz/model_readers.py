"""Readers of models, checkpoints and training logs."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch
from reader import Reader, only

from cryopick_ray.pickers.families import load_network_picker
from cryopick_ray.pickers.importers import import_topaz
from cryopick_ray.pickers.weights import load_model, save_model
from cryopick_ray.training.loop.checkpoint import load_checkpoint, save_checkpoint
from cryopick_ray.training.loop.loop import Epoch, TrainState
from cryopick_ray.training.loop.loss_log import read_log, write_log
from tests.pickers.test_importers import topaz_state


def _model(folder: Path) -> None:
    state, card = import_topaz(_saved(folder))
    (folder / "m.sav").unlink()
    save_model(folder / "m.safetensors", state, card)


def _saved(folder: Path, *, zipped: bool = True) -> Path:
    torch.save(topaz_state(), folder / "m.sav", _use_new_zipfile_serialization=zipped)
    return folder / "m.sav"


def _loaded(folder: Path) -> object:
    state, _ = load_model(folder / "m.safetensors")
    load_network_picker(folder / "m.safetensors", particle_px=None, device="cpu")
    return {name: state[name].numpy().tobytes() for name in sorted(state)}


EPOCHS = tuple(Epoch(n, 1.0 / n, None if n == 1 else 0.5, 1e-3, 2.0, 10, 1) for n in (1, 2))


def _checkpoint(folder: Path) -> None:
    layer = torch.nn.Linear(3, 2)
    optimiser = torch.optim.Adam(layer.parameters())
    layer(torch.ones(3)).sum().backward()
    optimiser.step()
    weights = layer.state_dict()
    save_checkpoint(folder, TrainState(weights, weights, optimiser.state_dict(), EPOCHS))


def _resumed(folder: Path) -> object:
    state = load_checkpoint(folder)
    return state and repr((state.network, state.best, state.optimiser, state.history))


MODELS: Mapping[str, Reader] = {
    "model": Reader((_model,), _loaded, vouched=True),
    "Topaz weights": Reader(
        (_saved, partial(_saved, zipped=False)),
        lambda folder: import_topaz(only(folder))[1].digest,
    ),
    "checkpoint": Reader((_checkpoint,), _resumed, vouched=True),
    "training log": Reader(
        (lambda folder: write_log(folder, EPOCHS),), lambda folder: repr(read_log(folder))
    ),
}
