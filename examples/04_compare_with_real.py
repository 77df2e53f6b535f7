"""Draw simulated beside real micrographs: a crop, the power spectrum, the grey values.

Usage: python examples/04_compare_with_real.py SIMULATED_FOLDER REAL_FOLDER PICTURE.png

The left crop is simulated, the right one real; below, simulated is orange and real is blue. Each
micrograph is brought to mean 0 and standard deviation 1, so spectra start from equal total power.
The pixel size is that of the simulated files: real headers often lack it.
"""

import sys
from pathlib import Path

import mrcfile
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from cryopick_ray.micrographs.resample import fourier_resize
from cryopick_ray.simulate.spectrum import grey_statistics, radial_power

FEW, BINS = 4, 150
SIDE, GAP, TEXT, CROP_PX = 420, 20, 24, 800
Curve = tuple[NDArray[np.float64], NDArray[np.float64]]
COLOURS = (220, 110, 20), (30, 90, 200)


def read(folder: str) -> list[NDArray[np.float32]]:
    """Return the first few micrographs of a folder, each with mean 0 and standard deviation 1."""
    images = []
    for path in sorted(Path(folder).rglob("*.mrc"))[:FEW]:
        with mrcfile.open(path, permissive=True) as mrc:
            image = mrc.data.astype(np.float32)
        images.append((image - image.mean()) / image.std())
    return images


def crop(image: NDArray[np.float32]) -> Image.Image:
    """Return the middle of a micrograph as a picture, at half its resolution."""
    top, left = ((side - CROP_PX) // 2 for side in image.shape)
    part = fourier_resize(image[top : top + CROP_PX, left : left + CROP_PX], (SIDE, SIDE))
    low, high = np.percentile(part, (0.5, 99.5))
    return Image.fromarray((255 * np.clip((part - low) / (high - low), 0, 1)).astype(np.uint8))


def draw_panel(pen: ImageDraw.ImageDraw, corner: tuple[int, int], title: str, curves: list[Curve]) -> None:
    """Draw ``(x, y)`` curves into a square that they fill together."""
    left, top = corner
    pen.rectangle((left, top, left + SIDE, top + SIDE), outline=(150, 150, 150))
    pen.text((left, top - TEXT + 6), title, fill=(0, 0, 0))
    x_all, y_all = (np.concatenate([curve[axis] for curve in curves]) for axis in (0, 1))
    for (x, y), colour in zip(curves, COLOURS, strict=True):
        across = left + SIDE * (x - x_all.min()) / np.ptp(x_all)
        down = top + SIDE * (1 - (y - y_all.min()) / np.ptp(y_all))
        pen.line(list(zip(across.tolist(), down.tolist(), strict=True)), fill=colour, width=2)


simulated_folder, real_folder, picture = sys.argv[1:]
first = next(Path(simulated_folder).rglob("*.mrc"))
with mrcfile.open(first, header_only=True) as header:
    pixel_size_A = float(header.voxel_size.x)
spectra, greys, crops = [], [], []
edges = np.linspace(-4.5, 4.5, 91)
for name, folder in (("simulated", simulated_folder), ("real", real_folder)):
    images = read(folder)
    per_image = [radial_power(image, pixel_size_A, BINS) for image in images]
    frequency_per_A = per_image[0][0][1:]
    spectra.append((frequency_per_A, np.mean([np.log(power[1:]) for _, power in per_image], axis=0)))
    density = np.mean([np.histogram(image, edges, density=True)[0] for image in images], axis=0)
    greys.append((edges[:-1] + 0.05, density))
    crops.append(crop(images[0]))
    grey = [grey_statistics(image) for image in images]
    skewness, kurtosis = (np.mean([getattr(g, of) for g in grey]) for of in ("skewness", "excess_kurtosis"))
    print(f"{name}: skewness {skewness:.3f}, excess kurtosis {kurtosis:.3f}")
difference = spectra[0][1] - spectra[1][1]
print(f"rms of ln(simulated / real) over the spectrum: {np.sqrt(np.mean(difference**2)):.3f}")

sheet = Image.new("RGB", (2 * SIDE + 3 * GAP, 2 * (SIDE + TEXT) + 2 * GAP), "white")
pen = ImageDraw.Draw(sheet)
right, below = SIDE + 2 * GAP, SIDE + 2 * TEXT + GAP
for left, title, view in ((GAP, "simulated", crops[0]), (right, "real", crops[1])):
    pen.text((left, 6), title, fill=(0, 0, 0))
    sheet.paste(view.convert("RGB"), (left, TEXT))
finest_A = 1 / spectra[0][0][-1]
draw_panel(pen, (GAP, below), f"ln power, frequency from 0 to 1/{finest_A:.1f} A", spectra)
draw_panel(pen, (right, below), "grey values, -4.5 to 4.5 standard deviations", greys)
sheet.quantize(64, Image.Quantize.MAXCOVERAGE).save(picture, optimize=True)
