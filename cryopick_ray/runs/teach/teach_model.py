"""Train a model on marks: on each half with the other held back for scoring, then on all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from cryopick_ray.pickers.families import build_network, make_picker
from cryopick_ray.pickers.heatmap.picker import HeatmapPicker
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.pickers.scoring import choose_scoring
from cryopick_ray.pickers.weights import ModelCard, restore
from cryopick_ray.runs.pipeline import Timings
from cryopick_ray.runs.teach.mark_scores import (
    LIKELIER,
    MarkScores,
    kept_share,
    score_marks,
    strict_threshold,
    suggested_threshold,
)
from cryopick_ray.runs.teach.marked_places import MarkedPlaces
from cryopick_ray.runs.teach.teach_doubts import doubts_of
from cryopick_ray.runs.teach.teach_result import Kept
from cryopick_ray.settings.base import Settings
from cryopick_ray.training.loop.job import TrainingJob
from cryopick_ray.training.loop.loop import LoopSettings
from cryopick_ray.training.recipes.marks import MarksRecipe, student_weights, with_teacher
from cryopick_ray.training.train_model import TrainContext

EPOCHS = 4
"""Epochs of a training, which only divide its steps for progress reports."""
LEAST_KEPT = 0.8
"""Share of the earlier picks, except wrong ones, that a taught model must still find: a model that forgot
particles scores better on marks of its mistakes."""


class TeachSettings(Settings):
    """Settings of ``cryopick teach``.

    Attributes
    ----------
    curation
        Files of decisions, or folders of them.
    micrographs
        Ids of the micrographs to show; empty: those with marks.
    seed
        Equal seeds give equal models on equal CPUs.
    steps
        Training steps, a batch each.
    """

    curation: Annotated[tuple[Path, ...], Field(min_length=1)]
    micrographs: tuple[str, ...] = ()
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    steps: Annotated[int, Field(ge=EPOCHS)] = 40


@dataclass(frozen=True)
class TeachableModel:
    """A run's model with the recipe that trains it on marks.

    Attributes
    ----------
    weights, card
        The starting model.
    recipe
        Training recipe, at the scale that the run picked at.
    threshold
        Score threshold of the run.
    """

    weights: dict[str, Tensor]
    card: ModelCard
    recipe: MarksRecipe
    threshold: float

    def picker(self, weights: dict[str, Tensor], device: str) -> HeatmapPicker:
        """Return the picker of its network with ``weights``, as ``cryopick run`` uses it."""
        network = restore(lambda: build_network(self.card), weights, self.card.name)
        scoring = choose_scoring(device=device)
        made = make_picker(
            network, self.card, particle_px=self.recipe.particle_px, device=device, scoring=scoring
        )
        assert isinstance(made, HeatmapPicker)
        return made

    def taught(
        self, marks: MarkedPlaces, folder: Path, settings: TeachSettings, context: TrainContext
    ) -> dict[str, Tensor]:
        """Train on marks and return the new weights."""
        loop = LoopSettings(
            epochs=EPOCHS,
            steps=settings.steps // EPOCHS,
            batch=self.recipe.batch,
            learning_rate=self.recipe.learning_rate,
            patience=EPOCHS,
            precision=context.precision,
            seed=settings.seed,
        )
        job = TrainingJob(self.recipe, marks.shown(), (), loop, with_teacher(self.weights))
        return student_weights(context.train(job, folder, context.listener).best)


@dataclass(frozen=True)
class KeptModel:
    """The model that is kept after training, and the evidence for it.

    Attributes
    ----------
    weights, threshold, kept
        Kept weights, their score threshold, and which model they are.
    before, after
        Scores at the marks before training and, held back, after.
    usual, taught_threshold
        Thresholds that the marks suggest, for the model before and for the taught one.
    kept_share
        Of the picks before, but for wrong ones, what the taught model finds still.
    doubts
        Doubts about the run's settings.
    """

    weights: dict[str, Tensor]
    threshold: float
    kept: Kept
    before: MarkScores
    after: MarkScores
    usual: float
    taught_threshold: float
    kept_share: float
    doubts: tuple[str, ...]


def learn(
    teachable: TeachableModel,
    marks: MarkedPlaces,
    folder: Path,
    settings: TeachSettings,
    context: TrainContext,
    timings: Timings,
) -> KeptModel:
    """Train on each half of the marks and score the other, then train on all of them."""
    say = context.events.note
    say(f"{marks.particles} particles and {marks.wrong} wrong places in {len(marks.rows)} micrographs")
    with timings.stage("look"):
        old = teachable.picker(teachable.weights, context.device)
        before, found_before = score_marks(old, marks.rows)
        doubts = tuple(doubts_of(old, teachable.recipe, marks.rows))
    after: MarkScores | None = None
    with timings.stage("hold back"):
        for number, (training, held_back) in enumerate(marks.halves(settings.seed), 1):
            say(f"learning from half of the marks, to ask about the other ({number} of 2)")
            weights = teachable.taught(training, folder / "checkpoints" / f"half-{number}", settings, context)
            scores, _ = score_marks(teachable.picker(weights, context.device), held_back.rows)
            after = scores if after is None else after + scores
    assert after is not None
    with timings.stage("learn"):
        say("learning from all marks")
        weights = teachable.taught(marks, folder / "checkpoints" / "all", settings, context)
        _, found_after = score_marks(teachable.picker(weights, context.device), marks.rows)
    usual = before.chosen(teachable.threshold, suggested_threshold(found_before, teachable.threshold))
    count = sum(int((candidates.score >= teachable.threshold).sum()) for candidates in found_before)
    strict = after.chosen(strict_threshold(found_after, count, teachable.threshold), teachable.threshold)
    threshold = after.chosen(strict, suggested_threshold(found_after, strict))
    share = _found_again(marks, found_before, found_after, teachable.threshold, threshold)
    kept = choose_kept(before, after, (teachable.threshold, usual, threshold), share)
    return KeptModel(
        weights if kept == "taught" else teachable.weights,
        {"taught": threshold, "threshold": usual, "as it was": teachable.threshold}[kept],
        kept,
        before,
        after,
        usual,
        threshold,
        share,
        doubts,
    )


def choose_kept(
    before: MarkScores, after: MarkScores, thresholds: tuple[float, float, float], share: float
) -> Kept:
    """Return which model is kept: the simplest one unless another makes the marks clearly likelier.

    Parameters
    ----------
    thresholds
        Thresholds of the run, suggested for the old model, and of the taught one.
    share
        Of the picks before, but for wrong ones, what the taught model finds still.
    """
    as_it_was, usual, taught = thresholds
    gain = before.unlikeliness(usual) - after.unlikeliness(taught)
    if gain >= LIKELIER and share >= LEAST_KEPT:
        return "taught"
    return "as it was" if usual == as_it_was else "threshold"


def _found_again(
    marks: MarkedPlaces, before: Sequence[Candidates], after: Sequence[Candidates], old: float, new: float
) -> float:
    """Return the share of the earlier picks, except wrong ones, that are still picked."""
    reach_px = [row.diameter_A / 2 / row.row.pixel_size_A for row in marks.rows]
    clear = []
    for row, found, reach in zip(marks.rows, before, reach_px, strict=True):
        places = np.column_stack([found.x, found.y])
        wrong = (np.linalg.norm(places[:, None] - row.false[None], axis=-1) < reach).any(axis=1)
        clear.append(_chosen(found, (found.score >= old) & ~wrong))
    return kept_share(clear, [_chosen(candidates, candidates.score >= new) for candidates in after], reach_px)


def _chosen(found: Candidates, which: NDArray[np.bool_]) -> Candidates:
    return Candidates(found.x[which], found.y[which], found.score[which])
