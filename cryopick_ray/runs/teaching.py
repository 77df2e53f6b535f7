"""A teaching from marks: halves of them are held back to be asked about, then all of them teach."""

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
from cryopick_ray.runs.teach_doubts import doubts_of
from cryopick_ray.runs.teach_evidence import LIKELIER, Answers, answers, as_strict, kept_share, suggested
from cryopick_ray.runs.teach_marks import Marks
from cryopick_ray.runs.teach_result import Kept
from cryopick_ray.settings.base import Settings
from cryopick_ray.training.loop.job import TrainingJob
from cryopick_ray.training.loop.loop import LoopSettings
from cryopick_ray.training.recipes.marks import MarksRecipe, doubled, learnt
from cryopick_ray.training.train_model import TrainContext

EPOCHS = 4
"""In which progress is told; together they have the teaching's steps."""
LEAST_KEPT = 0.8
"""Share of the picks before, but for wrong ones, that a taught model must find still: one that forgot what
it knew looks better to marks of what it did wrong."""


class TeachSettings(Settings):
    """How marks teach a run's model.

    Attributes
    ----------
    curation
        Files of decisions, or folders of them.
    micrographs
        Ids of those whose picks are shown; empty for those with marks.
    seed
        Equal seeds give equal models on equal CPUs.
    steps
        Batches of a teaching.
    """

    curation: Annotated[tuple[Path, ...], Field(min_length=1)]
    micrographs: tuple[str, ...] = ()
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    steps: Annotated[int, Field(ge=EPOCHS)] = 40


@dataclass(frozen=True)
class Pupil:
    """A run's model, and how it learns.

    Attributes
    ----------
    weights, card
        What it is.
    recipe
        How it is taught, at the scale that the run picked at.
    threshold
        Score from which the run picked.
    """

    weights: dict[str, Tensor]
    card: ModelCard
    recipe: MarksRecipe
    threshold: float

    def picker(self, weights: dict[str, Tensor], device: str) -> HeatmapPicker:
        """Return the picker of weights of its network, as ``cryopick run`` will ask it."""
        network = restore(lambda: build_network(self.card), weights, self.card.name)
        scoring = choose_scoring(device=device)
        made = make_picker(
            network, self.card, particle_px=self.recipe.particle_px, device=device, scoring=scoring
        )
        assert isinstance(made, HeatmapPicker)
        return made

    def taught(
        self, marks: Marks, folder: Path, settings: TeachSettings, context: TrainContext
    ) -> dict[str, Tensor]:
        """Return its weights after a teaching."""
        loop = LoopSettings(
            epochs=EPOCHS,
            steps=settings.steps // EPOCHS,
            batch=self.recipe.batch,
            learning_rate=self.recipe.learning_rate,
            patience=EPOCHS,
            precision=context.precision,
            seed=settings.seed,
        )
        job = TrainingJob(self.recipe, marks.shown(), (), loop, doubled(self.weights))
        return learnt(context.train(job, folder, context.listener).best)


@dataclass(frozen=True)
class Teaching:
    """What came of a teaching.

    Attributes
    ----------
    weights, threshold, kept
        What is kept, the score from which it picks, and what it is.
    before, after
        What was said of the marks before and, held back, after.
    usual, taught_threshold
        Thresholds that the marks suggest, of the model before and of the taught one.
    kept_share
        Of the picks before, but for wrong ones, what the taught model finds still.
    doubts
        Of the run's settings.
    """

    weights: dict[str, Tensor]
    threshold: float
    kept: Kept
    before: Answers
    after: Answers
    usual: float
    taught_threshold: float
    kept_share: float
    doubts: tuple[str, ...]


def learn(
    pupil: Pupil, marks: Marks, folder: Path, settings: TeachSettings, context: TrainContext, timings: Timings
) -> Teaching:
    """Teach with halves of the marks, to ask about the other halves, then with all."""
    say = context.events.note
    say(f"{marks.particles} particles and {marks.wrong} wrong places in {len(marks.rows)} micrographs")
    with timings.stage("look"):
        old = pupil.picker(pupil.weights, context.device)
        before, found_before = answers(old, marks.rows)
        doubts = tuple(doubts_of(old, pupil.recipe, marks.rows))
    after: Answers | None = None
    with timings.stage("hold back"):
        for number, (some, rest) in enumerate(marks.halves(settings.seed), 1):
            say(f"learning from half of the marks, to ask about the other ({number} of 2)")
            weights = pupil.taught(some, folder / "checkpoints" / f"half-{number}", settings, context)
            own, _ = answers(pupil.picker(weights, context.device), rest.rows)
            after = own if after is None else after + own
    assert after is not None
    with timings.stage("learn"):
        say("learning from all marks")
        weights = pupil.taught(marks, folder / "checkpoints" / "all", settings, context)
        _, found_after = answers(pupil.picker(weights, context.device), marks.rows)
    usual = before.chosen(pupil.threshold, suggested(found_before, pupil.threshold))
    count = sum(int((one.score >= pupil.threshold).sum()) for one in found_before)
    strict = after.chosen(as_strict(found_after, count, pupil.threshold), pupil.threshold)
    threshold = after.chosen(strict, suggested(found_after, strict))
    share = _kept(marks, found_before, found_after, pupil.threshold, threshold)
    kept = judged(before, after, (pupil.threshold, usual, threshold), share)
    return Teaching(
        weights if kept == "taught" else pupil.weights,
        {"taught": threshold, "threshold": usual, "as it was": pupil.threshold}[kept],
        kept,
        before,
        after,
        usual,
        threshold,
        share,
        doubts,
    )


def judged(before: Answers, after: Answers, thresholds: tuple[float, float, float], share: float) -> Kept:
    """Return what is kept: the simplest of which no other makes the marks clearly likelier.

    Parameters
    ----------
    thresholds
        From which was picked, of the model as it was, and of the taught one.
    share
        Of the picks before, but for wrong ones, what the taught model finds still.
    """
    as_it_was, usual, taught = thresholds
    gain = before.unlikeliness(usual) - after.unlikeliness(taught)
    if gain >= LIKELIER and share >= LEAST_KEPT:
        return "taught"
    return "as it was" if usual == as_it_was else "threshold"


def _kept(
    marks: Marks, before: Sequence[Candidates], after: Sequence[Candidates], old: float, new: float
) -> float:
    """Return the share of the picks before that nobody called wrong, and that are picked still."""
    reach_px = [row.diameter_A / 2 / row.row.pixel_size_A for row in marks.rows]
    clear = []
    for row, found, reach in zip(marks.rows, before, reach_px, strict=True):
        places = np.column_stack([found.x, found.y])
        wrong = (np.linalg.norm(places[:, None] - row.false[None], axis=-1) < reach).any(axis=1)
        clear.append(_chosen(found, (found.score >= old) & ~wrong))
    return kept_share(clear, [_chosen(one, one.score >= new) for one in after], reach_px)


def _chosen(found: Candidates, which: NDArray[np.bool_]) -> Candidates:
    return Candidates(found.x[which], found.y[which], found.score[which])
