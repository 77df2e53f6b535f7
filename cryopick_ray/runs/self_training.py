"""A run's own picks teach its model more: DeepPicker's second stage, for every network.

Wang et al. (2016), J. Struct. Biol. 195:325: pick the target with a general model, train it on the
best picks, pick again. No label of the target is needed.
"""

import os
from collections.abc import Iterable, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from cryopick_ray.config import assigned, fill
from cryopick_ray.errors import ModelError, UsageError
from cryopick_ray.pickers.catalogue import BUILT_IN, weights_file
from cryopick_ray.pickers.importers import open_model
from cryopick_ray.pickers.registry import LEARNING, find_network
from cryopick_ray.pickers.weights import ModelCard
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.picks.table import PickTable
from cryopick_ray.runs.folder import RunFolder
from cryopick_ray.settings import RunSettings
from cryopick_ray.store.manifest import read_manifest
from cryopick_ray.store.scale import check_scale
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.training.course import Means, Trained, take
from cryopick_ray.training.dataset import LabelledRow
from cryopick_ray.training.labelled import nowhere
from cryopick_ray.training.settings import LearnSettings, learn_settings
from cryopick_ray.training.splits import Split, split_rows
from cryopick_ray.training.write import write_training
from cryopick_ray.units import working_pixel_size_A

UNSURE_SHARE = 0.5
"""Candidates after the picks, as part of the number taken, that count as neither particle nor empty."""


class RefineSettings(LearnSettings):
    """How a run's model learns from the run.

    Attributes
    ----------
    share
        Part of each data set's picks, best first, that are taken for particles.
    top
        How many are taken at most, of all data sets together.

    The others are those of :class:`LearnSettings`.
    """

    share: Annotated[float, Field(gt=0, le=1)]
    top: Annotated[int, Field(ge=1)]


class Grade(IntEnum):
    """What a candidate counts as: a particle to learn from, one to choose by, either, or none."""

    NONE = 0
    UNSURE = 1
    PICKED = 2
    SURE = 3


Model = tuple[dict[str, Tensor], ModelCard]
"""Weights to begin with, and their card."""
Graded = tuple[MicrographPicks, NDArray[np.int8]]
"""A micrograph's candidates with the grade of each."""


def refine_settings(
    run: RunSettings, assignments: Sequence[str], *, share: float, top: int
) -> tuple[RefineSettings, Model]:
    """Return how a run's model is to learn, and the model to begin with.

    It learns at the scale that the run picked at.

    Parameters
    ----------
    assignments
        ``NAME=VALUE`` of a :class:`LearnSettings`.

    Raises
    ------
    ModelError
        If the model's file is gone or has no network that can learn.
    UsageError
        If a setting is wrong.
    """
    start = _model(run.model)
    card = start[1]
    base = {"network": card.network, "name": f"{Path(run.model).stem}-refined"}
    learn = learn_settings(assigned(base, assignments))
    particle_px = run.particle_px or card.particle_px
    if (other := learn.options.get("particle_px", particle_px)) != particle_px:
        raise UsageError(
            f"options.particle_px is {other}, but the run picked with {particle_px:g} pixels a diameter; "
            "leave it out, or begin with a run with another `particle_px`"
        )
    options = {**learn.options, "particle_px": particle_px}
    return fill(RefineSettings, **learn.model_dump() | {"options": options}, share=share, top=top), start


def grade(table: Iterable[MicrographPicks], *, share: float, top: int) -> list[Graded]:
    """Return the complete micrographs with the grades of their candidates.

    Each data set has its own threshold, so ranks count and not scores, each data set's apart: of its
    picks the best ``share``, or its part of ``top``, are sure. Equal scores rank by y and x, so that
    never more are taken where scores saturate. What junk keeps out counts as neither particle nor empty:
    nothing is learned of it.

    Raises
    ------
    UsageError
        If there are too few picks to learn from.
    """
    sets: dict[str, list[MicrographPicks]] = {}
    for one in table:
        if one.micrograph.status == "complete":
            sets.setdefault(one.micrograph.dataset, []).append(one)
    picked = [sum(int(one.picked.sum()) for one in own) for own in sets.values()]
    taken = _taken(picked, share, top)
    if not any(taken):
        raise UsageError(
            f"the run picked {sum(picked)} particles, too few to learn from; lower its `threshold`"
        )
    graded: list[Graded] = []
    for own, count in zip(sets.values(), taken, strict=True):
        ends = np.cumsum([len(one.score) for one in own])
        graded += zip(own, np.split(_grades(own, count), ends[:-1]), strict=True)
    return graded


def own_labels(
    graded: Iterable[Graded], run: RunFolder, settings: RunSettings, least: Grade
) -> list[LabelledRow]:
    """Return the run's micrographs, labelled by its candidates: particles have at least a grade.

    What is left unsure to learn from is no particle to choose by: a threshold that may count it or not would
    be too low. What junk keeps out stays unsure.
    """
    manifest = read_manifest(MicrographStore(run.store).place)
    diameter_A = settings.pick.diameter_A
    rows = []
    for one, grades in graded:
        row = manifest[one.micrograph.micrograph_id]
        places = np.column_stack([one.x_px, one.y_px])
        is_unsure = (grades < least) & (grades >= Grade.UNSURE) & (least == Grade.SURE)
        rows.append(
            LabelledRow(
                store_url=run.store,
                row=row,
                dataset=row.dataset,
                diameter_A=diameter_A,
                radius_A=diameter_A / 2,
                sign=-1 if settings.invert == "yes" or one.micrograph.inverted else 1,
                particles=places[grades >= least],
                false=nowhere(),
                unsure=places[is_unsure | one.is_kept_out],
            )
        )
    return rows


def own_split(run: RunFolder, settings: RefineSettings) -> Split:
    """Return what a finished run teaches: sure picks to learn from, all picks to choose by.

    Raises
    ------
    UsageError
        If the run has too few picks.
    PixelSizeError
        If its store is too coarse for the scale it is to learn at.
    """
    old = run.settings()
    graded = grade(PickTable(run.table), share=settings.share, top=settings.top)
    seeded = settings.validation_share, settings.seed
    training, _ = split_rows(own_labels(graded, run, old, Grade.SURE), *seeded)
    _, validation = split_rows(own_labels(graded, run, old, Grade.PICKED), *seeded)
    finest_px = float(settings.options["particle_px"]) * settings.scales[1]
    pixel_size_A = working_pixel_size_A(old.pick.diameter_A, finest_px)
    check_scale([one.row for one in training + validation], pixel_size_A)
    return Split(training, validation, ())


def teach(split: Split, start: Model, folder: Path, settings: RefineSettings, means: Means) -> Trained:
    """Train a run's model on its own picks; the new model lies in ``folder``."""
    count = sum(len(row.particles) for row in split.training)
    means.events.note(f"learning from {count} picks in {len(split.training)} micrographs")
    trained = take(settings, split, folder, means, start=start)
    write_training(settings, trained, folder, "")
    return trained


def share_store(run: RunFolder, out: RunFolder) -> None:
    """Let a second run use the store of the first.

    Raises
    ------
    UsageError
        If it uses that of another run.
    """
    link = Path(out.store)
    if not link.exists():
        link.symlink_to(os.path.relpath(run.store, out.path))
    elif not link.samefile(run.store):
        raise UsageError(f"{out.path} was not refined from {run.path}; choose another `out`")


def _model(model: str) -> Model:
    """Return the weights and the card of a network that can learn."""
    try:
        found = None if model in BUILT_IN else open_model(weights_file(model))
    except UsageError as error:
        raise ModelError(
            f"the run's model {model} is gone; put the file back, or run again with `model` and refine that"
        ) from error
    if found is None or find_network(found[1].network).recipe is None:
        raise ModelError(
            f"{model} has no network that can learn; refine a run of a model of {', '.join(LEARNING)}"
        )
    return found


def _taken(picked: Sequence[int], share: float, top: int) -> list[int]:
    """Return how many picks of each data set are sure: its share, or its part of ``top``."""
    wanted = [int(share * count) for count in picked]
    ends = np.cumsum([0, *wanted])
    if ends[-1] > top:
        ends = ends * top // ends[-1]
    counts: list[int] = np.diff(ends).tolist()
    return counts


def _grades(own: Sequence[MicrographPicks], taken: int) -> NDArray[np.int8]:
    """Return the grades of one data set's candidates, one micrograph after the other."""
    x_px, y_px, score, picked, is_kept_out = (
        np.concatenate([getattr(one, name) for one in own])
        for name in ("x_px", "y_px", "score", "picked", "is_kept_out")
    )
    best_first = np.lexsort((x_px, y_px, -score, is_kept_out, ~picked))
    n_picked = int(picked.sum())
    grades = np.full(len(score), Grade.NONE, np.int8)
    for count, value in (
        (n_picked + int(UNSURE_SHARE * taken), Grade.UNSURE),
        (n_picked, Grade.PICKED),
        (taken, Grade.SURE),
    ):
        grades[best_first[:count]] = value
    grades[is_kept_out] = Grade.UNSURE
    return grades
