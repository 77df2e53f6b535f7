"""Our model format: tensors in ``NAME.safetensors``, what they are in ``NAME.json`` beside it."""

import datetime
import hashlib
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, TypeVar

import safetensors.torch
import torch
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    PositiveFloat,
    ValidationError,
)
from safetensors import SafetensorError
from torch import Tensor, nn

from cryopick_ray.errors import ModelError, brief
from cryopick_ray.pickers.provenance import Provenance, as_provenance
from cryopick_ray.pickers.scoring import Precision
from cryopick_ray.store.publish import write_whole

MAX_WEIGHTS_BYTES = 2**30
MAX_CARD_BYTES = 2**20
NetworkT = TypeVar("NetworkT", bound=nn.Module)
HEADER_LENGTH_BYTES = 8  # a safetensors file starts with its header's length, little-endian


class ModelCard(BaseModel):
    """What a set of weights is, and how an image must be scaled for it.

    Attributes
    ----------
    name
        Short name, as in the table's ``model`` column.
    architecture, parameters
        Which network, and the numbers it is built with (for Topaz ``units``).
    particle_px
        Diameter of a particle in pixels of the image that the network is given.
    normalisation
        How that image's grey values are normalised.
    trained_on
        What the weights learnt from.
    options, scales
        How: what was set of the recipe, but for the network and the data, and how many times smaller and
        larger particles were shown; cards of older models do not say.
    licence, source, date
        Where they come from and what may be done with them.
    threshold
        Score from which a candidate is a particle: the best one on validation micrographs; ``None`` if
        none was found.
    calibration
        Numbers of the calibration, see pickers/calibration.py; ``None`` if scores are not
        probabilities.
    lowest_precision
        The lowest that the network bears when it is asked fast: ``float32`` where ``bfloat16`` costs it
        more than 0.005 of average precision.
    batch
        Micrographs at once on a GPU, if its memory holds so many.
    scores
        Measured qualities by name.
    training_seconds, device
        How long it learnt and on what machine; ``None`` and empty if nobody wrote it down.
    limits
        What it is not good at, in words.
    digest
        :func:`weights_digest` of the tensors.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    architecture: str
    parameters: dict[str, int]
    particle_px: Annotated[PositiveFloat, Field(allow_inf_nan=False)]
    normalisation: str
    trained_on: Annotated[Provenance, BeforeValidator(as_provenance)]
    options: dict[str, bool | int | float | str] = {}
    scales: tuple[PositiveFloat, PositiveFloat] = (1.0, 1.0)
    licence: str
    source: str
    date: datetime.date | None = None
    threshold: FiniteFloat | None = None
    calibration: tuple[FiniteFloat, ...] | None = None
    lowest_precision: Precision = "bfloat16"
    batch: Annotated[int, Field(ge=1, le=1024)] = 16
    scores: dict[str, FiniteFloat] = {}
    training_seconds: Annotated[PositiveFloat, Field(allow_inf_nan=False)] | None = None
    device: str = ""
    limits: str = ""
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    @property
    def network(self) -> str:
        """Name of the network that the architecture is one of."""
        return self.architecture.partition("-")[0]


def weights_digest(state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 over the tensors' names (sorted), types, shapes and bytes."""
    sha = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        sha.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        sha.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()


def save_model(path: Path, state: Mapping[str, Tensor], card: ModelCard) -> None:
    """Write ``path`` (``.safetensors``) and its card; each file appears whole or not at all.

    Raises
    ------
    ModelError
        If the file name has another ending or the card's digest is not that of ``state``.
    """
    if path.suffix != ".safetensors":
        raise ModelError(f"{path}: our weights are written as .safetensors; give the file that ending")
    if (found := weights_digest(state)) != card.digest:
        raise ModelError(f"{path}: the card is of other weights (digest {card.digest}, these are {found})")
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    write_whole(path, safetensors.torch.save(tensors))
    write_whole(_card_path(path), card.model_dump_json(indent=2).encode() + b"\n")


def load_model(path: Path) -> tuple[dict[str, Tensor], ModelCard]:
    """Read weights and their card, and check that they belong together.

    Raises
    ------
    ModelError
        If a file is missing, damaged or too large, or the card is not that of these weights.
    """
    card_bytes = read_bounded(_card_path(path), MAX_CARD_BYTES)
    try:
        card = ModelCard.model_validate_json(card_bytes)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = brief(".".join(map(str, first["loc"])) or "file")
        raise ModelError(f"{_card_path(path)}: not a model card: {where}: {first['msg']}") from error
    content = read_bounded(path, MAX_WEIGHTS_BYTES)
    header_bytes = int.from_bytes(content[:HEADER_LENGTH_BYTES], "little")
    if header_bytes + HEADER_LENGTH_BYTES > len(content):
        raise ModelError(f"{path}: claims a header of {header_bytes} bytes in a file of {len(content)} bytes")
    try:
        state = safetensors.torch.load(content)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ModelError(f"{path}: damaged safetensors file: {brief(error)}") from error
    if (found := weights_digest(state)) != card.digest:
        raise ModelError(f"{path}: digest {found}, but {_card_path(path).name} says {card.digest}")
    return state, card


def restore(build: Callable[[], NetworkT], state: Mapping[str, Tensor], title: str) -> NetworkT:
    """Return the network that holds exactly the tensors of ``state``, in evaluation mode.

    Nothing is allocated before every name, shape and type has been found right. Numbers kept in half
    precision, at half the size, are widened.

    Parameters
    ----------
    build
        Makes the network; everything it holds must be in its state.
    title
        What to call the network in an error.

    Raises
    ------
    ModelError
        If a tensor is missing, unknown, of another shape or type, or not finite.
    """
    with torch.device("meta"):
        network = build()
    expected = network.state_dict()
    if wrong := sorted(expected.keys() ^ state.keys()):
        verb = "lacks" if wrong[0] in expected else "has the unknown"
        raise ModelError(f"{title}: the state {verb} tensor {brief(wrong[0])}")
    for name, tensor in state.items():
        kind, wanted = (tensor.dtype, *tensor.shape), (expected[name].dtype, *expected[name].shape)
        is_half = kind == (torch.float16, *wanted[1:]) and wanted[0] == torch.float32
        if kind != wanted and not is_half:
            raise ModelError(f"{title}: {name} is {kind}; expected {wanted}")
        if not bool(torch.isfinite(tensor).all()):
            raise ModelError(f"{title}: {name} holds NaN or infinite values")
    whole = {name: tensor.to(expected[name].dtype) for name, tensor in state.items()}
    network.load_state_dict(whole, assign=True)
    return network.eval()


def read_bounded(path: Path, limit_bytes: int) -> bytes:
    """Return a file's content if there are at most ``limit_bytes`` of it.

    Raises
    ------
    ModelError
        If it cannot be read, is larger or is no regular file.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # a pipe or device has no end
            raise ModelError(f"{path}: not a file")
        if found.st_size > limit_bytes:
            raise ModelError(f"{path}: {found.st_size} bytes; expected at most {limit_bytes}")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error


def _card_path(path: Path) -> Path:
    return path.with_suffix(".json")
