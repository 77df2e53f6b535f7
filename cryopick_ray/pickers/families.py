"""Which network and which picker an architecture's name on a model card stands for."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from torch import nn

from cryopick_ray.errors import ModelError, brief
from cryopick_ray.pickers.importers import open_model
from cryopick_ray.pickers.picker import Picker
from cryopick_ray.pickers.scoring import EXACT, Scoring
from cryopick_ray.pickers.weights import ModelCard, restore


@dataclass(frozen=True)
class Family:
    """Networks that one picker uses.

    Attributes
    ----------
    network, picker
        ``folder.module:Class`` below ``cryopick_ray.pickers``, imported when needed. A network is made
        of the architecture's name and the card's parameters, a picker of a network and its card.
    parameters
        The numbers that a network is built with.
    """

    network: str
    picker: str
    parameters: frozenset[str]

    def build(self, architecture: str, parameters: dict[str, int]) -> nn.Module:
        """Return a fresh network."""
        network: nn.Module = _named(self.network)(architecture, **parameters)
        return network


TOPAZ = Family("topaz.networks:TopazNetwork", "topaz.picker:TopazPicker", frozenset({"units"}))
DEEPEM = Family("deepem.networks:DeepEMNetwork", "deepem.picker:DeepEMPicker", frozenset({"box_px", "relu"}))
CRYOLO = Family("cryolo.networks:CryoloNetwork", "cryolo.picker:CryoloPicker", frozenset({"width"}))
FAMILIES = {
    "deeppicker": Family(
        "deeppicker.networks:DeepPickerNetwork", "deeppicker.picker:DeepPickerPicker", frozenset({"hidden"})
    ),
    "deepem-klh": DEEPEM,
    "deepem-19s": DEEPEM,
    "deepem": DEEPEM,
    "cryolo-16": CRYOLO,
    "cryolo-phosaurus": CRYOLO,
    "topaz-conv3": TOPAZ,
    "topaz-resnet8": TOPAZ,
    "topaz-resnet16": TOPAZ,
    "heatmap": Family("heatmap.networks:HeatmapNetwork", "heatmap.picker:HeatmapPicker", frozenset({"base"})),
    "template": Family(
        "template.templates:Templates", "template.picker:TemplatePicker", frozenset({"count", "box_px"})
    ),
}


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
    family = _family(card)
    if set(card.parameters) != family.parameters:
        raise ModelError(
            f"model {card.name}: {card.architecture} has the parameters {sorted(family.parameters)}, "
            f"the card {brief(sorted(card.parameters))}"
        )
    return family.build(card.architecture, card.parameters)


def make_picker(
    network: nn.Module,
    card: ModelCard,
    *,
    particle_px: float | None = None,
    device: str = "cpu",
    scoring: Scoring = EXACT,
) -> Picker:
    """Return the picker that uses the network."""
    make = _named(_family(card).picker)
    picker: Picker = make(network, card, particle_px=particle_px, device=device, scoring=scoring)
    return picker


def _family(card: ModelCard) -> Family:
    if card.architecture not in FAMILIES:
        raise ModelError(
            f"model {card.name}: unknown architecture {brief(card.architecture)}; "
            f"expected one of {', '.join(FAMILIES)}"
        )
    return FAMILIES[card.architecture]


def _named(where: str) -> Callable[..., Any]:
    module, _, name = where.partition(":")
    found: Callable[..., Any] = getattr(import_module(f"cryopick_ray.pickers.{module}"), name)
    return found
