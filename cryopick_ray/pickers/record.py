"""The record of a network: its classes, its parameters and the defaults of its training."""

import re
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any

from cryopick_ray.errors import ModelError

NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")
CLASS = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True)
class TrainingDefaults:
    """Defaults of a network's training, far shorter than in the papers.

    Attributes
    ----------
    recipe
        ``module:Class`` of a dataclass that is a :class:`~cryopick_ray.training.recipes.recipe.Recipe`; its
        fields are the options that can be set, with their defaults.
    epochs, steps
        Epochs, and batches of each.
    whole_image
        Whether it learns from all places of an image, so that known false picks add nothing.
    share
        The option that is the share of particles among all places, found from the labels unless given;
        empty for none. Its recipe is an :class:`~cryopick_ray.training.recipes.recipe.UnlabelledRecipe`.
    own_greys
        The option that turns on the recipe's own augmentation of grey values, off where ``general`` is on;
        empty for none.
    filaments
        Whether it learns filaments; labels without any are then refused.
    """

    recipe: str
    epochs: int
    steps: int
    whole_image: bool = False
    share: str = ""
    own_greys: str = ""
    filaments: bool = False


@dataclass(frozen=True)
class Network:
    """A network that can pick; classes are named as ``module:Class`` and imported when needed.

    Attributes
    ----------
    name
        Its name: lower-case letters, digits and ``_``. A card's architecture is this name, or this name, a
        hyphen and a variant.
    network
        Class of :class:`torch.nn.Module`, called with the architecture's name and the card's parameters.
    picker
        Class called with a network and its card, ``particle_px``, ``device`` and ``scoring``: a
        :class:`~cryopick_ray.pickers.network_picker.NetworkPicker` or anything else that is a
        :class:`~cryopick_ray.pickers.picker.Picker`.
    parameters
        Names of the integers that a network is built with.
    training
        Defaults of its training; ``None`` for one that cannot be trained.
    optional
        Names of integers that cards of older models lack.

    Raises
    ------
    ValueError
        If a name is malformed.
    """

    name: str
    network: str
    picker: str
    parameters: frozenset[str]
    training: TrainingDefaults | None = None
    optional: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ValueError(f"name is {self.name!r}; expected lower-case letters, digits and _")
        for where in (self.network, self.picker, *([self.training.recipe] if self.training else [])):
            if not CLASS.fullmatch(where):
                raise ValueError(f"{self.name} names the class {where!r}; expected module:Class")


def imported(where: str) -> Any:
    """Return what ``module:Class`` names.

    Raises
    ------
    ModelError
        If it cannot be imported.
    """
    try:
        return resolve_name(where)
    except Exception as error:
        raise ModelError(f"{where} cannot be imported: {type(error).__name__}: {error}") from error
