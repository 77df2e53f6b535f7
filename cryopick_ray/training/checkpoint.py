"""All that a training needs to go on, in one file of its folder."""

import json
import pickle
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cryopick_ray.errors import TrainingError
from cryopick_ray.formats.files import published
from cryopick_ray.training.loop import Epoch, TrainState

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
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        EOFError,
        RuntimeError,
        zipfile.BadZipFile,
        pickle.UnpicklingError,
    ) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise TrainingError(
            f"{path} is no checkpoint of a training, or damaged ({reason});"
            " delete it to begin anew, or train in another folder"
        ) from error


def _check_container(path: Path) -> None:
    """Raise :class:`ValueError` unless the file is a bounded archive whose check sums are right."""
    if not path.is_file():
        raise ValueError("not a file")
    if (size := path.stat().st_size) > MAX_BYTES:
        raise ValueError(f"{size} bytes; expected at most {MAX_BYTES}")
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
        if packed or sum(entry.file_size for entry in entries) > size:
            raise ValueError("its parts are larger than itself")
        if wrong := archive.testzip():
            raise ValueError(f"wrong check sum of {wrong}")


def _check_claims(content: Any, size: int) -> None:
    """Raise :class:`ValueError` if the tensors would be larger than the file of ``size`` bytes."""
    tensors = list(_all_tensors(content))
    if any(one.layout != torch.strided for one in tensors):
        raise ValueError("a tensor is sparse")
    claimed = sum(one.numel() * one.element_size() for one in tensors)
    if claimed > size:  # a stride of 0 makes a huge tensor of a few bytes
        raise ValueError(f"it claims {claimed} bytes of tensors in a file of {size}")


def _all_tensors(content: Any) -> Iterator[Tensor]:
    """Yield the tensors in nested containers."""
    if isinstance(content, Tensor):
        yield content
    elif isinstance(content, Mapping | list | tuple):
        for part in content.values() if isinstance(content, Mapping) else content:
            yield from _all_tensors(part)


def _state(content: Any) -> TrainState:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"expected {FORMAT}")
    optimiser = content["optimiser"]
    if not (isinstance(optimiser, dict) and optimiser.keys() == {"state", "param_groups"}):
        raise ValueError("the optimiser's state is incomplete")
    history = tuple(Epoch(**one) for one in json.loads(content["history"]))
    return TrainState(_tensors(content["network"]), _tensors(content["best"]), optimiser, history)


def _tensors(weights: Any) -> dict[str, Tensor]:
    if not isinstance(weights, Mapping) or not all(isinstance(one, Tensor) for one in weights.values()):
        raise ValueError("the weights are no tensors")
    return dict(weights)
