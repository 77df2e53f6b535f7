"""A micrograph of any size to measure on."""

import math
from pathlib import Path

import mrcfile
import numpy as np

from cryopick_ray.simulate.phantom import make_phantom

TILE_PX = 2048
"""A phantom of this side repeats: made whole, one of 8192 pixels would take gigabytes."""
COVERED = 0.15
"""Part of the area that particles cover, as in a good micrograph."""
MOST_PARTICLES = 400


def write_synthetic(path: Path, side_px: int, *, pixel_size_A: float, diameter_A: float) -> None:
    """Write a square float32 micrograph of phantom particles to the MRC file ``path``."""
    tile_px = min(side_px, TILE_PX)
    particle_px2 = math.pi * (diameter_A / pixel_size_A / 2) ** 2
    phantom = make_phantom(
        0,
        shape=(tile_px, tile_px),
        pixel_size_A=pixel_size_A,
        diameter_A=diameter_A,
        particles=min(max(1, int(COVERED * tile_px**2 / particle_px2)), MOST_PARTICLES),
    )
    tiles = math.ceil(side_px / tile_px)
    with mrcfile.new(path) as mrc:
        mrc.set_data(np.tile(phantom.pixels, (tiles, tiles))[:side_px, :side_px])
        mrc.voxel_size = pixel_size_A
