"""What a network is, in one record: how it is built, how it picks, how it is taught."""

import re
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any

from cryopick_ray.errors import ModelError

NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")
CLASS = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True)
class TrainingDefaults:
    """How a network is taught, unless the settings say otherwise: far shorter than in the papers.

    Attributes
    ----------
    recipe
        ``module:Class`` of a dataclass that is a :class:`~cryopick_ray.training.recipes.recipe.Recipe`; its
        fields are the options that can be set, with their defaults.
    epochs, steps
        Epochs, and batches of each.
    whole_image
        Whether it is shown all of an image at once, so that known false picks teach it nothing new.
    share
        The option that is the share of particles among all places, found from the labels unless given;
        empty for none. Its recipe is an :class:`~cryopick_ray.training.recipes.recipe.UnlabelledRecipe`.
    own_greys
        The option that tells whether the recipe changes grey values itself, off where ``general`` changes
        them; empty if it never does.
    filaments
        Whether it learns filaments, and labels without any teach it nothing.
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
        What people call it: lower-case letters, digits and ``_``. A card's architecture is this name, or
        this name, a hyphen and a variant.
    network
        Made of the architecture's name and the card's parameters: a :class:`torch.nn.Module`.
    picker
        Made of a network and its card, ``particle_px``, ``device`` and ``scoring``: a
        :class:`~cryopick_ray.pickers.network_picker.NetworkPicker` or anything else that is a
        :class:`~cryopick_ray.pickers.picker.Picker`.
    parameters
        Names of the whole numbers that a network is built with.
    training
        How it is taught; ``None`` for one that learns nothing.
    optional
        Names of whole numbers that cards of older models lack.

    Raises
    ------
    ValueError
        If a name is none.
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
