"""A run's own picks teach its model more: DeepPicker's second stage, for every network.

Wang et al. (2016), J. Struct. Biol. 195:325: pick the target with a general model, train it on the
best picks, pick again. No label of the target is needed.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.config import RunSettings
from cryopick_ray.errors import ModelError, UsageError
from cryopick_ray.pickers.importers import open_model
from cryopick_ray.picks.table import PickTable
from cryopick_ray.run_folder import RunFolder
from cryopick_ray.store.manifest import read_manifest
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.training.course import Means, Trained, take
from cryopick_ray.training.dataset import LabelledRow
from cryopick_ray.training.labelled import nowhere
from cryopick_ray.training.lessons.catalogue import LESSONS
from cryopick_ray.training.settings import LearnSettings
from cryopick_ray.training.splits import Split, split_rows
from cryopick_ray.training.write import write_training

UNSURE_SHARE = 0.5
"""Candidates after the taken ones, as part of their number, that count as neither particle nor empty."""


@dataclass(frozen=True)
class Cuts:
    """Scores that part a run's candidates.

    Attributes
    ----------
    sure, picked, unsure
        From each up they are taken for particles to learn from, for particles to choose by, for
        either; below the last for none.
    """

    sure: float
    picked: float
    unsure: float


def cuts(scores: NDArray[np.float32], n_picked: int, *, share: float, top: int) -> Cuts:
    """Return where to cut the scores of all candidates.

    Parameters
    ----------
    scores
        ``(n,)`` in any order.
    n_picked
        How many of them the run picked.
    share
        Part of the picks, best first, that are taken for particles.
    top
        How many are taken at most.
    """
    falling = np.sort(scores)[::-1]
    taken = min(int(share * n_picked), top)
    if not taken:
        raise UsageError(f"the run picked {n_picked} particles, too few to learn from; lower its --threshold")
    last = min(n_picked + int(UNSURE_SHARE * taken), len(falling)) - 1
    sure, picked, unsure = falling[[taken - 1, n_picked - 1, last]].tolist()
    return Cuts(sure, picked, unsure)


def own_labels(
    table: PickTable, run: RunFolder, settings: RunSettings, particle: float, unsure: float
) -> list[LabelledRow]:
    """Return the run's micrographs, labelled by its candidates.

    Parameters
    ----------
    particle, unsure
        Scores from which a candidate is a label, and from which it may be either.
    """
    manifest = read_manifest(MicrographStore(run.store).place)
    rows = []
    for one in table:
        if one.micrograph.status == "complete":
            row = manifest[one.micrograph.micrograph_id]
            places = np.column_stack([one.x_px, one.y_px])
            rows.append(
                LabelledRow(
                    store_url=run.store,
                    row=row,
                    dataset=row.dataset,
                    diameter_A=settings.diameter_A,
                    radius_A=settings.diameter_A / 2,
                    sign=-1 if settings.invert else 1,
                    particles=places[one.score >= particle],
                    false=nowhere(),
                    unsure=places[(one.score < particle) & (one.score >= unsure)],
                )
            )
    return rows


def teach(
    run: RunFolder, folder: Path, learn: LearnSettings, means: Means, *, share: float, top: int
) -> Trained:
    """Train the run's model on its own best picks; the new model lies in ``folder``.

    Raises
    ------
    UsageError
        If the run has too few picks.
    ModelError
        If its model has no network that can learn.
    """
    settings = run.settings()
    start = open_model(Path(settings.model))
    table = PickTable(run.table)
    scores, n_picked = _scores(table)
    found = cuts(scores, n_picked, share=share, top=top)
    share_seed = learn.validation_share, learn.seed
    training, _ = split_rows(own_labels(table, run, settings, found.sure, found.unsure), *share_seed)
    _, validation = split_rows(own_labels(table, run, settings, found.picked, found.unsure), *share_seed)
    count = sum(len(row.particles) for row in training)
    means.events.note(f"learning from {count} picks with a score of at least {found.sure:.3g}")
    trained = take(learn, Split(training, validation, ()), folder, means, start=start)
    write_training(learn, trained, folder, "")
    return trained


def network_of(model: str) -> str:
    """Return the network that a model's file is of, as ``cryopick train`` calls it.

    Raises
    ------
    ModelError
        If there is no file or its network cannot be trained.
    """
    path = Path(model)
    network = open_model(path)[1].architecture.partition("-")[0] if path.is_file() else model
    if network not in LESSONS:
        raise ModelError(
            f"{model} has no network that can learn; refine a run of a model of {', '.join(LESSONS)}"
        )
    return network


def share_store(run: RunFolder, out: RunFolder) -> None:
    """Let a second run use the store of the first."""
    link = Path(out.store)
    if not link.exists():
        link.symlink_to(os.path.relpath(run.store, out.path))


def _scores(table: PickTable) -> tuple[NDArray[np.float32], int]:
    scores, picked = [np.empty(0, np.float32)], 0
    for one in table:
        scores.append(one.score)
        picked += int(one.picked.sum())
    return np.concatenate(scores), picked
