"""Models that come with the package: weights and cards in ``models/`` beside this file."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryopick_ray import DEFAULT_MODEL
from cryopick_ray.errors import ModelError

FOLDER = Path(__file__).parent / "models"
SHOWN = "held_out_f1"
"""The score in a model's one-line description."""
WEIGHTS, CARD = ".safetensors", ".json"


@dataclass(frozen=True)
class ShippedModel:
    """A model's name and the path of its weights; neither these nor torch are loaded."""

    name: str

    @property
    def weights(self) -> Path:
        """The file of its weights, its card beside it."""
        return FOLDER / f"{self.name}{WEIGHTS}"

    def card(self) -> dict[str, Any]:
        """Return its card, unchecked: it is checked when the weights are loaded.

        Raises
        ------
        ModelError
            If it cannot be read.
        """
        path = FOLDER / f"{self.name}{CARD}"
        try:
            return dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise ModelError(f"{path} is damaged ({error}); install cryopick-ray again") from error

    def description(self) -> str:
        """Return one line: what it is, how well it scored, at which scale, how large the file is.

        Raises
        ------
        ModelError
            If its card or its weights are damaged or gone.
        """
        card = self.card()
        try:
            scores = (
                [f"F1 {card['scores'][SHOWN]:.2f} on unseen molecules"] if SHOWN in card["scores"] else []
            )
            size_MB = self.weights.stat().st_size / 1e6
            facts = (card["architecture"], *scores, f"{card['particle_px']:.3g} px a particle")
            return f"{', '.join(facts)}, {size_MB:.2g} MB"
        except (OSError, KeyError, AttributeError, TypeError, ValueError) as error:
            raise ModelError(f"model {self.name} is damaged ({error}); install cryopick-ray again") from error


def shipped_models() -> dict[str, ShippedModel]:
    """Return the models that came with the package by name, the default one first."""
    names = sorted(
        (path.stem for path in FOLDER.glob(f"*{CARD}")), key=lambda name: (name != DEFAULT_MODEL, name)
    )
    return {name: ShippedModel(name) for name in names}


def shipped_weights(model: str) -> Path | None:
    """Return the weights of the shipped model of that name, if there is one."""
    model_shipped = shipped_models().get(model)
    return model_shipped.weights if model_shipped else None
