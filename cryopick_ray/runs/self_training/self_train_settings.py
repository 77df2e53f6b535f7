"""Settings of a self-training: defaults for a run's model, or the preset of a paper."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field
from torch import Tensor

from cryopick_ray import DEFAULT_MODEL
from cryopick_ray.errors import ModelError, UsageError
from cryopick_ray.formats.reading import is_table
from cryopick_ray.pickers.catalogue import NO_WEIGHTS, weights_file
from cryopick_ray.pickers.importers import open_model
from cryopick_ray.pickers.registry import LEARNING, find_network, find_training
from cryopick_ray.pickers.weights import ModelCard
from cryopick_ray.settings.config import absolute_model, assigned, checked, fill, merged
from cryopick_ray.settings.run_settings import RunSettings
from cryopick_ray.store.place import is_bucket
from cryopick_ray.training.card import BESIDE
from cryopick_ray.training.recipes.recipe_catalogue import recipe_options
from cryopick_ray.training.training_settings import LearnSettings

SELF = "self"
FURTHER = 0.15
"""Epochs of a round, as a share of those of a training from scratch."""
TARGET_OPTIONS = {"ring_share": 0.5, "decay": "cosine"}
"""Defaults for recipes that have them: half of the negatives beside particles, a cosine learning rate."""
LEAST_WIDENING = 1.05
"""Ratio of pixel sizes below which a store has no finer pixels than its run needed, but for rounding."""
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
"""How the papers train a picker on its target data set.

Wang et al. (2016), J. Struct. Biol. 195:325, section 2.5: picks of a general model from a score of 0.5 up,
the best 10,000, train it further. Zhu, Ouyang and Mao (2017), BMC Bioinformatics 18:348: true and false
picks join the first training set, and it is trained from scratch; simulated micrographs are that set here,
and false picks are those of the first training far from every true pick.
"""
Model = tuple[dict[str, Tensor], ModelCard]
"""Starting weights, and their card."""


class SelfTrainSettings(LearnSettings):
    """Settings of ``cryopick self-train``.

    Attributes
    ----------
    teacher
        Source of the labels: a model's name or file, ``self`` for the run's own, or a table or another
        run of the same micrographs, such as a consensus.
    preset
        The paper whose settings are used.
    lowest
        Score threshold of the teacher's picks; ``None``: its run's threshold.
    share
        Share of each data set's picks, best first, that are labels.
    top
        Maximum number of labels, all data sets together.
    recentred
        Whether labels move to peaks of the smoothed score map, if the teacher's peaks spread.
    fresh
        Whether training starts from scratch instead of the run's model.
    false_picks
        Whether each round trains twice, the second time with its own false picks as negatives.
    simulated_share
        Share of each batch that is simulated micrographs, against forgetting.
    rounds
        Maximum number of rounds; the evidence may end it before.

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
    """Return the settings of a run's self-training, and the starting model.

    Training is at the scale that the run picked at, with the training options of the model's card, and
    over its range of scales where the run's store is fine enough.

    Parameters
    ----------
    given
        Plain settings of :class:`SelfTrainSettings`, which override those of a preset.
    assignments
        ``NAME=VALUE`` of the same, which override all others.
    finest_px
        Largest diameter in pixels that the run's store allows.

    Raises
    ------
    ModelError
        If the model's file is missing or its network cannot be trained.
    UsageError
        If a setting is wrong.
    """
    start = starting_model(run.model)
    card = start[1]
    particle_px = run.particle_px or card.particle_px
    fill(SelfTrainSettings, network=card.network, **given)  # errors name settings as the caller does
    settings_asked = merged(_usual(run, card, given.get("preset"), finest_px / particle_px), dict(given))
    settings = checked(SelfTrainSettings, assigned(settings_asked, assignments), of="training")
    if settings.preset is not None and settings.preset != card.network:
        raise UsageError(
            f"`preset` is {settings.preset}, and the run's model {run.model} is of {card.network}; leave it "
            "out"
        )
    if (other_px := settings.options.get("particle_px", particle_px)) != particle_px:
        raise UsageError(
            f"options.particle_px is {other_px}, but the run picked with {particle_px:g} pixels a diameter; "
            "leave it out, or begin with a run with another `particle_px`"
        )
    teacher = _teacher(settings.teacher, run.model)
    options = {**(_network(card) if settings.fresh else {}), **settings.options, "particle_px": particle_px}
    return settings.model_copy(update={"teacher": teacher, "options": options}), start


def _teacher(teacher_name: str, model: str) -> str:
    """Return the teacher: ``self``, an existing model, or the absolute path of a table.

    Raises
    ------
    UsageError
        There is no such model or table.
    """
    if teacher_name == model:
        return SELF
    if teacher_name not in (SELF, *NO_WEIGHTS) and is_table(teacher_name):
        return teacher_name if is_bucket(teacher_name) else str(Path(teacher_name).resolve())
    model_path = absolute_model(teacher_name)
    if model_path not in (SELF, *NO_WEIGHTS):
        weights_file(model_path)
    return model_path


def starting_model(model: str) -> Model:
    """Return the weights and the card of a trainable network.

    Raises
    ------
    ModelError
        If the file is missing or the network cannot be trained.
    """
    try:
        loaded = None if model in NO_WEIGHTS else open_model(weights_file(model))
    except UsageError as error:
        raise ModelError(
            f"the run's model {model} is gone; put the file back, or run again with `model` and train that"
        ) from error
    if loaded is None or find_network(loaded[1].network).training is None:
        raise ModelError(
            f"{model} has no network that can learn; self-train a run of a model of {', '.join(LEARNING)}"
        )
    return loaded


def _network(card: ModelCard) -> dict[str, int | str]:
    """Return the options that build a model's network anew."""
    variant: dict[str, int | str] = (
        {} if card.architecture == card.network else {"architecture": card.architecture}
    )
    return {**variant, **card.parameters}


def _usual(run: RunSettings, card: ModelCard, preset: str | None, finest: float) -> dict[str, Any]:
    """Return the default settings as plain data.

    Parameters
    ----------
    finest
        Largest magnification, relative to the run's scale, that the store allows.
    """
    base: dict[str, Any] = {"network": card.network, "name": f"{Path(run.model).stem}-self-trained"}
    known = recipe_options(card.network).keys() - BESIDE
    base |= {name: card.options[name] for name in BESIDE if name in card.options}
    kept = {name: value for name, value in card.options.items() if name in known}
    if preset is not None:
        return base | dict(PRESETS[preset])  # the recipe's own options are the paper's
    target_options = {name: value for name, value in TARGET_OPTIONS.items() if name in known}
    widest = finest if finest > LEAST_WIDENING else 1.0
    low, high = card.scales
    return base | {
        "options": kept | target_options,
        "epochs": max(1, round(FURTHER * find_training(card.network).epochs)),
        "scales": [max(low, 1 / widest), min(high, widest)],
    }
