"""Make a few micrographs of a made-up molecule, with the truth beside them.

Usage: python examples/01_make_phantoms.py FOLDER [MICROGRAPHS]

Writes FOLDER/micrographs/*.mrc (3 A a pixel, particles of 150 A) and FOLDER/truth/*.star.
"""

import sys
from pathlib import Path

import mrcfile
import pandas as pd
import starfile

from cryopick_ray.simulate.phantom import make_phantom

PIXEL_SIZE_A = 3.0

folder = Path(sys.argv[1])
count = int(sys.argv[2]) if len(sys.argv) > 2 else 6
(folder / "micrographs").mkdir(parents=True)
(folder / "truth").mkdir()
for seed in range(count):
    phantom = make_phantom(seed, pixel_size_A=PIXEL_SIZE_A, diameter_A=150, signal_to_noise=0.02)
    with mrcfile.new(folder / "micrographs" / f"phantom_{seed:03d}.mrc") as mrc:
        mrc.set_data(phantom.pixels)
        mrc.voxel_size = PIXEL_SIZE_A
    truth = pd.DataFrame({"rlnCoordinateX": phantom.x_px, "rlnCoordinateY": phantom.y_px})
    starfile.write(truth, folder / "truth" / f"phantom_{seed:03d}.star")
print(f"{count} micrographs in {folder / 'micrographs'}, their truth in {folder / 'truth'}")
