"""All that a training needs to go on, in one file of its folder."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cryopick_ray.errors import TrainingError, brief
from cryopick_ray.pickers.pickled import check_archive
from cryopick_ray.store.publish import published
from cryopick_ray.training.loop.loop import Epoch, TrainState

CHECKPOINT = "checkpoint.pt"
FORMAT = "cryopick-checkpoint-1"
MAX_BYTES = 8 * 2**30


def save_checkpoint(folder: Path, state: TrainState) -> None:
    """Write ``checkpoint.pt`` in ``folder``, whole or not at all, replacing an earlier one."""
    content = {
        "format": FORMAT,
        "network": state.network,
        "best": state.best,
        "optimiser": state.optimiser,
        "history": json.dumps([asdict(one) for one in state.history]),
    }
    with published(folder / CHECKPOINT, "wb") as file:
        torch.save(content, file)


def load_checkpoint(folder: Path) -> TrainState | None:
    """Return the state that ``folder`` holds, on the CPU; ``None`` if it holds none.

    Nothing in the file is executed, and its parts are no larger than the file.

    Raises
    ------
    TrainingError
        If the file is damaged, too large or something else.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    try:
        _check_container(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
        _check_claims(content, path.stat().st_size)
        return _state(content)
    except Exception as error:  # the parsers of a broken archive raise whatever they come upon
        raise TrainingError(
            f"{path} is no checkpoint of a training, or damaged ({brief(error)});"
            " delete it to begin anew, or train in another folder"
        ) from error


def _check_container(path: Path) -> None:
    """Raise :class:`ValueError` unless the file is a bounded archive whose check sums are right."""
    if not path.is_file():
        raise ValueError("not a file")
    if (size := path.stat().st_size) > MAX_BYTES:
        raise ValueError(f"{size} bytes; expected at most {MAX_BYTES}")
    with path.open("rb") as file:
        check_archive(file, size)


def _check_claims(content: Any, size: int) -> None:
    """Raise :class:`ValueError` if the tensors would be larger than the file of ``size`` bytes."""
    tensors = list(_all_tensors(content, set()))
    if any(tensor.layout != torch.strided for tensor in tensors):
        raise ValueError("a tensor is sparse")
    claimed = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    if claimed > size:  # a stride of 0 makes a huge tensor of a few bytes
        raise ValueError(f"it claims {claimed} bytes of tensors in a file of {size}")


def _all_tensors(content: Any, seen: set[int]) -> Iterator[Tensor]:
    """Yield the tensors in nested containers, each container once however often it is in others."""
    if isinstance(content, Tensor):
        yield content
    elif isinstance(content, Mapping | list | tuple) and id(content) not in seen:
        seen.add(id(content))
        for part in content.values() if isinstance(content, Mapping) else content:
            yield from _all_tensors(part, seen)


def _state(content: Any) -> TrainState:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"expected {FORMAT}")
    optimiser = content["optimiser"]
    if not (isinstance(optimiser, dict) and optimiser.keys() == {"state", "param_groups"}):
        raise ValueError("the optimiser's state is incomplete")
    history = tuple(Epoch(**one) for one in json.loads(content["history"]))
    return TrainState(_tensors(content["network"]), _tensors(content["best"]), optimiser, history)


def _tensors(weights: Any) -> dict[str, Tensor]:
    if not isinstance(weights, Mapping) or not all(isinstance(weight, Tensor) for weight in weights.values()):
        raise ValueError("the weights are no tensors")
    return dict(weights)
