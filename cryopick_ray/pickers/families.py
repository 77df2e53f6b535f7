"""Networks and pickers made from a model's card."""

from pathlib import Path

from torch import nn

from cryopick_ray.errors import ModelError, brief
from cryopick_ray.pickers.importers import open_model
from cryopick_ray.pickers.picker import Picker
from cryopick_ray.pickers.record import Network, imported
from cryopick_ray.pickers.registry import find_network
from cryopick_ray.pickers.scoring import EXACT, Scoring
from cryopick_ray.pickers.weights import ModelCard, restore


def load_network_picker(
    path: Path, *, particle_px: float | None, device: str, scoring: Scoring = EXACT
) -> Picker:
    """Build the picker whose weights are in a file of ours, or in one that can be imported.

    Parameters
    ----------
    particle_px
        Pixels that a particle's diameter becomes; ``None`` for the card's.
    device
        Where the network runs: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    scoring
        Exactly, or fast.

    Raises
    ------
    ModelError
        If the file is not a model.
    UsageError
        If the device is not there or the size is none.
    """
    state, card = open_model(path)
    network = restore(lambda: build_network(card), state, str(path))
    return make_picker(network, card, particle_px=particle_px, device=device, scoring=scoring)


def build_network(card: ModelCard) -> nn.Module:
    """Return a fresh network of the card's architecture.

    Raises
    ------
    ModelError
        If there is no such architecture or its parameters are others.
    """
    record = _record(card)
    if set(card.parameters) - record.optional != record.parameters:
        expected = sorted(record.parameters | record.optional)
        raise ModelError(
            f"model {card.name}: {card.architecture} has the parameters {expected}, "
            f"the card {brief(sorted(card.parameters))}"
        )
    network: nn.Module = imported(record.network)(card.architecture, **card.parameters)
    return network


def make_picker(
    network: nn.Module,
    card: ModelCard,
    *,
    particle_px: float | None = None,
    device: str = "cpu",
    scoring: Scoring = EXACT,
) -> Picker:
    """Return the picker that uses the network."""
    record = _record(card)
    make = imported(record.picker)
    picker: Picker = make(network, card, particle_px=particle_px, device=device, scoring=scoring)
    return picker


def _record(card: ModelCard) -> Network:
    """Return the record of the card's network."""
    try:
        return find_network(card.network)
    except ModelError as error:
        raise ModelError(f"model {card.name} of architecture {brief(card.architecture)}: {error}") from error
