"""Weights of other programs, imported without executing code in their files."""

import io
import re
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from cryopick_ray.errors import ModelError, brief
from cryopick_ray.pickers.pickled import check_saved
from cryopick_ray.pickers.provenance import Provenance
from cryopick_ray.pickers.topaz.networks import TopazNetwork
from cryopick_ray.pickers.weights import ModelCard, load_model, read_bounded, restore, weights_digest

MAX_IMPORT_BYTES = 2**28  # the largest that Topaz ships is 7 MB
PICKLED_SUFFIXES = (".sav", ".pt", ".pth")
TOPAZ_PARTICLE_PX = 24.0
FIRST_CONV = "features.features.0.conv.weight"
TOPAZ_LAYERS = {5: "topaz-resnet8", 9: "topaz-resnet16"}
TOPAZ_KEY = re.compile(
    r"(?:features\.features\.(?P<layer>\d{1,2})\.(?P<part>conv|conv0|conv1|proj)|classifier)"
    r"\.(?P<kind>weight|bias)"
)
PARTS = {"conv": "conv", "conv0": "first", "conv1": "second", "proj": "project"}


def open_model(path: Path) -> tuple[dict[str, Tensor], ModelCard]:
    """Read weights in our format or in one that can be imported, by the file's ending.

    Raises
    ------
    ModelError
        If the ending is unknown or the file is no good.
    """
    if path.suffix == ".safetensors":
        return load_model(path)
    if path.suffix in PICKLED_SUFFIXES:
        return import_topaz(path)
    allowed = ", ".join((".safetensors", *PICKLED_SUFFIXES))
    raise ModelError(f"{path}: weights of unknown kind {path.suffix!r}; `model` takes {allowed}")


def import_topaz(path: Path) -> tuple[dict[str, Tensor], ModelCard]:
    """Read a state dict of Topaz's resnet8 or resnet16, as shipped in ``pretrained/detector/*.sav``.

    Raises
    ------
    ModelError
        If the file is anything else, above all a pickled module, which is code.
    """
    tensors = _load_tensors(path)
    state = {}
    for key, tensor in tensors.items():
        match = TOPAZ_KEY.fullmatch(key)
        if match is None:
            raise ModelError(f"{path}: tensor {brief(key)} is not of Topaz's resnet8 or resnet16")
        state[_our_key(match)] = tensor
    layers = len({key.split(".")[1] for key in state if key.startswith("layers.")})
    if layers not in TOPAZ_LAYERS or FIRST_CONV not in tensors or tensors[FIRST_CONV].ndim != 4:
        raise ModelError(f"{path}: {layers} layers; Topaz's resnet8 has 5 and resnet16 has 9")
    architecture, units = TOPAZ_LAYERS[layers], len(tensors[FIRST_CONV])
    try:
        restore(partial(TopazNetwork, architecture, units), state, f"{architecture} with {units} units")
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    card = ModelCard(
        name=f"{architecture}-u{units}",
        architecture=architecture,
        parameters={"units": units},
        particle_px=TOPAZ_PARTICLE_PX,
        normalisation="topaz-gmm",
        trained_on=Provenance(),
        licence="that of the file's source; weights shipped with Topaz: GPL-3.0-only",
        source=f"Topaz state dict {path.name}",
        digest=weights_digest(state),
    )
    return state, card


def _our_key(match: re.Match[str]) -> str:
    if match["layer"] is None:
        return f"classifier.{match['kind']}"
    return f"layers.{match['layer']}.{PARTS[match['part']]}.{match['kind']}"


def _load_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a pickled state dict; nothing but tensors is ever made."""
    content = read_bounded(path, MAX_IMPORT_BYTES)
    try:
        check_saved(io.BytesIO(content), len(content))
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:
        code = re.search(r"GLOBAL (\S+)", str(error))
        reason = (
            f"holds code ({code[1]}), which is never run"
            if code
            else f"is not a PyTorch state dict: {brief(error)}"
        )
        raise ModelError(
            f"{path}: {reason}; expected plain tensors, in Topaz: torch.save(model.state_dict(), FILE)"
        ) from error
    if not isinstance(state, dict) or not state:
        raise ModelError(f"{path}: holds a {type(state).__name__} of nothing; expected tensors by name")
    for key, value in state.items():
        if not isinstance(key, str) or not isinstance(value, Tensor) or value.layout != torch.strided:
            raise ModelError(f"{path}: {brief(key)} is a {type(value).__name__}; expected tensors by name")
    claimed = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    if claimed > len(content):  # a stride of 0 makes a huge tensor of a few bytes
        raise ModelError(f"{path}: claims {claimed} bytes of tensors in a file of {len(content)} bytes")
    return {key: tensor.detach().contiguous() for key, tensor in state.items()}
