"""What the card of a trained model says of the training."""

from collections.abc import Sequence
from datetime import UTC, datetime

from cryopick_ray.pickers.provenance import LearntSet, Provenance
from cryopick_ray.pickers.registry import find_training
from cryopick_ray.pickers.weights import ModelCard, weights_digest
from cryopick_ray.training.data.examples import LabelledRow
from cryopick_ray.training.data.splits import Split
from cryopick_ray.training.loop.loop import TrainState
from cryopick_ray.training.recipes.recipe import Recipe
from cryopick_ray.training.recipes.recipe_catalogue import EXPECTED, Value
from cryopick_ray.training.training_settings import LearnSettings

BESIDE = ("batch", "learning_rate")
"""Options of a recipe that settings have beside the others."""


def learnt_from(rows: Sequence[LabelledRow], before: Provenance | None) -> Provenance:
    """Return what a card says of the micrographs that were learnt from, and of those before."""
    sets: dict[str, list[LabelledRow]] = {}
    for row in rows:
        sets.setdefault(row.dataset, []).append(row)
    return Provenance(
        sets=tuple(
            LearntSet(
                dataset=name,
                molecule=own[0].molecule,
                simulated=own[0].simulated,
                micrographs=len(own),
                particles=sum(len(row.particles) for row in own),
            )
            for name, own in sets.items()
        ),
        micrographs=len(rows),
        particles=sum(len(row.particles) for row in rows),
        before=before,
    )


def model_card(
    settings: LearnSettings, recipe: Recipe, split: Split, state: TrainState, before: Provenance | None
) -> ModelCard:
    """Return the card of what was learned, before anything is measured of it.

    Parameters
    ----------
    before
        What the model that it began with had learnt from.
    """
    names = list(dict.fromkeys(row.dataset for row in split.learnt))
    return ModelCard(
        name=settings.name or f"{settings.network}-{names[0] if len(names) == 1 else 'general'}",
        architecture=recipe.architecture,
        parameters=recipe.parameters,
        particle_px=recipe.particle_px,
        normalisation=recipe.normalisation,
        trained_on=learnt_from(split.learnt, before),
        options=_kept_options(settings, recipe),
        scales=settings.scales,
        licence="that of the training data",
        source=f"cryopick train, seed {settings.seed}",
        training_seconds=sum(one.seconds for one in state.history),
        date=datetime.now(UTC).date(),
        digest=weights_digest(state.best),
    )


def _kept_options(settings: LearnSettings, recipe: Recipe) -> dict[str, Value]:
    """Return the options that hold whatever is learned from: not the network's, its scale's or the data's."""
    own = {*recipe.parameters, "architecture", "particle_px", EXPECTED, find_training(settings.network).share}
    kept: dict[str, Value] = {name: value for name, value in settings.options.items() if name not in own}
    for name in BESIDE:
        if (value := getattr(settings, name)) is not None:
            kept[name] = value
    return kept
