"""Runs compared by the 3-D maps that their picks reconstruct to."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cryopick_ray.engine.engine import Engine
from cryopick_ray.engine.events import Events
from cryopick_ray.engine.unit import UnitReport
from cryopick_ray.errors import UsageError
from cryopick_ray.evaluation.comparison import letter
from cryopick_ray.evaluation.evaluate import evaluate
from cryopick_ray.evaluation.score import Score
from cryopick_ray.evaluation.truth import read_truth
from cryopick_ray.formats.reading import is_table
from cryopick_ray.formats.relion.particle_rows import SCORE
from cryopick_ray.particles.classes.classes import Classes
from cryopick_ray.particles.known_poses import TrueParticles, known_defocus, known_poses, read_poses
from cryopick_ray.particles.particle_star import DEFOCUS, Particles, read_particles, write_particles
from cryopick_ray.particles.volume.gridding import EDGE_PX, sphere
from cryopick_ray.particles.volume.picker_maps import EQUAL, MATCHED, OWN, PLACED, Structure
from cryopick_ray.particles.volume.pose_search import find_poses
from cryopick_ray.particles.volume.reconstruct import Poses, pose_columns
from cryopick_ray.particles.volume.reconstruction_settings import SearchSettings
from cryopick_ray.particles.volume.reference import reference_map
from cryopick_ray.particles.volume.symmetry import rotations_of
from cryopick_ray.particles.volume.worth import Worth, worth_of
from cryopick_ray.picks.table import PickTable, open_table
from cryopick_ray.report.structures import render_structures
from cryopick_ray.runs.iterate.classified_picks import classify_picks, extract_picks
from cryopick_ray.runs.results.summary import read_summary
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.simulate.projection import euler_to_rotations
from cryopick_ray.store.publish import write_whole

MASK_DIAMETERS = 1.2
FURTHEST_SHIFT = 1 / 6
"""In diameters: picks farther from their particle count as false."""
STAGE = "structure"
CLASSES_SHOWN = 8
PAGE, NUMBERS = "structure.html", "structure.json"


@dataclass(frozen=True)
class StructureSettings:
    """Settings of the reconstructions that runs are compared by.

    Attributes
    ----------
    reference
        A map, or a molecule of ``cryopick simulate``.
    symmetry
        Point group of the reference and the reconstructions.
    truth
        Coordinates with poses, as simulated micrographs have them; ``None``: poses of all picks are searched.
    diameter_A
        Particle diameter; ``None`` for that of the first run.
    seed
        Seed of random numbers.
    """

    reference: str
    symmetry: str
    truth: Path | None
    diameter_A: float | None = None
    seed: int = 0


def compare_structures(
    runs: Sequence[str], settings: StructureSettings, out: Path, engine: Engine, events: Events
) -> list[Structure]:
    """Extract each run's picks, find their poses, and reconstruct them below ``out``; write a page.

    Raises
    ------
    UsageError
        A run has no table, or the reference cannot be used.
    """
    truth = None if settings.truth is None else read_poses(settings.truth)
    for run in runs:
        if not is_table(run):
            raise UsageError(f"{run} is no run or table: structures are compared of picks that runs made")
    tables = [open_table(run) for run in runs]
    # read first, so that unknown names fail early
    truth_coordinates = None if settings.truth is None else read_truth(settings.truth)
    scores = [
        None if truth_coordinates is None else evaluate(table, truth_coordinates).pooled for table in tables
    ]
    diameter_A = settings.diameter_A or tables[0].diameter_A
    folders = [out / letter(number) for number in range(len(runs))]
    particle_sets, classes = [], []
    for run, folder in zip(runs, folders, strict=True):
        particles = _with_ctf(extract_picks(run, folder, diameter_A, engine, events), truth, events)
        classes.append(classify_picks(particles, folder, diameter_A, engine, events, device="auto").classes)
        particle_sets.append(particles)
    fewest = min(len(particle_set) for particle_set in particle_sets)
    events.stage(STAGE, len(runs), of="runs")
    structures = []
    for run, table, score, particles, sorted_ in zip(
        runs, tables, scores, particle_sets, classes, strict=True
    ):
        structures.append(
            _structure(run, table, score, particles, sorted_, settings, diameter_A, truth, fewest)
        )
        events.report(STAGE, UnitReport(complete=1))
    notes = list(
        dict.fromkeys(f"{structure.name}: {note}" for structure in structures for note in structure.notes)
    )
    first = particle_sets[0]
    volume = reference_map(settings.reference, first.box_px, first.pixel_size_A)
    names = short_names(runs)
    write_whole(out / NUMBERS, json.dumps([structure.to_dict() for structure in structures], indent=1) + "\n")
    write_whole(out / PAGE, render_structures(structures, names, settings.reference, volume, notes))
    return structures


def short_names(runs: Sequence[str]) -> list[str]:
    """Return display names of runs: their paths without the folders that all have in common."""
    parts = [Path(run).parts for run in runs]
    shared = 0
    while all(len(part) > shared + 1 for part in parts) and len({part[shared] for part in parts}) == 1:
        shared += 1
    return ["/".join(part[shared:]) for part in parts]


def _with_ctf(particles: Particles, truth: Mapping[str, TrueParticles] | None, events: Events) -> Particles:
    """Return particles with the CTF from their input, else from the truth."""
    if particles.ctf is not None or truth is None or not (defocus := known_defocus(particles, truth)):
        return particles
    if unknown := int(np.isnan(defocus[DEFOCUS[0]]).sum()):
        events.warn(
            f"{unknown} picks of {particles.path} are on micrographs without true particles, whose defocus "
            "is not known: they have the mean of the others"
        )
    path = particles.path.with_name("with_ctf.star")
    write_particles(
        path,
        particles,
        {name: np.where(np.isnan(values), np.nanmean(values), values) for name, values in defocus.items()},
    )
    return read_particles(path)


def _structure(
    run: str,
    table: PickTable,
    score: Score | None,
    particles: Particles,
    classes: Classes,
    settings: StructureSettings,
    diameter_A: float,
    truth: Mapping[str, TrueParticles] | None,
    fewest: int,
) -> Structure:
    box, size_A = particles.box_px, particles.pixel_size_A
    reference = reference_map(settings.reference, box, size_A)
    symmetry = rotations_of(settings.symmetry)
    radius_px = min(box / 2 - EDGE_PX, MASK_DIAMETERS * diameter_A / size_A / 2)
    mask = sphere(box, radius_px, EDGE_PX).numpy()
    search = SearchSettings(range_A=diameter_A * FURTHEST_SHIFT)
    matched, scores = find_poses(particles, reference, symmetry, search, diameter_A)
    poses_by_method = {MATCHED: matched}
    if truth is not None:
        poses_by_method[PLACED] = _as_placed(particles, matched, truth, table, diameter_A)
    best = np.argsort(-particles.numbers(SCORE, 0.0), kind="stable")[:fewest]
    worth: dict[tuple[str, str], Worth] = {}
    for selection, chosen in ((OWN, np.arange(len(particles))), (EQUAL, np.sort(best))):
        for method, poses in poses_by_method.items():
            if selection == EQUAL and len(chosen) == len(particles):
                worth[selection, method] = worth[OWN, method]  # of the same particles
                continue
            chosen_poses = Poses(poses.rotations[chosen], poses.origin_A[chosen])
            worth[selection, method] = worth_of(
                particles.of(chosen), chosen_poses, symmetry, mask, reference, seed=settings.seed
            )
    write_particles(particles.path.with_name("matched.star"), particles, pose_columns(matched))
    return Structure(
        run,
        len(particles),
        score,
        _seconds(run),
        worth,
        float(scores.mean()),
        classes.counts(),
        classes.averages[classes.ranking[:CLASSES_SHOWN]],
        particles.notes,
    )


def _as_placed(
    particles: Particles,
    matched: Poses,
    truth: Mapping[str, TrueParticles],
    table: PickTable,
    diameter_A: float,
) -> Poses:
    """Return true views at picked positions for true particles; searched poses for the others."""
    size_A = next(micrograph.pixel_size_A for micrograph in table.micrographs if micrograph.pixel_size_A)
    angles_deg = known_poses(particles, truth, diameter_A / 2 / size_A)
    is_true = np.isfinite(angles_deg[:, 0])
    rotations, origin_A = matched.rotations.copy(), matched.origin_A.copy()
    rotations[is_true] = euler_to_rotations(angles_deg[is_true])
    origin_A[is_true] = particles.origin_A[is_true]
    return Poses(rotations, origin_A)


def _seconds(run: str) -> float | None:
    folder = RunFolder(run)
    if not folder.summary.is_file():
        return None
    summary = read_summary(folder)
    if not summary.complete or "ingest and pick" not in summary.seconds:
        return None
    return summary.seconds["ingest and pick"] / summary.complete
