"""One training from labelled micrographs to a model: train, keep the best epoch, set the threshold, test."""

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
from cryopick_ray.training.loop.mixing import interpolate_weights
from cryopick_ray.training.recipes.recipe import Recipe
from cryopick_ray.training.recipes.recipe_catalogue import Value, check_false, make_recipe
from cryopick_ray.training.results import ResultLine
from cryopick_ray.training.scored import (
    ScoredMicrograph,
    score,
    score_picker,
    scores_and_hits,
    with_calibration,
)
from cryopick_ray.training.training_settings import LearnSettings

Trainer = Callable[[TrainingJob, Path, Listener], TrainState]
"""Trains a job in a folder, in this process or on Ray, and reports progress to the listener."""


Start = tuple[dict[str, Tensor], ModelCard] | None
"""Weights of a model that training starts from, and its card; ``None`` for fresh weights."""


@dataclass(frozen=True)
class TrainContext:
    """How trainings are run, whatever they learn.

    Attributes
    ----------
    train
        Trains a job, in this process or on Ray.
    device
        Where the trained picker runs: ``auto``, ``cpu`` or ``cuda``.
    precision
        Of the network's arithmetic in training.
    listener
        Gets batches and epochs as they end.
    events
        Gets notes and everything else.
    """

    train: Trainer
    device: str
    precision: Precision
    listener: Listener
    events: Events


@dataclass(frozen=True)
class TrainedModel:
    """A trained model with its history and scores.

    Attributes
    ----------
    path, card, weights
        Its file, and the file's content.
    picker
        The picker that uses it.
    history, best_epoch
        The epochs, and the one whose weights were kept, counted from 1.
    validation, test
        Its candidates on validation micrographs (on the training micrographs, if there are none) and on
        test micrographs.
    seconds
        Of training alone.
    seen
        Checksums of the files of training and validation micrographs.
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
            ResultLine(
                part,
                name,
                len(micrographs),
                score(micrographs, self.card.threshold),
                self._has_seen(micrographs),
            )
            for name, micrographs in self.tests()
        ]

    def _has_seen(self, scored: Sequence[ScoredMicrograph]) -> bool:
        return any(micrograph.source.row.checksum in self.seen for micrograph in scored)

    def tests(self) -> list[tuple[str, list[ScoredMicrograph]]]:
        """Return the test micrographs by data set."""
        names = dict.fromkeys(micrograph.source.dataset for micrograph in self.test)
        return [
            (name, [micrograph for micrograph in self.test if micrograph.source.dataset == name])
            for name in names
        ]


def train_model(
    settings: LearnSettings,
    split: Split,
    folder: Path,
    context: TrainContext,
    *,
    start: Start,
) -> TrainedModel:
    """Train one model in ``folder``, in as many rounds as the settings say."""
    check(split)
    _check_filaments(settings.network, split)
    recipe = recipe_for(settings, split.training, start[1] if start else None)
    for number in range(1, settings.rounds):
        first = _train_once(settings, recipe, split, folder / f"round-{number}", context, start)
        scored = score_picker(first.picker, split.learnt)
        with_negatives = {
            micrograph.source: with_false_picks(micrograph, first.card) for micrograph in scored
        }
        split = replace(split, training=tuple(with_negatives[row] for row in split.training))
        added = sum(len(row.false) for row in split.learnt)
        context.events.note(f"round {number}: {added} false picks are negatives of the next")
    trained = _train_once(settings, recipe, split, folder, context, start)
    if not split.test:
        return trained
    context.events.note(f"picking {len(split.test)} test micrographs")
    test = tuple(score_picker(trained.picker, split.test))
    measured = score(test, trained.card.threshold)
    scores = {"test_f1": measured.f1, "test_best_f1": measured.best_f1, "test_auprc": measured.auprc}
    card = trained.card.model_copy(update={"scores": trained.card.scores | _defined(scores)})
    save_model(trained.path, trained.weights, card)
    return replace(trained, card=card, test=test)


def recipe_for(settings: LearnSettings, rows: Sequence[LabelledRow], start: ModelCard | None) -> Recipe:
    """Return the recipe of the settings; a training that starts from a model takes that model's network.

    Raises
    ------
    UsageError
        If an option is wrong, the model to start from is of another network, or there are rounds for a
        network that learns nothing from known negatives.
    """
    own_greys = find_training(settings.network).own_greys
    options: dict[str, Value] = {own_greys: False} if settings.general and own_greys else {}
    options |= settings.options
    for name in ("batch", "learning_rate"):
        if name in options:
            raise UsageError(f"options.{name}: give {name} beside options, not in it")
        if (value := getattr(settings, name)) is not None:
            options[name] = value
    if start is not None:
        options = {**start.parameters, "particle_px": start.particle_px, **options}
        if start.architecture != settings.network:
            options.setdefault("architecture", start.architecture)
    recipe = make_recipe(settings.network, options, rows)
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
    """Raise :class:`UsageError` if a network of filaments is given labels without filaments."""
    if find_training(network).filaments and not any(row.filaments for row in split.training):
        raise UsageError(
            f"{network} learns filaments, and no label of {split.training[0].dataset} is a segment of one; "
            "give `labels` such as RELION's with rlnHelicalTubeID, or another `network`"
        )


def _needed(parameters: Mapping[str, int], optional: Collection[str]) -> dict[str, int]:
    """Return the parameters without the optional ones: every model of a network has them."""
    return {name: value for name, value in parameters.items() if name not in optional}


def with_false_picks(scored: ScoredMicrograph, card: ModelCard) -> LabelledRow:
    """Return the micrograph with its false picks added: above the threshold, far from every label.

    Picks near an unsure place are not false.
    """
    source, candidates = scored.source, scored.candidates
    threshold = -np.inf if card.threshold is None else card.threshold
    picks_px = np.column_stack([candidates.x, candidates.y])[candidates.score >= threshold]
    near_px = NEGATIVE_DISTANCE * source.diameter_A / source.row.pixel_size_A
    labelled_px = np.concatenate([source.particles, source.unsure])
    if len(labelled_px) and len(picks_px):
        away = np.linalg.norm(picks_px[:, None] - labelled_px[None], axis=-1).min(axis=1)
        picks_px = picks_px[away >= near_px]
    return replace(source, false=np.concatenate([source.false, picks_px]).astype(np.float32))


def _train_once(
    settings: LearnSettings,
    recipe: Recipe,
    split: Split,
    folder: Path,
    context: TrainContext,
    start: Start,
) -> TrainedModel:
    """Train, keep the best weights, set the threshold on the validation micrographs, and save the model."""
    defaults = find_training(settings.network)
    loop = LoopSettings(
        epochs=settings.epochs or defaults.epochs,
        steps=settings.steps or defaults.steps,
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
        state = replace(state, best=interpolate_weights(start[0], state.best, settings.start_share))
    seconds = sum(epoch.seconds for epoch in state.history)
    card = model_card(settings, recipe, split, state, start[1].trained_on if start else None)
    kept = best_epoch(state.history) if recipe.validation_chooses else len(state.history)
    network = restore(recipe.build, state.best, card.name)
    picker = make_picker(
        network, card, device=context.device, scoring=choose_scoring(device=context.device)
    )  # as `cryopick run` makes it
    chosen_by = split.validation or split.learnt
    context.events.note(f"picking {len(chosen_by)} micrographs to find the threshold")
    validation = tuple(score_picker(picker, chosen_by))
    if settings.general and split.validation and picker.can_be_calibrated:
        line = fitted_line(*scores_and_hits(validation))
        card = card.model_copy(update={"calibration": line})
        picker = make_picker(
            network, card, device=context.device, scoring=choose_scoring(device=context.device)
        )
        validation = tuple(with_calibration(micrograph, line) for micrograph in validation)
    measured = score(validation)
    scores = _defined({"validation_best_f1": measured.best_f1, "validation_auprc": measured.auprc})
    card = card.model_copy(update={"threshold": measured.best_threshold, "scores": scores})
    path = folder / f"{card.name}.safetensors"
    folder.mkdir(parents=True, exist_ok=True)
    save_model(path, state.best, card)
    seen = frozenset(row.row.checksum for row in split.training + split.validation)
    return TrainedModel(path, card, state.best, picker, state.history, kept, validation, (), seconds, seen)


def _defined(scores: dict[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in scores.items() if value is not None}
