"""From settings to models: one training, or one for each part left out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cryopick_ray.engine.engine import Engine
from cryopick_ray.engine.events import Events
from cryopick_ray.errors import UsageError, brief
from cryopick_ray.pickers.importers import open_model
from cryopick_ray.pickers.registry import find_training
from cryopick_ray.pickers.shipped import shipped_weights
from cryopick_ray.simulate.molecule_families import broad_family
from cryopick_ray.training.data.examples import LabelledRow
from cryopick_ray.training.data.prepare import TrainingSet, prepare_data
from cryopick_ray.training.data.splits import Split, check, folds, split_all
from cryopick_ray.training.recipes.recipe import Recipe
from cryopick_ray.training.recipes.recipe_catalogue import check_false, check_sparse
from cryopick_ray.training.results import Finished, TrainingResult
from cryopick_ray.training.train_model import Start, TrainContext, recipe_for, train_model
from cryopick_ray.training.training_settings import TrainSettings, own_name
from cryopick_ray.training.write_results import kept_training, write_training

Parts = Iterator[tuple[str, Split]]
"""Trainings to be done, each with its name; empty where there is only one."""


@dataclass(frozen=True)
class Prepared:
    """Trainings that can begin: their micrographs are there.

    Attributes
    ----------
    start
        What all of them begin with.
    parts
        Name and micrographs of each.
    """

    settings: TrainSettings
    start: Start
    parts: tuple[tuple[str, Split], ...]


def train(settings: TrainSettings, folder: Path, engine: Engine, context: TrainContext) -> TrainingResult:
    """Train what the settings ask for in ``folder``; what was finished there is not done again.

    Raises
    ------
    UsageError
        If settings, labels or splits are wrong; nothing was trained then.
    ModelError
        If the model to begin with cannot be used.
    """
    done = list(carry_out(plan_training(settings, folder, engine, context.events), folder, context))
    return TrainingResult(
        models=tuple(one.model for one in done),
        lines=tuple(line for one in done for line in one.lines),
        seconds=sum(one.seconds for one in done),
    )


def plan_training(settings: TrainSettings, folder: Path, engine: Engine, events: Events) -> Prepared:
    """Check everything, and bring the micrographs into stores below ``folder``; raise as :func:`train`."""
    _check_folds(settings)
    start = _start(settings)
    recipe = _recipe(settings, start)
    _check_labels(settings, recipe)
    data = prepare_data(settings, recipe.particle_px, folder, engine, events)
    parts = tuple(_parts(settings, data))
    for _, one in parts:
        check(one)
    return Prepared(settings, start, parts)


def carry_out(plan: Prepared, folder: Path, context: TrainContext) -> Iterator[Finished]:
    """Yield the trainings of a plan as they are done, each in a folder of its own where there are several."""
    for number, (name, one) in enumerate(plan.parts, 1):
        if (done := kept_training(plan.settings, folder / name, name)) is None:
            if name:
                context.events.note(
                    f"{name}, {number} of {len(plan.parts)}: {len(one.learnt)} micrographs to learn from, "
                    f"{len(one.test)} to test"
                )
            result = train_model(plan.settings, one, folder / name, context, start=plan.start)
            done = write_training(plan.settings, result, folder / name, name)
        yield done


def _start(settings: TrainSettings) -> Start:
    """Read the model to begin with."""
    if settings.start is None:
        return None
    path = shipped_weights(settings.start) or Path(settings.start)
    if not path.is_file():
        raise UsageError(
            f"start is {brief(settings.start)}, which is no file; give a model's name or .safetensors"
        )
    return open_model(path)


def _recipe(settings: TrainSettings, start: Start) -> Recipe:
    """Return the recipe as far as it is known before the labels: all but a share of particles."""
    options = dict(settings.options)
    if share := find_training(settings.network).share:
        options.setdefault(share, 0.5)
    return recipe_for(settings.model_copy(update={"options": options}), [], start[1] if start else None)


def _check_labels(settings: TrainSettings, recipe: Recipe) -> None:
    """Refuse labels that the recipe cannot use as they are."""
    for number, one in enumerate(settings.data):
        if one.false_labels is not None:
            check_false(settings.network, recipe, f"data.{number}.false_labels is {str(one.false_labels)!r}")
        if one.labels_used is not None:
            check_sparse(
                settings.network, recipe, settings.options, f"data.{number}.labels_used is {one.labels_used}"
            )


def _check_folds(settings: TrainSettings) -> None:
    if settings.folds is None:
        return
    if with_test := [one.name for one in settings.data if one.test]:
        raise UsageError(f"folds leave out each part in turn; take away the test of {with_test[0]}")
    if isinstance(settings.folds, int) and (listed := [one.name for one in settings.data if one.validation]):
        raise UsageError(f"folds leave out every micrograph in turn; take away the validation of {listed[0]}")
    if isinstance(settings.folds, str):
        learnt = [one.molecule or one.name for one in settings.data]
        learnt += [own_name(molecule) for group in settings.simulated for molecule in group.molecules]
        if len(parts := {_left_out(one, settings.folds) for one in learnt}) < 2:
            raise UsageError(
                f"folds: {settings.folds} needs two {settings.folds} to leave one out; there is "
                f"{', '.join(parts) or 'none'}"
            )


def _parts(settings: TrainSettings, data: Sequence[TrainingSet]) -> Parts:
    """Yield each training's split."""
    if settings.folds is None:
        yield "", _joined(settings, data)
    elif isinstance(settings.folds, int):
        yield from _folded(settings, data, settings.folds)
    else:
        names = [_left_out(one.settings.molecule or one.settings.name, settings.folds) for one in data]
        for out in dict.fromkeys(names):
            kept, away = (
                [one for one, name in zip(data, names, strict=True) if (name == out) is wanted]
                for wanted in (False, True)
            )
            test = tuple(row for one in away for row in one.rows)
            yield f"without-{out}", replace(_joined(settings, kept), test=test)


def _left_out(molecule: str, folds: str) -> str:
    """Return the name of what a molecule is left out with."""
    return broad_family(molecule) if folds == "families" else molecule


def _joined(settings: TrainSettings, data: Sequence[TrainingSet]) -> Split:
    """Return the splits of all data sets as one."""
    sets = [(one.rows, one.settings) for one in data]
    return split_all(sets, settings.validation_share, settings.seed)


def _folded(settings: TrainSettings, data: Sequence[TrainingSet], count: int) -> Parts:
    """Yield splits that leave out one part of every data set's micrographs."""
    for one in data:
        if len(one.rows) < count:
            raise UsageError(
                f"{one.settings.name} has {len(one.rows)} labelled micrographs for {count} folds"
            )
    parts = [list(folds(one.rows, count, settings.seed)) for one in data]
    for number in range(count):
        left = [
            replace(one, rows=_without(one.rows, own[number])) for one, own in zip(data, parts, strict=True)
        ]
        test = tuple(row for own in parts for row in own[number])
        yield f"fold-{number + 1}", replace(_joined(settings, left), test=test)


def _without(rows: Sequence[LabelledRow], out: Sequence[LabelledRow]) -> tuple[LabelledRow, ...]:
    left_out = {id(row) for row in out}
    return tuple(row for row in rows if id(row) not in left_out)
