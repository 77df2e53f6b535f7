"""Draw simulated beside real micrographs of many kinds, and say in numbers how alike they are.

Usage: python examples/04_compare_with_real.py KINDS.yaml OUT [KIND ...]

KINDS.yaml is like 04_kinds.yaml; paths of real micrographs are relative to the working folder. OUT gets
likeness.png (a row a kind: a crop of each at one scale, spectra, grey values), likeness.md and likeness.json.
"""

import json
import sys
from dataclasses import asdict, dataclass
from glob import glob
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pydantic import Field as PlainField

from cryopick_ray import DEFAULT_MODEL
from cryopick_ray.errors import UsageError
from cryopick_ray.evaluation.truth import read_truth
from cryopick_ray.micrographs.preprocess import prepare
from cryopick_ray.micrographs.reader import read_micrograph
from cryopick_ray.pickers.catalogue import load_picker
from cryopick_ray.picks.matching import match
from cryopick_ray.settings.base import Positive, Settings
from cryopick_ray.settings.config import merged, read_yaml
from cryopick_ray.simulate.library import load_molecule
from cryopick_ray.simulate.likeness import matched_filter_snr, spectral_distance
from cryopick_ray.simulate.simulated_micrograph import simulate
from cryopick_ray.simulate.simulation_settings import simulation_settings
from cryopick_ray.simulate.spectrum import radial_power
from cryopick_ray.units import resampled_shape, resampled_to_source, working_pixel_size_A

BINS, EDGES = 80, np.linspace(-4.5, 4.5, 61)
COARSE_A = 60.0
QUANTILES = (0.1, 0.5, 0.9)
SNR_PX = 20  # of a diameter, where particles are measured: finer is more exact than their centres
CROP = 7  # diameters that a crop shows
SIDE, GAP, TEXT = 168, 8, 14
COLOURS = (220, 110, 20), (30, 90, 200)
HEAD = ["kind", "spectra", "below 1/60 A", "SNR", "score at particles", "found", "picks per um2"]
ABOUT = (
    "Each cell: simulated / real. Spectra: rms of ln(simulated / real), each image of standard deviation 1. "
    "SNR: of a matched filter at the particles of truth or labels that {model} finds (*: its picks, as none "
    "are labelled). Scores: 10, 50 and 90 % quantiles of its scores at these, and which share of the "
    "particles it finds with any score. Picks: above its threshold."
)


class Kind(Settings):
    """One kind of micrographs.

    Attributes
    ----------
    simulated
        Settings of ``cryopick simulate``, or a YAML file of them beside this one, with ``changes``.
    real
        Globs of files; ``labels`` of their particles, if anybody made some.
    real_noise
        White noise added to the real ones, in their standard deviations: 1.41 makes frames of averages.
    is_empty
        Whether there is hardly a particle: then only picks per area are compared.
    """

    name: str
    simulated: dict[str, Any] | str
    changes: dict[str, Any] = PlainField(default_factory=dict)
    real: tuple[str, ...]
    labels: str | None = None
    real_noise: float = 0.0
    pixel_size_A: Positive
    diameter_A: Positive
    invert: bool = False
    is_empty: bool = False
    micrographs: int = 3


@dataclass(frozen=True)
class Field:
    """One micrograph, and the ``(n, 2)`` columns and rows of its particles, if they are known."""

    pixels: NDArray[Any]
    pixel_size_A: float
    centres: NDArray[np.floating] | None


@dataclass(frozen=True)
class Figures:
    """What is told of one side of a kind; ``None`` where it cannot be."""

    snr: float | None
    snr_of_picks: bool
    score_quantiles: list[float] | None
    found: float | None
    picks_per_um2: float


def simulated_fields(kind: Kind, folder: Path) -> list[Field]:
    """Simulate the first few micrographs."""
    given = kind.simulated
    data = read_yaml(folder / given) if isinstance(given, str) else given
    settings = simulation_settings(merged(data, kind.changes))
    molecules = [load_molecule(name) for name in settings.molecules]
    made = [simulate(settings, molecules, number) for number in range(kind.micrographs)]
    sign = -1 if kind.invert else 1
    return [
        Field(
            sign * one.pixels,
            settings.pixel_size_A,
            np.column_stack([one.scene.x_px, one.scene.y_px])[one.scene.pickable],
        )
        for one in made
    ]


def real_fields(kind: Kind) -> list[Field]:
    """Read the first few micrographs and their labels."""
    truth = read_truth(kind.labels) if kind.labels else None
    paths = sorted(path for pattern in kind.real for path in glob(pattern))
    if not paths:
        raise UsageError(
            f"{kind.name}: no file fits {', '.join(kind.real)}; mend `real` or the working folder"
        )
    fields: list[Field] = []
    for path in islice(paths, kind.micrographs):
        pixels = read_micrograph(Path(path)).pixels.astype(np.float32)
        noise = np.random.default_rng(len(fields)).standard_normal(pixels.shape, np.float32)
        pixels = pixels + np.float32(kind.real_noise) * pixels.std() * noise
        name = truth.name_of(Path(path).name) if truth else None
        centres = truth.centres(name, pixels.shape) if truth and name is not None else None
        fields.append(Field((-1 if kind.invert else 1) * pixels, kind.pixel_size_A, centres))
    return fields


def at_scale(field: Field, pixel_size_A: float) -> NDArray[np.float32]:
    """Return a micrograph as pickers see it, at another pixel size."""
    shape = field.pixels.shape
    return prepare(field.pixels, resampled_shape(shape, field.pixel_size_A, pixel_size_A)).pixels


def figures(fields: list[Field], kind: Kind, picker: Any, pixel_size_A: float) -> Figures:
    """Measure particles and picks of a few micrographs."""
    scores, n_known, picks, area_um2, snr, of_picks = [], 0, 0, 0.0, [], False
    for field in fields:
        work = at_scale(field, working_pixel_size_A(kind.diameter_A, picker.particle_px))
        found = picker.pick(work)
        shape = field.pixels.shape
        x, y = resampled_to_source(found.x, found.y, work.shape, shape)
        is_pick = found.score >= picker.threshold
        picks += int(is_pick.sum())
        area_um2 += shape[0] * shape[1] * field.pixel_size_A**2 / 1e8
        if kind.is_empty:
            continue
        of_picks |= field.centres is None
        centres = np.column_stack([x, y])[is_pick] if field.centres is None else field.centres
        radius_px = kind.diameter_A / 2 / field.pixel_size_A
        hit = match(x, y, found.score, centres[:, 0], centres[:, 1], radius_px) >= 0
        scores += found.score[hit].tolist()
        n_known += len(centres)
        snr.append(_snr(field, np.column_stack([x, y])[hit], kind, pixel_size_A))
    known = [one for one in snr if one is not None]
    return Figures(
        snr=float(np.mean(known)) if known else None,
        snr_of_picks=of_picks,
        score_quantiles=np.quantile(scores, QUANTILES).tolist() if scores and not of_picks else None,
        found=len(scores) / n_known if n_known and not of_picks else None,
        picks_per_um2=picks / area_um2,
    )


def _snr(field: Field, centres: NDArray, kind: Kind, pixel_size_A: float) -> float | None:
    """Measure the particles where the model finds them: labels of all kinds are differently exact."""
    pixel_size_A = max(pixel_size_A, kind.diameter_A / SNR_PX)
    image = at_scale(field, pixel_size_A)
    x, y = (centres * (np.array(image.shape) / field.pixels.shape)[::-1]).T
    return matched_filter_snr(image, x, y, kind.diameter_A / 2 / pixel_size_A)


def spectrum(images: list[NDArray[np.float32]], pixel_size_A: float) -> tuple[NDArray, NDArray]:
    """Return frequencies and the mean logarithm of power of images of one pixel size."""
    per_image = [radial_power(image, pixel_size_A, BINS) for image in images]
    return per_image[0][0][1:], np.mean([np.log(power[1:]) for _, power in per_image], axis=0)


def crop(image: NDArray[np.float32], side_px: int) -> Image.Image:
    """Return the middle of a micrograph as a picture of ``SIDE`` pixels."""
    top, left = ((side - side_px) // 2 for side in image.shape)
    part = image[top : top + side_px, left : left + side_px]
    low, high = np.percentile(part, (0.5, 99.5))
    grey = (255 * np.clip((part - low) / (high - low), 0, 1)).astype(np.uint8)
    return Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def draw_curves(pen: ImageDraw.ImageDraw, left: int, top: int, x: NDArray, curves: list[NDArray]) -> None:
    """Draw the simulated and the real curve into a square that they fill together."""
    pen.rectangle((left, top, left + SIDE, top + SIDE), outline=(150, 150, 150))
    low, height = min(map(np.min, curves)), np.ptp(np.concatenate(curves))
    for y, colour in zip(curves, COLOURS, strict=True):
        across, down = left + SIDE * (x - x[0]) / np.ptp(x), top + SIDE * (1 - (y - low) / height)
        pen.line(list(zip(across.tolist(), down.tolist(), strict=True)), fill=colour, width=2)


def compare(kind: Kind, folder: Path, picker: Any) -> tuple[dict[str, Any], Image.Image]:
    """Return a kind's figures and its row of the sheet."""
    sides = [simulated_fields(kind, folder), real_fields(kind)]
    pixel_size_A = max(field.pixel_size_A for side in sides for field in side)
    images = [
        [(image - image.mean()) / image.std() for image in (at_scale(one, pixel_size_A) for one in side)]
        for side in sides
    ]
    (frequency, simulated), (_, real) = (spectrum(side, pixel_size_A) for side in images)
    told = {
        "kind": kind.name,
        "spectral_distance": spectral_distance(frequency, simulated, real),
        "spectral_distance_below_60_A": spectral_distance(frequency, simulated, real, COARSE_A),
    }
    for name, side in zip(("simulated", "real"), sides, strict=True):
        told[name] = asdict(figures(side, kind, picker, pixel_size_A))
    row = Image.new("RGB", (4 * (SIDE + GAP) + GAP, SIDE + TEXT + GAP), "white")
    pen = ImageDraw.Draw(row)
    pen.text(
        (GAP, 1),
        f"{kind.name}: simulated (orange), real (blue); ln power to 1/{1 / frequency[-1]:.0f} A; grey values",
        fill=0,
    )
    side_px = min(
        round(CROP * kind.diameter_A / pixel_size_A), *(n for side in images for n in side[0].shape)
    )
    for place, shown in enumerate(images):
        row.paste(crop(shown[0], side_px).convert("RGB"), (GAP + place * (SIDE + GAP), TEXT))
    draw_curves(pen, GAP + 2 * (SIDE + GAP), TEXT, frequency, [simulated, real])
    greys = [
        np.mean([np.histogram(image, EDGES, density=True)[0] for image in side], axis=0) for side in images
    ]
    draw_curves(pen, GAP + 3 * (SIDE + GAP), TEXT, EDGES[:-1], greys)
    return told, row


def cells(told: dict[str, Any]) -> list[str]:
    """Return a kind's line of the table."""
    sides = told["simulated"], told["real"]

    def both(name: str, digits: int) -> str:
        return " / ".join("-" if side[name] is None else f"{side[name]:.{digits}f}" for side in sides)

    scores = (" ".join(f"{x:.2f}" for x in side["score_quantiles"] or ()) or "-" for side in sides)
    distances = (f"{told[f'spectral_distance{of}']:.2f}" for of in ("", "_below_60_A"))
    star = "*" if sides[1]["snr_of_picks"] and sides[1]["snr"] is not None else ""
    return [
        told["kind"],
        *distances,
        both("snr", 1) + star,
        " / ".join(scores),
        both("found", 2),
        both("picks_per_um2", 0),
    ]


def main(file: Path, out: Path, names: list[str]) -> None:
    """Compare the kinds of a file, or those that are named."""
    kinds = [Kind(**one) for one in read_yaml(file)["kinds"] if not names or one["name"] in names]
    picker = load_picker(DEFAULT_MODEL, particle_px=None, device="cpu")
    compared = [compare(kind, file.parent, picker) for kind in kinds]
    out.mkdir(parents=True, exist_ok=True)
    lines = [HEAD, ["---"] * len(HEAD), *(cells(told) for told, _ in compared)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    (out / "likeness.md").write_text(f"{ABOUT.format(model=DEFAULT_MODEL)}\n\n{table}\n")
    (out / "likeness.json").write_text(json.dumps([told for told, _ in compared], indent=1))
    sheet = np.concatenate([np.asarray(row) for _, row in compared])
    Image.fromarray(sheet).quantize(24, Image.Quantize.MAXCOVERAGE).save(out / "likeness.png", optimize=True)
    print(table)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
