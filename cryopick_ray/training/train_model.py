"""One training from labelled micrographs to a model: learn, choose the best, find its threshold, test."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import Tensor

from cryopick_ray.engine.events import Events
from cryopick_ray.errors import UsageError
from cryopick_ray.pickers.calibration import fitted_line
from cryopick_ray.pickers.families import make_picker
from cryopick_ray.pickers.picker import Picker
from cryopick_ray.pickers.registry import find_network, find_training
from cryopick_ray.pickers.scoring import choose_scoring
from cryopick_ray.pickers.weights import ModelCard, restore, save_model
from cryopick_ray.training.card import model_card
from cryopick_ray.training.data.examples import LabelledRow
from cryopick_ray.training.data.sampling import NEGATIVE_DISTANCE
from cryopick_ray.training.data.splits import Split, check
from cryopick_ray.training.data.views import Views
from cryopick_ray.training.loop.job import TrainingJob
from cryopick_ray.training.loop.loop import Epoch, Listener, LoopSettings, Precision, TrainState, best_epoch
from cryopick_ray.training.loop.mixing import between
from cryopick_ray.training.recipes.recipe import Recipe
from cryopick_ray.training.recipes.recipe_catalogue import Value, check_false, make_recipe
from cryopick_ray.training.results import ResultLine
from cryopick_ray.training.scored import ScoredMicrograph, on_line, score, score_picker, told
from cryopick_ray.training.training_settings import LearnSettings

Trainer = Callable[[TrainingJob, Path, Listener], TrainState]
"""Runs a job in a folder, here or on Ray, and tells how far it is."""


Start = tuple[dict[str, Tensor], ModelCard] | None
"""Weights to begin with, and their card."""


@dataclass(frozen=True)
class TrainContext:
    """What trainings are run with.

    Attributes
    ----------
    train
        Runs a job.
    device
        Where pickers run in the end: ``auto``, ``cpu`` or ``cuda``.
    precision
        Of the network's arithmetic in training.
    listener
        Told how far the learning is.
    events
        Told of everything else.
    """

    train: Trainer
    device: str
    precision: Precision
    listener: Listener
    events: Events


@dataclass(frozen=True)
class Trained:
    """A finished model.

    Attributes
    ----------
    path, card, weights
        Its file, and what is in it.
    picker
        The picker that uses it.
    history, best_epoch
        The epochs, and the one whose weights were kept, counted from 1.
    validation, test
        What it found on validation micrographs (on those it learned from, if there are none) and on
        test micrographs.
    seconds
        Of training alone.
    seen
        Checksums of the micrographs' files that it learned from or was chosen by.
    """

    path: Path
    card: ModelCard
    weights: dict[str, Tensor]
    picker: Picker
    history: tuple[Epoch, ...]
    best_epoch: int
    validation: tuple[ScoredMicrograph, ...]
    test: tuple[ScoredMicrograph, ...]
    seconds: float
    seen: frozenset[str]

    def lines(self, part: str = "") -> list[ResultLine]:
        """Return the score on each test data set."""
        return [
            ResultLine(part, name, len(own), score(own, self.card.threshold), self._has_seen(own))
            for name, own in self.tests()
        ]

    def _has_seen(self, scored: Sequence[ScoredMicrograph]) -> bool:
        return any(one.source.row.checksum in self.seen for one in scored)

    def tests(self) -> list[tuple[str, list[ScoredMicrograph]]]:
        """Return the test micrographs by data set."""
        names = dict.fromkeys(one.source.dataset for one in self.test)
        return [(name, [one for one in self.test if one.source.dataset == name]) for name in names]


def train_model(
    settings: LearnSettings,
    split: Split,
    folder: Path,
    context: TrainContext,
    *,
    start: Start,
) -> Trained:
    """Train one model in ``folder``, in as many rounds as the settings say.

    Parameters
    ----------
    start
        Weights to begin with, and their card.
    """
    check(split)
    _check_filaments(settings.network, split)
    recipe = recipe_for(settings, split.training, start[1] if start else None)
    for number in range(1, settings.rounds):
        first = _once(settings, recipe, split, folder / f"round-{number}", context, start)
        found = score_picker(first.picker, split.learnt)
        taught = {one.source: with_false_picks(one, first.card) for one in found}
        split = replace(split, training=tuple(taught[row] for row in split.training))
        added = sum(len(row.false) for row in split.learnt)
        context.events.note(f"round {number}: {added} false picks are negatives of the next")
    trained = _once(settings, recipe, split, folder, context, start)
    if not split.test:
        return trained
    context.events.note(f"picking {len(split.test)} test micrographs")
    test = tuple(score_picker(trained.picker, split.test))
    measured = score(test, trained.card.threshold)
    scores = {"test_f1": measured.f1, "test_best_f1": measured.best_f1, "test_auprc": measured.auprc}
    card = trained.card.model_copy(update={"scores": trained.card.scores | _known(scores)})
    save_model(trained.path, trained.weights, card)
    return replace(trained, card=card, test=test)


def recipe_for(settings: LearnSettings, rows: Sequence[LabelledRow], start: ModelCard | None) -> Recipe:
    """Return the recipe of the settings; one that goes on from a model takes that model's network.

    Raises
    ------
    UsageError
        If an option is wrong, the model to begin with is of another network, or there are rounds for a
        network that learns nothing from them.
    """
    own_greys = find_training(settings.network).own_greys
    given: dict[str, Value] = {own_greys: False} if settings.general and own_greys else {}
    given |= settings.options
    for name in ("batch", "learning_rate"):
        if name in given:
            raise UsageError(f"options.{name}: give {name} beside options, not in it")
        if (value := getattr(settings, name)) is not None:
            given[name] = value
    if start is not None:
        given = {**start.parameters, "particle_px": start.particle_px, **given}
        if start.architecture != settings.network:
            given.setdefault("architecture", start.architecture)
    recipe = make_recipe(settings.network, given, rows)
    if settings.rounds > 1:
        check_false(settings.network, recipe, f"rounds is {settings.rounds}")
    optional = find_network(settings.network).optional
    if start is not None and (recipe.architecture, _needed(recipe.parameters, optional)) != (
        start.architecture,
        _needed(start.parameters, optional),
    ):
        raise UsageError(
            f"start is a model of {start.architecture} with {start.parameters}, and {recipe.architecture} "
            f"with {recipe.parameters} is to be trained; give the options of the model, or leave start out"
        )
    return recipe


def _check_filaments(network: str, split: Split) -> None:
    """Refuse to teach filaments with labels that have none."""
    if find_training(network).filaments and not any(row.filaments for row in split.training):
        raise UsageError(
            f"{network} learns filaments, and no label of {split.training[0].dataset} is a segment of one; "
            "give `labels` such as RELION's with rlnHelicalTubeID, or another `network`"
        )


def _needed(parameters: Mapping[str, int], optional: Collection[str]) -> dict[str, int]:
    """Return the parameters that every model of a network has."""
    return {name: value for name, value in parameters.items() if name not in optional}


def with_false_picks(scored: ScoredMicrograph, card: ModelCard) -> LabelledRow:
    """Return the micrograph with the picks above the threshold that are far from every label as false.

    Near a place that may hold a particle a pick is not false.
    """
    source, found = scored.source, scored.candidates
    least = -np.inf if card.threshold is None else card.threshold
    places = np.column_stack([found.x, found.y])[found.score >= least]
    near_px = NEGATIVE_DISTANCE * source.diameter_A / source.row.pixel_size_A
    taken = np.concatenate([source.particles, source.unsure])
    if len(taken) and len(places):
        away = np.linalg.norm(places[:, None] - taken[None], axis=-1).min(axis=1)
        places = places[away >= near_px]
    return replace(source, false=np.concatenate([source.false, places]).astype(np.float32))


def _once(
    settings: LearnSettings,
    recipe: Recipe,
    split: Split,
    folder: Path,
    context: TrainContext,
    start: Start,
) -> Trained:
    """Train, keep the best weights with the threshold that validation gives, and save them."""
    usual = find_training(settings.network)
    loop = LoopSettings(
        epochs=settings.epochs or usual.epochs,
        steps=settings.steps or usual.steps,
        batch=recipe.batch,
        learning_rate=recipe.learning_rate,
        patience=settings.patience,
        precision=context.precision,
        seed=settings.seed,
        views=Views(settings.scales, settings.general, settings.scrambled),
    )
    job = TrainingJob(recipe, split.training, split.validation, loop, start[0] if start else None)
    state = context.train(job, folder / "checkpoints", context.listener)
    if start and settings.start_share:
        state = replace(state, best=between(start[0], state.best, settings.start_share))
    seconds = sum(one.seconds for one in state.history)
    card = model_card(settings, recipe, split, state, start[1].trained_on if start else None)
    kept = best_epoch(state.history) if recipe.validation_chooses else len(state.history)
    network = restore(recipe.build, state.best, card.name)
    picker = make_picker(
        network, card, device=context.device, scoring=choose_scoring(device=context.device)
    )  # as `cryopick run` will ask it
    chosen_by = split.validation or split.learnt
    context.events.note(f"picking {len(chosen_by)} micrographs to find the threshold")
    validation = tuple(score_picker(picker, chosen_by))
    if settings.general and split.validation and picker.can_be_calibrated:
        line = fitted_line(*told(validation))
        card = card.model_copy(update={"calibration": line})
        picker = make_picker(
            network, card, device=context.device, scoring=choose_scoring(device=context.device)
        )
        validation = tuple(on_line(one, line) for one in validation)
    measured = score(validation)
    scores = _known({"validation_best_f1": measured.best_f1, "validation_auprc": measured.auprc})
    card = card.model_copy(update={"threshold": measured.best_threshold, "scores": scores})
    path = folder / f"{card.name}.safetensors"
    folder.mkdir(parents=True, exist_ok=True)
    save_model(path, state.best, card)
    seen = frozenset(row.row.checksum for row in split.training + split.validation)
    return Trained(path, card, state.best, picker, state.history, kept, validation, (), seconds, seen)


def _known(scores: dict[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in scores.items() if value is not None}
