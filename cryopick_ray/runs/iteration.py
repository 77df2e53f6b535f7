"""Pick, extract, classify, keep, teach, pick again: a run that looks at its particles and learns, alone.

DeepEM's recursive training (Zhu, Ouyang, Mao 2017, BMC Bioinformatics 18:348) and DeepPicker's selection by
classes (Wang et al. 2016, J. Struct. Biol. 195:325) put a person between picking and learning; here what
classes look like decides.
"""

import csv
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cryopick_ray.engine.events import Events
from cryopick_ray.engine.open_engine import open_engine
from cryopick_ray.particles.classes.classes import CLASSES_CSV
from cryopick_ray.passes.bad_classes import HEAD, QUALITIES
from cryopick_ray.picks.reasons import Why
from cryopick_ray.picks.table import PickTable, open_table
from cryopick_ray.runs.api import self_train
from cryopick_ray.runs.iteration_settings import IterateSettings, Iteration
from cryopick_ray.runs.learning import LearningSettings
from cryopick_ray.runs.particle_look import CLASSES, picks_as_images, sorted_into_classes
from cryopick_ray.runs.results import read_summary
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.runs.tables import gather
from cryopick_ray.runs.warnings import Heard
from cryopick_ray.store.claim import claimed, local_folder
from cryopick_ray.store.publish import published, write_whole

TABLE, NUMBERS = "table", "iterate.json"


@dataclass(frozen=True)
class Round:
    """One look at the picks of a run.

    Attributes
    ----------
    run
        Whose picks.
    picks, kept
        How many, and how many of them lie in no junk class.
    by_quality
        Particles by the quality of their classes.
    taught
        What came of teaching with those kept; empty after the last look.
    """

    run: str
    picks: int
    kept: int
    by_quality: dict[str, int]
    taught: str = ""


@dataclass(frozen=True)
class Iterated:
    """What an iteration came to; ``table`` holds the last run's picks that lie in no junk class."""

    table: str
    model: str
    rounds: tuple[Round, ...]
    notes: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)

    def text(self) -> str:
        """Return a line a round for a person."""
        lines = []
        for number, one in enumerate(self.rounds, 1):
            qualities = ", ".join(f"{count} {name}" for name, count in one.by_quality.items())
            lines.append(f"look {number}: {one.picks} picks, in classes {qualities}; {one.kept} kept")
            lines += [f"  {one.taught}"] if one.taught else []
        return "\n".join([*lines, f"table {self.table}", f"model {self.model}"])


def iterate(
    run: str,
    out: str,
    settings: IterateSettings,
    learning: LearningSettings,
    events: Events,
    *,
    resume: bool = False,
) -> Iterated:
    """Clean a run's picks by classes, teach its model with them, pick again; look at the last picks, too.

    Raises
    ------
    UsageError
        The run is not finished or too small, ``out`` is not free and ``resume`` not asked for, or it holds
        an iteration with other settings, or of picks that have changed since.
    """
    folder, first = local_folder(out).absolute(), RunFolder(local_folder(run))
    begun = Iteration.of(settings, first.path)
    with claimed(folder, begun, begun.changes(folder) if resume else [], resume=resume):
        return _iterate(first, folder, settings, learning, events)


def _iterate(
    current: RunFolder, folder: Path, settings: IterateSettings, learning: LearningSettings, events: Events
) -> Iterated:
    """Look, teach and pick again in a claimed folder; rounds that are there are not done again."""
    heard, rounds = Heard(events), list[Round]()
    for number in range(1, settings.rounds + 2):
        place = folder / f"round-{number}"
        looked = _look(current, place, settings, learning, heard)
        is_clean = looked.kept == looked.picks
        if number > settings.rounds or is_clean:
            rounds.append(looked)
            if is_clean:
                heard.warn(f"no pick of {current.path} lies in a junk class: classes teach its model nothing")
            break
        taught = RunFolder(place / "run")
        if taught.summary.is_file():
            summary = read_summary(taught)
        else:
            again = taught.config.is_file()
            summary = self_train(
                current.path,
                taught.path,
                teacher=str(place / TABLE),
                assignments=settings.assignments,
                engine=learning,
                resume=again,
                events=events,
            )
        assert summary.taught is not None
        rounds.append(Round(looked.run, looked.picks, looked.kept, looked.by_quality, summary.taught.text()))
        if summary.taught.is_refused:
            break
        current = taught
    done = Iterated(str(place / TABLE), current.settings().model, tuple(rounds), tuple(heard.warnings))
    write_whole(folder / NUMBERS, json.dumps(done.to_dict(), indent=1) + "\n")
    return done


def _look(
    run: RunFolder, place: Path, settings: IterateSettings, learning: LearningSettings, events: Events
) -> Round:
    """Extract a run's picks, classify them, and make a table of those in no junk class."""
    table = open_table(run.path)
    picks = sum(micrograph.picks or 0 for micrograph in table.micrographs)
    with open_engine(learning.picking, threads=1) as engine:
        particles = picks_as_images(run.path, place, table.diameter_A, engine, events)
        found = sorted_into_classes(
            particles,
            place,
            table.diameter_A,
            engine,
            events,
            device=learning.device,
            classes=settings.classes,
        )
    given = run.settings()
    files = (_taken_before(table, place), place / CLASSES / CLASSES_CSV)
    chosen = given.selection.model_copy(update={"classes": files, "keep_classes": "doubtful"})
    gather(given.model_copy(update={"selection": chosen}), run, read_summary(run).digest, place / TABLE)
    kept = sum(micrograph.picks or 0 for micrograph in open_table(place / TABLE).micrographs)
    return Round(str(run.path), picks, kept, found.classes.counts())


def _taken_before(table: PickTable, place: Path) -> Path:
    """Return a file of what earlier classifications of the run took out, however much they kept.

    That has no images here, and the pass would take it back.
    """
    with published(place / CLASSES_CSV) as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(HEAD)
        for one in table:
            for at in np.flatnonzero(one.has(Why.BAD_CLASS)).tolist():
                x_px, y_px, number = one.x_px[at], one.y_px[at], one.more["class_number"][at]
                rows.writerow(
                    (one.micrograph.micrograph_id, f"{x_px:.9g}", f"{y_px:.9g}", number, QUALITIES[-1])
                )
    return place / CLASSES_CSV
