"""``cryopick iterate``: pick, extract, classify, train on the kept particles, pick again, unattended.

DeepEM's recursive training (Zhu, Ouyang, Mao 2017, BMC Bioinformatics 18:348) and DeepPicker's selection by
classes (Wang et al. 2016, J. Struct. Biol. 195:325) put a person between picking and learning; here the
rated quality of class averages decides.
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
from cryopick_ray.picks.reasons import Reason
from cryopick_ray.picks.table import PickTable, open_table
from cryopick_ray.runs.api import self_train
from cryopick_ray.runs.iterate.classified_picks import CLASSES, classify_picks, extract_picks
from cryopick_ray.runs.iterate.iteration_settings import IterateSettings, IterationRecord
from cryopick_ray.runs.learning import LearningSettings
from cryopick_ray.runs.results.run_table import make_run_table
from cryopick_ray.runs.results.run_warnings import WarningCollector
from cryopick_ray.runs.results.summary import read_summary
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.store.claim import claimed, local_folder
from cryopick_ray.store.publish import published, write_whole

TABLE, NUMBERS = "table", "iterate.json"


@dataclass(frozen=True)
class IterationRound:
    """One classification of a run's picks, and the training on those kept.

    Attributes
    ----------
    run
        Folder of the run.
    picks, kept
        Number of picks, and of those not in a junk class.
    by_quality
        Particles by the quality of their classes.
    taught
        Result of training on those kept, as text; empty after the last classification.
    """

    run: str
    picks: int
    kept: int
    by_quality: dict[str, int]
    taught: str = ""


@dataclass(frozen=True)
class IterationResult:
    """Result of an iteration; ``table`` holds the last run's picks that are not in a junk class."""

    table: str
    model: str
    rounds: tuple[IterationRound, ...]
    notes: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)

    def text(self) -> str:
        """Return one line per round as text."""
        lines = []
        for number, look in enumerate(self.rounds, 1):
            qualities = ", ".join(f"{count} {name}" for name, count in look.by_quality.items())
            lines.append(f"look {number}: {look.picks} picks, in classes {qualities}; {look.kept} kept")
            lines += [f"  {look.taught}"] if look.taught else []
        return "\n".join([*lines, f"table {self.table}", f"model {self.model}"])


def iterate(
    run: str,
    out: str,
    settings: IterateSettings,
    learning: LearningSettings,
    events: Events,
    *,
    resume: bool = False,
) -> IterationResult:
    """Remove a run's picks in junk classes, train its model on the rest, pick and classify again.

    Raises
    ------
    UsageError
        The run is not finished or too small, ``out`` is not free and ``resume`` is not set, or it holds
        an iteration with other settings, or of picks that have changed since.
    """
    folder, first = local_folder(out).absolute(), RunFolder(local_folder(run))
    begun = IterationRecord.of(settings, first.path)
    with claimed(folder, begun, begun.changes(folder) if resume else [], resume=resume):
        return _iterate(first, folder, settings, learning, events)


def _iterate(
    current: RunFolder, folder: Path, settings: IterateSettings, learning: LearningSettings, events: Events
) -> IterationResult:
    """Classify, train and pick again in a claimed folder; finished rounds are not repeated."""
    warnings, rounds = WarningCollector(events), list[IterationRound]()
    for number in range(1, settings.rounds + 2):
        round_folder = folder / f"round-{number}"
        look = _classify_round(current, round_folder, settings, learning, warnings)
        is_clean = look.kept == look.picks
        if number > settings.rounds or is_clean:
            rounds.append(look)
            if is_clean:
                warnings.warn(
                    f"no pick of {current.path} lies in a junk class: classes teach its model nothing"
                )
            break
        taught = RunFolder(round_folder / "run")
        if taught.summary.is_file():
            summary = read_summary(taught)
        else:
            again = taught.config.is_file()
            summary = self_train(
                current.path,
                taught.path,
                teacher=str(round_folder / TABLE),
                assignments=settings.assignments,
                engine=learning,
                resume=again,
                events=events,
            )
        assert summary.taught is not None
        rounds.append(IterationRound(look.run, look.picks, look.kept, look.by_quality, summary.taught.text()))
        if summary.taught.is_refused:
            break
        current = taught
    result = IterationResult(
        str(round_folder / TABLE), current.settings().model, tuple(rounds), tuple(warnings.warnings)
    )
    write_whole(folder / NUMBERS, json.dumps(result.to_dict(), indent=1) + "\n")
    return result


def _classify_round(
    run: RunFolder, place: Path, settings: IterateSettings, learning: LearningSettings, events: Events
) -> IterationRound:
    """Extract a run's picks, classify them, and make a table of those not in a junk class."""
    table = open_table(run.path)
    picks = sum(micrograph.picks or 0 for micrograph in table.micrographs)
    with open_engine(learning.picking, threads=1) as engine:
        particles = extract_picks(run.path, place, table.diameter_A, engine, events)
        classification = classify_picks(
            particles,
            place,
            table.diameter_A,
            engine,
            events,
            device=learning.device,
            classes=settings.classes,
        )
    run_settings = run.settings()
    files = (_removed_before(table, place), place / CLASSES / CLASSES_CSV)
    chosen = run_settings.selection.model_copy(update={"classes": files, "keep_classes": "doubtful"})
    make_run_table(
        run_settings.model_copy(update={"selection": chosen}), run, read_summary(run).digest, place / TABLE
    )
    kept = sum(micrograph.picks or 0 for micrograph in open_table(place / TABLE).micrographs)
    return IterationRound(str(run.path), picks, kept, classification.classes.counts())


def _removed_before(table: PickTable, place: Path) -> Path:
    """Write the picks that earlier classifications of the run removed to a CSV file; return its path.

    They are not extracted here, and without the file the pass would restore them.
    """
    with published(place / CLASSES_CSV) as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(HEAD)
        for picks in table:
            for index in np.flatnonzero(picks.has(Reason.BAD_CLASS)).tolist():
                x_px, y_px, number = picks.x_px[index], picks.y_px[index], picks.more["class_number"][index]
                rows.writerow(
                    (picks.micrograph.micrograph_id, f"{x_px:.9g}", f"{y_px:.9g}", number, QUALITIES[-1])
                )
    return place / CLASSES_CSV
