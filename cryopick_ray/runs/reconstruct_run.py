"""A STAR file of particles -> half maps, a map, and a folder that says what they are worth."""

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cryopick_ray.errors import UsageError
from cryopick_ray.particles.particle_star import ANGLES, SUBSET, Particles, read_particles, write_particles
from cryopick_ray.particles.volume.fsc import agreement, fsc
from cryopick_ray.particles.volume.gridding import sphere
from cryopick_ray.particles.volume.pose_search import find_poses
from cryopick_ray.particles.volume.reconstruct import (
    Map,
    Maps,
    Poses,
    check_box,
    halves_of,
    pose_columns,
    reconstruct,
)
from cryopick_ray.particles.volume.reconstruction_settings import ReconstructSettings
from cryopick_ray.particles.volume.reference import reference_map
from cryopick_ray.particles.volume.symmetry import rotations_of
from cryopick_ray.particles.volume.view_directions import sampling
from cryopick_ray.pickers.device.usable_device import usable_device
from cryopick_ray.report.reconstruction_page import render_reconstruction
from cryopick_ray.runs.reconstruction import Reconstruction, curves_csv, doubts_of
from cryopick_ray.simulate.map_file import read_map_values, write_map
from cryopick_ray.simulate.projection import euler_to_rotations
from cryopick_ray.store.publish import write_whole

HALVES, MAP, POSES = ("half1.mrc", "half2.mrc"), "map.mrc", "particles.star"
CURVES, FACTS, PAGE = "fsc.csv", "reconstruct.json", "reconstruct.html"
EDGE_PX = 5.0
"""Of a mask's soft edge."""
SAME_PIXEL = 0.005
USUAL_SHARE = 0.75
"""Diameter of a molecule in boxes, where nobody says it."""


def reconstruct_file(
    star: Path,
    out: Path,
    settings: ReconstructSettings,
    *,
    reference: str | None = None,
    mask: Path | None = None,
    match: bool = False,
    device: str = "auto",
) -> Reconstruction:
    """Write half maps, a map, curves, facts and a page below ``out``.

    Parameters
    ----------
    star
        Particles with images; with views, unless ``match``.
    reference
        What the map is compared with: a map of any voxels, or a molecule of ``cryopick simulate``.
    mask
        A map of the particles' box and pixel size, 0 to 1, in place of a sphere.
    match
        Whether views and origins are looked for by projection matching against the reference; they are
        written to ``particles.star``.

    Raises
    ------
    UsageError
        Something that is needed is not given, maps have other boxes or pixels, or ``out`` holds files that
        would be written over.
    """
    _check_free(out, match=match)
    symmetry, seconds = rotations_of(settings.symmetry), dict[str, float]()
    chosen = usable_device(device)
    torch.set_num_threads(settings.threads)
    particles = read_particles(star)
    check_box(particles)
    notes = list(particles.notes)
    given = None
    if reference is not None:
        given = reference_map(reference, particles.box_px, particles.pixel_size_A)
    region = _mask(particles, settings, mask, notes)
    half = halves_of(particles, settings.seed)
    if particles.subset is None:
        notes.append(f"{star} has no {SUBSET}: halves are drawn (`seed` {settings.seed})")
    score: float | None = None
    if not match:
        poses = _own_poses(particles)
    else:
        start = time.perf_counter()
        poses, score = _matched(particles, given, symmetry, settings, chosen, notes)
        seconds["match"] = round(time.perf_counter() - start, 3)
        write_particles(out / POSES, particles, pose_columns(poses) | {SUBSET: half})
    start = time.perf_counter()
    maps = reconstruct(particles, poses, half, symmetry, resolution_A=settings.resolution_A, device=chosen)
    seconds["reconstruct"] = round(time.perf_counter() - start, 3)
    found = agreement(*maps.halves, region, particles.pixel_size_A, settings.seed)
    to_reference = None if given is None else fsc(maps.whole * region, given * region)
    evenness = sampling(poses.rotations, symmetry)
    done = Reconstruction(str(out), maps.counts, found, to_reference, *evenness, score, seconds, tuple(notes))
    done = replace(done, notes=(*notes, *doubts_of(done)))
    _write(out, done, maps, given)
    return done


def _check_free(out: Path, *, match: bool) -> None:
    names = (*HALVES, MAP, CURVES, FACTS, PAGE, *([POSES] if match else []))
    if there := next((name for name in names if os.path.lexists(out / name)), None):
        raise UsageError(f"{out / there} would be written over; choose another `out`")


def _write(out: Path, done: Reconstruction, maps: Maps, reference: Map | None) -> None:
    halves = done.halves
    for name, values in zip((*HALVES, MAP), (*maps.halves, maps.whole), strict=True):
        write_map(out / name, values, halves.pixel_size_A)
    write_whole(out / CURVES, curves_csv(done))
    write_whole(out / FACTS, json.dumps(done.to_dict(), indent=1) + "\n")
    page = render_reconstruction(done.to_dict(), halves, done.to_reference, maps.whole, reference)
    write_whole(out / PAGE, page)


def _own_poses(particles: Particles) -> Poses:
    if particles.angles_deg is None:
        raise UsageError(
            f"{particles.path} has no {ANGLES[0]}, so views are not known: give `reference` and `match`, or "
            "a STAR file of a 3-D refinement"
        )
    return Poses(euler_to_rotations(particles.angles_deg), particles.origin_A)


def _matched(
    particles: Particles,
    reference: Map | None,
    symmetry: NDArray[np.float64],
    settings: ReconstructSettings,
    device: torch.device,
    notes: list[str],
) -> tuple[Poses, float]:
    """Return poses by projection matching, and say what that means."""
    if reference is None:
        raise UsageError("poses are to be matched and there is nothing to match them with: give `reference`")
    box_A = particles.box_px * particles.pixel_size_A
    diameter_A = settings.mask_diameter_A or USUAL_SHARE * box_A
    poses, scores = find_poses(particles, reference, symmetry, settings.match, diameter_A, device)
    notes.append(
        f"poses are those that fit the reference best in details to {settings.match.resolution_A:g} A, of "
        "false picks, too: that far half maps agree with it, and so with each other, whatever images hold"
    )
    return poses, float(scores.mean())


def _map_for(particles: Particles, path: Path) -> Map:
    """Return a map that has the particles' box and pixel size."""
    values, sides_A = read_map_values(path)
    box, size_A = particles.box_px, particles.pixel_size_A
    if values.shape != (box,) * 3 or np.abs(sides_A / size_A - 1).max() > SAME_PIXEL:
        told = " x ".join(map(str, values.shape))
        raise UsageError(
            f"{path} has {told} voxels of {sides_A[0]:g} A; expected {box} a side of {size_A:g} A, as the "
            "particles have; relion_image_handler rescales maps and gives them a new box"
        )
    return np.ascontiguousarray(values, np.float32)


def _mask(particles: Particles, settings: ReconstructSettings, path: Path | None, notes: list[str]) -> Map:
    """Return what maps are multiplied by before they are compared."""
    box, size_A = particles.box_px, particles.pixel_size_A
    if path is not None:
        if settings.mask_diameter_A is not None:
            raise UsageError("a mask and a `mask_diameter_A` are given; expected one of them")
        values = _map_for(particles, path)
        if not (values.min() >= -1e-3 and values.max() <= 1 + 1e-3 and values.max() > 0):
            raise UsageError(
                f"{path} is no mask: values from {values.min():g} to {values.max():g}, not 0 to 1"
            )
        return values
    radius = box / 2 - EDGE_PX
    if settings.mask_diameter_A is None:
        notes.append(
            "no mask is given: maps are compared in the sphere that their box holds (`mask_diameter_A`)"
        )
    elif settings.mask_diameter_A / size_A > box:
        raise UsageError(
            f"`mask_diameter_A` {settings.mask_diameter_A:g} is wider than the box of {box * size_A:g} A"
        )
    else:
        radius = min(radius, settings.mask_diameter_A / size_A / 2)
    return sphere(box, radius, EDGE_PX).numpy()
