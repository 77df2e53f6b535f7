"""Pickers by a model's name or weights file."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cryopick_ray import DEFAULT_MODEL
from cryopick_ray.errors import UsageError
from cryopick_ray.pickers.log import LogPicker
from cryopick_ray.pickers.picker import Picker
from cryopick_ray.pickers.shipped import shipped_models, shipped_weights
from cryopick_ray.pickers.topaz.installed import PREFIX, installed_weights

if TYPE_CHECKING:
    from cryopick_ray.pickers.weights import ModelCard


@dataclass(frozen=True)
class BuiltIn:
    """A picker without weights."""

    make: Callable[[float | None], Picker]
    description: str


NO_WEIGHTS = {
    "log": BuiltIn(
        lambda particle_px: LogPicker() if particle_px is None else LogPicker(particle_px),
        "blob detector at the stated diameter (Laplacian of Gaussian); no weights",
    ),
}


def load_picker(
    model: str,
    *,
    particle_px: float | None,
    device: str,
    exact: bool = False,
    precision: Literal["auto", "float32", "bfloat16"] = "auto",
) -> Picker:
    """Return the picker named ``model``, or the one whose weights are in the file ``model``.

    A shipped model's weights are read here and not before.

    Parameters
    ----------
    particle_px
        Pixels that a particle's diameter becomes; ``None`` for the model's own.
    device
        ``auto``, ``cpu`` or ``cuda``; built-in pickers without weights run on the CPU.
    exact
        Whether to compute every output of the paper's procedure, in float32.
    precision
        Of a network's fast scoring; ``auto`` for the fastest on the device.

    Raises
    ------
    UsageError
        If there is no such model.
    ModelError
        If the file is not a model.
    """
    if model in NO_WEIGHTS:
        return NO_WEIGHTS[model].make(particle_px)
    path = weights_file(model)
    from cryopick_ray.pickers.families import load_network_picker
    from cryopick_ray.pickers.scoring import choose_scoring

    scoring = choose_scoring(exact=exact, precision=precision, device=device)
    return load_network_picker(path, particle_px=particle_px, device=device, scoring=scoring)


def weights_file(model: str) -> Path:
    """Return the weights of the shipped model named ``model``, of ``topaz:NAME``, or the file ``model``.

    Topaz's own, such as ``topaz:resnet8_u64``, are those of the package ``topaz-em`` where it is installed.

    Raises
    ------
    UsageError
        If there is none of them.
    """
    path = shipped_weights(model) or Path(model)
    if model.startswith(PREFIX):
        installed = installed_weights()
        if model not in installed:
            remedy = (
                f"expected one of {', '.join(installed)}"
                if installed
                else "install topaz-em, which ships them"
            )
            raise UsageError(f"there are no weights {model!r} of Topaz: {remedy} (`model`)")
        return installed[model]
    if not path.is_file():
        raise UsageError(
            f"there is no model {model!r}: give `model` one of "
            f"{', '.join([*shipped_models(), *NO_WEIGHTS])}, a weights file (.safetensors, or "
            "Topaz's .sav), or topaz:NAME for what topaz-em ships"
        )
    return path


def listed_models() -> dict[str, str]:
    """Return each model that has a name and a line about it, the default one first; no weights are read."""
    texts = {name: model.description() for name, model in shipped_models().items()}
    texts |= {name: model.description for name, model in NO_WEIGHTS.items()}
    return {name: text + " (default)" * (name == DEFAULT_MODEL) for name, text in texts.items()}


def describe(model: str) -> dict[str, Any]:
    """Return a model's description or card, and the settings that decide its picks."""
    picker = load_picker(model, particle_px=None, device="cpu")
    card = read_card(model)
    facts = {"description": NO_WEIGHTS[model].description} if card is None else card.model_dump(mode="json")
    return {**facts, **picker.settings()}


def summarise(model: str) -> list[tuple[str, str]]:
    """Return a summary of a model for a person: names and values, in lines."""
    card = read_card(model)
    if card is None:
        return [("name", model), ("", NO_WEIGHTS[model].description)]
    built = ", ".join([card.architecture, *(f"{name} {value}" for name, value in card.parameters.items())])
    facts = [
        ("name", card.name + " (default)" * (model == DEFAULT_MODEL)),
        ("network", f"{built}; {card.particle_px:.4g} px a particle, {card.normalisation}"),
        ("trained on", "\n".join(card.trained_on.lines())),
        ("scores", "\n".join(f"{name} {value:.4g}" for name, value in card.scores.items())),
        ("threshold", "found from the scores" if card.threshold is None else f"{card.threshold:.4g}"),
        ("calibrated", "no" if card.calibration is None else "yes: a score is the share that are particles"),
        ("limits", card.limits),
        ("licence", card.licence),
        ("source", card.source + (f"; {card.date}" if card.date else "")),
        ("weights", card.digest),
    ]
    return [(name, value) for name, value in facts if value]


def read_card(model: str) -> "ModelCard | None":
    """Return the card of a model; ``None`` for a picker without weights.

    Raises
    ------
    UsageError
        If there is no such model.
    ModelError
        If the file is not a model.
    """
    if model in NO_WEIGHTS:
        return None
    from cryopick_ray.pickers.importers import open_model

    return open_model(weights_file(model))[1]
