"""Draw the picks of one micrograph of a run, by default the one with the most.

Usage: python examples/03_draw_picks.py RUN PICTURE.png [MICROGRAPH_ID]
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from cryopick_ray.picks.table import open_table
from cryopick_ray.store.manifest import read_manifest
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.units import diameter_px

SIDE_PX = 720

run, picture = Path(sys.argv[1]), Path(sys.argv[2])
picks = {one.micrograph.micrograph_id: one for one in open_table(run)}
most = max(picks, key=lambda name: picks[name].picked.sum())
name = sys.argv[3] if len(sys.argv) > 3 else most
store = MicrographStore(str(run / "store.zarr"))
row = read_manifest(store.place)[name]

pixels = store.read(row)
low, high = np.percentile(pixels, (1, 99))
grey = Image.fromarray((255 * np.clip((pixels - low) / (high - low), 0, 1)).astype(np.uint8))
scale = SIDE_PX / max(row.source_shape)
size = round(row.source_width_px * scale), round(row.source_height_px * scale)
drawing = grey.resize(size, Image.Resampling.LANCZOS).convert("RGB")
pen = ImageDraw.Draw(drawing)
radius = diameter_px(picks[name].diameter_A, row.pixel_size_A) / 2 * scale
chosen = picks[name].picked
# 0 is the centre of the store's first pixel, as of the micrograph's, but the edge of the picture's.
shift_x, shift_y = (side / stored / 2 for side, stored in zip(size, grey.size, strict=True))
for x_px, y_px in zip(picks[name].x_px[chosen], picks[name].y_px[chosen], strict=True):
    x, y = x_px * scale + shift_x, y_px * scale + shift_y
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), outline=(64, 224, 190), width=2)
drawing.quantize(32).save(picture, optimize=True)
print(f"{chosen.sum()} picks of {name} in {picture}")
