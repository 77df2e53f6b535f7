"""Who learns from a run, and how: the run's own model, by settings of its own or as a paper has them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field
from torch import Tensor

from cryopick_ray import DEFAULT_MODEL
from cryopick_ray.errors import ModelError, UsageError
from cryopick_ray.formats.reading import is_table
from cryopick_ray.pickers.catalogue import BUILT_IN, weights_file
from cryopick_ray.pickers.importers import open_model
from cryopick_ray.pickers.registry import LEARNING, find_network, find_training
from cryopick_ray.pickers.weights import ModelCard
from cryopick_ray.settings.config import absolute_model, assigned, checked, fill, over
from cryopick_ray.settings.run_settings import RunSettings
from cryopick_ray.store.place import is_bucket
from cryopick_ray.training.card import BESIDE
from cryopick_ray.training.recipes.recipe_catalogue import recipe_options
from cryopick_ray.training.training_settings import LearnSettings

SELF = "self"
FURTHER = 0.15
"""Epochs of a round, as part of those that teach the network from nothing."""
TARGET_OPTIONS = {"ring_share": 0.5, "decay": "cosine"}
"""Of recipes that know them: half of the negatives beside particles, and a rate that falls to nothing."""
LEAST_WIDENING = 1.05
"""Below it a store is as fine as its run needed, but for whole pixels."""
Preset = Literal["deeppicker", "deepem"]
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "deeppicker": {
        "teacher": SELF,
        "lowest": 0.5,
        "share": 1.0,
        "top": 10_000,
        "recentred": False,
        "simulated_share": 0.0,
        "rounds": 1,
    },
    "deepem": {
        "teacher": SELF,
        "share": 1.0,
        "recentred": False,
        "fresh": True,
        "false_picks": True,
        "simulated_share": 0.5,
        "rounds": 1,
    },
}
"""How the papers teach a picker its target.

Wang et al. (2016), J. Struct. Biol. 195:325, section 2.5: picks of a general model from a score of 0.5 up,
the best 10,000, teach it more. Zhu, Ouyang and Mao (2017), BMC Bioinformatics 18:348: true and false picks
join what was learned from first, and it learns from nothing again; simulated micrographs are that first here,
and false is what the first training picks far from every true pick.
"""
Model = tuple[dict[str, Tensor], ModelCard]
"""Weights to begin with, and their card."""


class SelfTrainSettings(LearnSettings):
    """How a run's model learns from the run.

    Attributes
    ----------
    teacher
        Whose picks are the labels: a model's name or file, ``self`` for the run's own, or a table or another
        run of the same micrographs, such as a consensus.
    preset
        The paper that it learns by.
    lowest
        Score from which the teacher's candidates count as its picks; ``None`` for its run's threshold.
    share
        Part of each data set's picks, best first, that are taken for particles.
    top
        How many are taken at most, of all data sets together.
    recentred
        Whether labels move to the peaks of the smoothed score map, where the teacher's spread.
    fresh
        Whether it learns from nothing instead of going on.
    false_picks
        Whether each round learns twice: its own false picks are negatives of the second time.
    simulated_share
        Part of the batch that shows simulated micrographs, so that nothing is forgotten.
    rounds
        How often it learns, at most; the evidence may end it before.

    The others are those of :class:`LearnSettings`.
    """

    teacher: str = DEFAULT_MODEL
    preset: Preset | None = None
    lowest: float | None = None
    share: Annotated[float, Field(gt=0, le=1)] = 0.85
    top: Annotated[int, Field(ge=1)] = 10_000
    recentred: bool = True
    fresh: bool = False
    false_picks: bool = False
    simulated_share: Annotated[float, Field(ge=0, lt=1)] = 0.2
    rounds: Annotated[int, Field(ge=1, le=20)] = 3


def self_train_settings(
    run: RunSettings, given: Mapping[str, Any], assignments: Sequence[str], *, finest_px: float
) -> tuple[SelfTrainSettings, Model]:
    """Return how a run's model is to learn, and the model to begin with.

    It learns at the scale that the run picked at, with the options that its card says it learned with, and
    at as different scales as then where the run's store is fine enough.

    Parameters
    ----------
    given
        Plain settings of :class:`SelfTrainSettings`, over those of a preset.
    assignments
        ``NAME=VALUE`` of the same, over all others.
    finest_px
        Pixels that a diameter may have, given the run's store.

    Raises
    ------
    ModelError
        If the model's file is gone or has no network that can learn.
    UsageError
        If a setting is wrong.
    """
    start = starting_model(run.model)
    card = start[1]
    particle_px = run.particle_px or card.particle_px
    fill(SelfTrainSettings, network=card.network, **given)  # told of in the words of who asked
    asked = over(_usual(run, card, given.get("preset"), finest_px / particle_px), dict(given))
    settings = checked(SelfTrainSettings, assigned(asked, assignments), of="training")
    if settings.preset is not None and settings.preset != card.network:
        raise UsageError(
            f"`preset` is {settings.preset}, and the run's model {run.model} is of {card.network}; leave it "
            "out"
        )
    if (other := settings.options.get("particle_px", particle_px)) != particle_px:
        raise UsageError(
            f"options.particle_px is {other}, but the run picked with {particle_px:g} pixels a diameter; "
            "leave it out, or begin with a run with another `particle_px`"
        )
    teacher = _teacher(settings.teacher, run.model)
    options = {**(_network(card) if settings.fresh else {}), **settings.options, "particle_px": particle_px}
    return settings.model_copy(update={"teacher": teacher, "options": options}), start


def _teacher(asked: str, model: str) -> str:
    """Return who teaches: ``self``, a model that is there, or the whole path of a table.

    Raises
    ------
    UsageError
        There is neither such a model nor such a table.
    """
    if asked == model:
        return SELF
    if asked not in (SELF, *BUILT_IN) and is_table(asked):
        return asked if is_bucket(asked) else str(Path(asked).resolve())
    teacher = absolute_model(asked)
    if teacher not in (SELF, *BUILT_IN):
        weights_file(teacher)
    return teacher


def starting_model(model: str) -> Model:
    """Return the weights and the card of a network that can learn.

    Raises
    ------
    ModelError
        If the file is gone or the network learns nothing.
    """
    try:
        found = None if model in BUILT_IN else open_model(weights_file(model))
    except UsageError as error:
        raise ModelError(
            f"the run's model {model} is gone; put the file back, or run again with `model` and train that"
        ) from error
    if found is None or find_network(found[1].network).training is None:
        raise ModelError(
            f"{model} has no network that can learn; self-train a run of a model of {', '.join(LEARNING)}"
        )
    return found


def _network(card: ModelCard) -> dict[str, int | str]:
    """Return the options that make a model's network, fresh."""
    variant: dict[str, int | str] = (
        {} if card.architecture == card.network else {"architecture": card.architecture}
    )
    return {**variant, **card.parameters}


def _usual(run: RunSettings, card: ModelCard, preset: str | None, finest: float) -> dict[str, Any]:
    """Return plain settings before a person says anything.

    Parameters
    ----------
    finest
        How many times larger particles may be shown than the run saw them.
    """
    base: dict[str, Any] = {"network": card.network, "name": f"{Path(run.model).stem}-self-trained"}
    known = recipe_options(card.network).keys() - BESIDE
    base |= {name: card.options[name] for name in BESIDE if name in card.options}
    kept = {name: value for name, value in card.options.items() if name in known}
    if preset is not None:
        return base | dict(PRESETS[preset])  # the recipe's own options are the paper's
    fits = {name: value for name, value in TARGET_OPTIONS.items() if name in known}
    widest = finest if finest > LEAST_WIDENING else 1.0
    low, high = card.scales
    return base | {
        "options": kept | fits,
        "epochs": max(1, round(FURTHER * find_training(card.network).epochs)),
        "scales": [max(low, 1 / widest), min(high, widest)],
    }
