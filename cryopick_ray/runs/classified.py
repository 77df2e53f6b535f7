"""Particles -> classes, their qualities, and what is kept of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cryopick_ray.engine.engine import Engine
from cryopick_ray.engine.events import Events
from cryopick_ray.errors import UsageError
from cryopick_ray.formats.relion.helical import PSI
from cryopick_ray.particles.classes.class_likeness import LEAST_PARTICLES, learnt_rule
from cryopick_ray.particles.classes.class_quality import measure
from cryopick_ray.particles.classes.classes import (
    CLASSES_JSON,
    Classes,
    write_classes,
    write_json,
    write_kept,
)
from cryopick_ray.particles.classes.classification import begin, classify, clear
from cryopick_ray.particles.classes.classification_settings import ClassSettings
from cryopick_ray.particles.classes.model import ClassSums, averages, picture_of
from cryopick_ray.particles.classes.posed import posed_halves
from cryopick_ray.particles.classes.progress import WorkFiles
from cryopick_ray.particles.classes.psi_prior import has_prior
from cryopick_ray.particles.classes.relion import find_relion, run_relion
from cryopick_ray.particles.classes.schedule import ClassPlan
from cryopick_ray.particles.particle_star import Particles, read_particles
from cryopick_ray.passes.bad_classes import Quality
from cryopick_ray.report.class_page import render_classes
from cryopick_ray.settings.config import read_yaml, to_yaml
from cryopick_ray.store.publish import write_whole

SETTINGS, PAGE = "classify.yaml", "classes.html"
PARTICLES_NEEDED = 50
"""Of a class, to be told from junk."""


@dataclass(frozen=True)
class ClassOutcome:
    """What a classification came to; ``notes`` says what was guessed, doubted or left out."""

    out: Path
    root: str
    classes: Classes
    kept: int | None
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "out": str(self.out),
            "data": f"{self.root}_data.star",
            "averages": f"{self.root}_classes.mrcs",
            "particles": len(self.classes.label),
            "particles_by_quality": self.classes.counts(),
            "kept": self.kept,
            "likeness": dict(learnt_rule().made_from),
            "notes": list(self.notes),
            "classes": self.classes.rows(),
        }

    def text(self) -> str:
        """Return the counts for a person."""
        classes = self.classes
        named: list[str] = [classes.quality[one] for one in classes.ranking]
        lines = [f"{len(classes.label)} particles in {len(named)} classes, shown in {self.out / PAGE}"]
        for name, count in classes.counts().items():
            lines.append(f"{name}: {count} particles in {named.count(name)} classes")
        if self.kept is not None:
            lines.append(f"{self.kept} kept in {self.out / 'kept.star'}")
        return "\n".join(lines)


def classify2d(
    settings: ClassSettings,
    out: Path,
    engine: Engine,
    events: Events,
    *,
    device: str = "auto",
    threads: int = 1,
    resume: bool = False,
    keep: Quality | None = None,
) -> ClassOutcome:
    """Classify particles, tell how good each class is, and write all that below ``out``.

    Parameters
    ----------
    device
        Where images are compared.
    threads
        Of RELION, if it classifies.
    resume
        Whether to go on with what ``out`` holds.
    keep
        The worst quality of classes whose particles are written to ``kept.star``.

    Raises
    ------
    UsageError
        ``out`` holds a classification and ``resume`` is not set, or one with other settings.
    PicksError
        The particles cannot be read.
    """
    if settings.program == "relion":
        find_relion()
    particles = read_particles(settings.particles)
    _check(settings, particles)
    _claim(settings, out, resume=resume)
    is_helical = has_prior(particles) if settings.helix is None else settings.helix
    plan = ClassPlan(settings, len(particles), particles.box_px, particles.pixel_size_A, is_helical)
    notes = [*particles.notes, *_doubts(plan)]
    if is_helical and settings.helix is None:
        notes.append(f"turns are looked for near {PSI} alone: particles are segments of filaments (`helix`)")
    if not WorkFiles(out).are_of(particles):
        notes.append(f"{settings.particles} has changed since its classification was stopped: begun anew")
        clear(out)
        WorkFiles(out).are_of(particles)
    if settings.program == "own":
        classes = _own(plan, particles, out, engine, events, device)
    else:
        classes = _relion(plan, particles, out, engine, events, device, threads)
    root = f"run_it{settings.iterations:03d}"
    notes += write_classes(out, root, particles, classes)
    empty = plan.classes - len(classes.ranking)
    notes += [f"{empty} of {plan.classes} classes are empty"] if empty else []
    kept = None if keep is None else write_kept(out, particles, classes, keep)
    outcome = ClassOutcome(out, root, classes, kept, tuple(notes))
    write_json(out / CLASSES_JSON, outcome.to_dict())
    shown = settings.model_dump(mode="json") | {"classes": plan.classes}
    write_whole(out / PAGE, render_classes(classes, shown, notes))
    clear(out)
    return outcome


def _own(
    plan: ClassPlan, particles: Particles, out: Path, engine: Engine, events: Events, device: str
) -> Classes:
    found = classify(plan, out, engine, events, device)
    made = _averages(plan, found.halves, found.noise)
    return _judged(
        plan, particles, found.halves, found.noise, made,
        label=found.label, psi_deg=found.psi_deg, shift_A=found.shift_A, probability=found.probability,
    )  # fmt: skip


def _relion(
    plan: ClassPlan,
    particles: Particles,
    out: Path,
    engine: Engine,
    events: Events,
    device: str,
    threads: int,
) -> Classes:
    found = run_relion(plan, particles, out, threads)
    begin(plan, out, engine, events, device)
    shift_A = found.origin_A - particles.origin_A
    halves, noise = posed_halves(plan, WorkFiles(out), found.label, found.psi_deg, shift_A)
    return _judged(
        plan, particles, halves, noise, found.averages,
        label=found.label, psi_deg=found.psi_deg, shift_A=shift_A, probability=found.probability,
    )  # fmt: skip


def _averages(
    plan: ClassPlan, halves: tuple[ClassSums, ClassSums], noise: torch.Tensor
) -> NDArray[np.float32]:
    values, _ = averages(halves[0] + halves[1], plan.components, noise)
    mask_px = plan.mask_A / plan.pixel_size_A
    return picture_of(values, plan.components, plan.box_px, mask_px).numpy()


def _judged(
    plan: ClassPlan,
    particles: Particles,
    halves: tuple[ClassSums, ClassSums],
    noise: torch.Tensor,
    made: NDArray[np.float32],
    *,
    label: NDArray[np.int64],
    psi_deg: NDArray[np.float64],
    shift_A: NDArray[np.float64],
    probability: NDArray[np.float64],
) -> Classes:
    measured = measure(plan, halves, noise, label, shift_A, probability)
    rule = learnt_rule()
    likeness = rule.probability(measured)
    origin_A = particles.origin_A + shift_A
    return Classes(made, label, psi_deg, origin_A, probability, measured, likeness, rule.qualities(likeness))


def _claim(settings: ClassSettings, out: Path, *, resume: bool) -> None:
    """Note the settings in a new folder; refuse one that holds a classification that is not gone on with."""
    path, text = out / SETTINGS, to_yaml(settings)
    if path.is_file():
        if not resume:
            raise UsageError(f"{out} holds a classification: choose another `out`, or go on with `resume`")
        if path.read_text() != text:
            before, now = read_yaml(path), settings.model_dump(mode="json")
            changed = [
                f"{name}: {before.get(name)} -> {now[name]}" for name in now if before.get(name) != now[name]
            ]
            raise UsageError(
                f"{out} holds a classification with other settings ({'; '.join(changed)}): go on with "
                "the old ones or choose another `out`"
            )
    write_whole(path, text)


def _check(settings: ClassSettings, particles: Particles) -> None:
    if len(particles) < 2 * (wanted := settings.count(len(particles))):
        raise UsageError(f"{len(particles)} particles for {wanted} `classes`: expected at least two for each")
    if settings.helix and PSI not in particles.rows:
        raise UsageError(f"{particles.path} has no {PSI}, along which turns are looked for by `helix`")


def _doubts(plan: ClassPlan) -> list[str]:
    return [*_few_particles(plan), *_of_mask(plan)]


def _few_particles(plan: ClassPlan) -> list[str]:
    if plan.count >= PARTICLES_NEEDED * plan.classes:
        return []
    suited = plan.settings.model_copy(update={"classes": None}).count(plan.count)
    mend = f"; `classes` {suited} suits them" if suited != plan.classes else ""
    return [
        f"{plan.count} particles in {plan.classes} classes are {plan.count / plan.classes:.0f} in each, and "
        f"it takes some {PARTICLES_NEEDED} to tell what a class shows: fewer than {LEAST_PARTICLES} are "
        f"junk{mend}"
    ]


def _of_mask(plan: ClassPlan) -> list[str]:
    if plan.settings.diameter_A is None:
        return [f"`diameter_A` is not given: the mask is {plan.mask_A:.0f} A wide, .85 of the box"]
    box_A = plan.box_px * plan.pixel_size_A
    if plan.settings.diameter_A > box_A:
        return [
            f"`diameter_A` {plan.settings.diameter_A:g} is more than the box of {box_A:.0f} A, which is taken"
        ]
    return []
