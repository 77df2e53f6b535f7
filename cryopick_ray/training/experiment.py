"""From settings to models: a single training, or a training for each fold."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cryopick_ray.engine.engine import Engine
from cryopick_ray.engine.events import Events
from cryopick_ray.errors import UsageError, brief
from cryopick_ray.pickers.importers import open_model
from cryopick_ray.pickers.registry import find_training
from cryopick_ray.pickers.shipped import shipped_weights
from cryopick_ray.simulate.library import own_name
from cryopick_ray.simulate.molecule_families import broad_family
from cryopick_ray.training.data.examples import LabelledRow
from cryopick_ray.training.data.prepare import TrainingSet, prepare_data
from cryopick_ray.training.data.splits import Split, check, folds, split_all
from cryopick_ray.training.recipes.recipe import Recipe
from cryopick_ray.training.recipes.recipe_catalogue import check_false, check_sparse
from cryopick_ray.training.results import FinishedTraining, TrainingResult
from cryopick_ray.training.train_model import Start, TrainContext, recipe_for, train_model
from cryopick_ray.training.training_settings import TrainSettings
from cryopick_ray.training.write_results import kept_training, write_training

NamedSplits = Iterator[tuple[str, Split]]
"""Micrographs of each training by its name (the fold); the name is empty where there is only one training."""


@dataclass(frozen=True)
class PlannedTrainings:
    """Trainings whose settings are checked and whose micrographs are in stores.

    Attributes
    ----------
    start
        Weights that all of them start from.
    splits
        Name and micrographs of each.
    """

    settings: TrainSettings
    start: Start
    splits: tuple[tuple[str, Split], ...]


def train(settings: TrainSettings, folder: Path, engine: Engine, context: TrainContext) -> TrainingResult:
    """Run all trainings of the settings in ``folder``; those finished there are not done again.

    Raises
    ------
    UsageError
        If settings, labels or splits are wrong; nothing was trained then.
    ModelError
        If the model to start from cannot be used.
    """
    done = list(carry_out(plan_training(settings, folder, engine, context.events), folder, context))
    return TrainingResult(
        models=tuple(finished.model for finished in done),
        lines=tuple(line for finished in done for line in finished.lines),
        seconds=sum(finished.seconds for finished in done),
    )


def plan_training(settings: TrainSettings, folder: Path, engine: Engine, events: Events) -> PlannedTrainings:
    """Check everything, and bring the micrographs into stores below ``folder``; raise as :func:`train`."""
    _check_folds(settings)
    start = _start(settings)
    recipe = _recipe(settings, start)
    _check_labels(settings, recipe)
    data = prepare_data(settings, recipe.particle_px, folder, engine, events)
    splits = tuple(_splits(settings, data))
    for _, split in splits:
        check(split)
    return PlannedTrainings(settings, start, splits)


def carry_out(plan: PlannedTrainings, folder: Path, context: TrainContext) -> Iterator[FinishedTraining]:
    """Yield the trainings of a plan as they finish, each in a folder of its own where there are several."""
    for number, (name, split) in enumerate(plan.splits, 1):
        if (done := kept_training(plan.settings, folder / name, name)) is None:
            if name:
                context.events.note(
                    f"{name}, {number} of {len(plan.splits)}: {len(split.learnt)} micrographs to learn from, "
                    f"{len(split.test)} to test"
                )
            result = train_model(plan.settings, split, folder / name, context, start=plan.start)
            done = write_training(plan.settings, result, folder / name, name)
        yield done


def _start(settings: TrainSettings) -> Start:
    """Read the model to start from."""
    if settings.start is None:
        return None
    path = shipped_weights(settings.start) or Path(settings.start)
    if not path.is_file():
        raise UsageError(
            f"start is {brief(settings.start)}, which is no file; give a model's name or .safetensors"
        )
    return open_model(path)


def _recipe(settings: TrainSettings, start: Start) -> Recipe:
    """Return the recipe before labels are read: a share of particles that follows from them is 0.5."""
    options = dict(settings.options)
    if share := find_training(settings.network).share:
        options.setdefault(share, 0.5)
    return recipe_for(settings.model_copy(update={"options": options}), [], start[1] if start else None)


def _check_labels(settings: TrainSettings, recipe: Recipe) -> None:
    """Raise :class:`UsageError` for labels that the recipe cannot use."""
    for number, data_set in enumerate(settings.data):
        if data_set.false_labels is not None:
            check_false(
                settings.network, recipe, f"data.{number}.false_labels is {str(data_set.false_labels)!r}"
            )
        if data_set.labels_used is not None:
            check_sparse(
                settings.network,
                recipe,
                settings.options,
                f"data.{number}.labels_used is {data_set.labels_used}",
            )


def _check_folds(settings: TrainSettings) -> None:
    if settings.folds is None:
        return
    if with_test := [data_set.name for data_set in settings.data if data_set.test]:
        raise UsageError(f"folds leave out each part in turn; take away the test of {with_test[0]}")
    if isinstance(settings.folds, int) and (
        listed := [data_set.name for data_set in settings.data if data_set.validation]
    ):
        raise UsageError(f"folds leave out every micrograph in turn; take away the validation of {listed[0]}")
    if isinstance(settings.folds, str):
        molecules = [data_set.molecule or data_set.name for data_set in settings.data]
        molecules += [own_name(molecule) for group in settings.simulated for molecule in group.molecules]
        if len(folds_named := {_left_out(molecule, settings.folds) for molecule in molecules}) < 2:
            raise UsageError(
                f"folds: {settings.folds} needs two {settings.folds} to leave one out; there is "
                f"{', '.join(folds_named) or 'none'}"
            )


def _splits(settings: TrainSettings, data: Sequence[TrainingSet]) -> NamedSplits:
    """Yield each training's split."""
    if settings.folds is None:
        yield "", _joined(settings, data)
    elif isinstance(settings.folds, int):
        yield from _folded(settings, data, settings.folds)
    else:
        names = [
            _left_out(data_set.settings.molecule or data_set.settings.name, settings.folds)
            for data_set in data
        ]
        for out in dict.fromkeys(names):
            kept, away = (
                [data_set for data_set, name in zip(data, names, strict=True) if (name == out) is wanted]
                for wanted in (False, True)
            )
            test = tuple(row for data_set in away for row in data_set.rows)
            yield f"without-{out}", replace(_joined(settings, kept), test=test)


def _left_out(molecule: str, folds: str) -> str:
    """Return the name of the fold that leaves a molecule out: itself, or its family."""
    return broad_family(molecule) if folds == "families" else molecule


def _joined(settings: TrainSettings, data: Sequence[TrainingSet]) -> Split:
    """Return one split of all data sets together."""
    sets = [(data_set.rows, data_set.settings) for data_set in data]
    return split_all(sets, settings.validation_share, settings.seed)


def _folded(settings: TrainSettings, data: Sequence[TrainingSet], count: int) -> NamedSplits:
    """Yield splits that leave out one part of every data set's micrographs."""
    for data_set in data:
        if len(data_set.rows) < count:
            raise UsageError(
                f"{data_set.settings.name} has {len(data_set.rows)} labelled micrographs for {count} folds"
            )
    parts_of_sets = [list(folds(data_set.rows, count, settings.seed)) for data_set in data]
    for number in range(count):
        kept = [
            replace(data_set, rows=_without(data_set.rows, parts[number]))
            for data_set, parts in zip(data, parts_of_sets, strict=True)
        ]
        test = tuple(row for parts in parts_of_sets for row in parts[number])
        yield f"fold-{number + 1}", replace(_joined(settings, kept), test=test)


def _without(rows: Sequence[LabelledRow], out: Sequence[LabelledRow]) -> tuple[LabelledRow, ...]:
    left_out = {id(row) for row in out}
    return tuple(row for row in rows if id(row) not in left_out)
