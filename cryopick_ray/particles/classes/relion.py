"""RELION's own 2-D classification, run beside ours."""

import os
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import PicksError, UsageError, brief
from cryopick_ray.formats.relion.particle_rows import IMAGE
from cryopick_ray.particles.classes.expectation import PSI_SIGMA_DEG
from cryopick_ray.particles.classes.schedule import PSI_STEP_DEG, ClassPlan
from cryopick_ray.particles.images import digest_of, open_stack
from cryopick_ray.particles.particle_star import Particles, read_particles, write_particles
from cryopick_ray.store.publish import write_whole

PROGRAM = "relion_refine"
FOLDER = "relion"
OFFSET_RANGE_PX, OFFSET_STEP_PX = 5, 2


@dataclass(frozen=True, eq=False)
class RelionClasses:
    """What RELION found of each particle, in the order they were given, and its averages."""

    label: NDArray[np.int64]
    psi_deg: NDArray[np.float64]
    origin_A: NDArray[np.float64]
    probability: NDArray[np.float64]
    averages: NDArray[np.float32]


def find_relion() -> str:
    """Return where relion_refine is.

    Raises
    ------
    UsageError
        It is not installed.
    """
    found = shutil.which(PROGRAM)
    if found is None:
        raise UsageError(f"{PROGRAM} is not on PATH: load RELION, or classify with `program` own")
    return found


def run_relion(plan: ClassPlan, particles: Particles, out: Path, threads: int) -> RelionClasses:
    """Classify with RELION below ``out/relion``; what ended there of the same particles is read.

    Raises
    ------
    PicksError
        RELION stopped; its last words are told.
    """
    folder = out / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    root = f"run_it{plan.settings.iterations:03d}"
    of, digest = folder / "particles.sha256", digest_of(particles)
    if not ((folder / f"{root}_model.star").is_file() and of.is_file() and of.read_text() == digest):
        whole = _whole_names(particles)
        write_particles(folder / "particles.star", whole, {})
        _call(plan, particles, folder, threads)
        write_whole(of, digest)
    return _read(folder, root, particles)


def _whole_names(particles: Particles) -> Particles:
    """Return the particles with stacks by their whole names, for RELION runs elsewhere."""
    names = [
        f"{frame + 1:06d}@{particles.files[file].absolute()}"
        for file, frame in zip(particles.file.tolist(), particles.frame.tolist(), strict=True)
    ]
    return replace(particles, rows={**particles.rows, IMAGE: names})


def _call(plan: ClassPlan, particles: Particles, folder: Path, threads: int) -> None:
    settings = plan.settings
    options: dict[str, str | float] = {
        "o": "./run",
        "i": "particles.star",
        "iter": settings.iterations,
        "tau2_fudge": 2,
        "particle_diameter": round(plan.mask_A, 1),
        "K": plan.classes,
        "oversampling": 1,
        "psi_step": PSI_STEP_DEG,
        "offset_range": OFFSET_RANGE_PX,
        "offset_step": OFFSET_STEP_PX,
        "random_seed": settings.seed,
        "j": threads,
    }
    flags = ["flatten_solvent", "zero_mask", "norm", "scale", *(["ctf"] if particles.ctf is not None else [])]
    if plan.is_helical:
        flags.append("bimodal_psi")
        options["sigma_psi"] = PSI_SIGMA_DEG
    words = [f"--{flag}" for flag in flags]
    for name, value in options.items():
        words += [f"--{name}", str(value)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with (folder / "run.out").open("wb") as log:
        done = subprocess.run(
            [find_relion(), *words],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        tail = (folder / "run.out").read_bytes()[-400:].decode(errors="replace")
        raise PicksError(f"{PROGRAM} ended with {done.returncode}: {brief(tail)}; see {folder / 'run.out'}")


def _read(folder: Path, root: str, particles: Particles) -> RelionClasses:
    found = read_particles(folder / f"{root}_data.star")
    where = {
        (str(found.files[file]), frame): row
        for row, (file, frame) in enumerate(zip(found.file, found.frame, strict=True))
    }
    try:
        order = np.array(
            [
                where[str(particles.files[file].absolute()), frame]
                for file, frame in zip(particles.file, particles.frame, strict=True)
            ]
        )
    except KeyError as error:
        raise PicksError(f"{folder / root}_data.star lacks the image {brief(error)}") from error
    label = found.numbers("rlnClassNumber").astype(np.int64) - 1
    averages = np.array(open_stack(folder / f"{root}_classes.mrcs"), np.float32)
    return RelionClasses(
        label[order],
        found.numbers("rlnAnglePsi")[order],
        found.origin_A[order],
        found.numbers("rlnMaxValueProbDistribution")[order],
        averages,
    )
