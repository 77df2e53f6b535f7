"""What bad picks cost in three dimensions: half-map resolution of a simulated 20S, as a Markdown table.

Of the same number of picks each: true centres; a share of them places without a particle, with the poses
that fit them best; centres that are off by a share of the diameter, at random, which nobody corrects; true
centres of particles of which one kind of view is missing. Views of one kind alone are fewer, and so have
fewer picks beside them. True picks have their true poses.
"""

import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy, and for the commands run from here

import mrcfile
import numpy as np
import pandas as pd
import scipy.fft
import starfile
import typer
from commands import cryopick
from numpy.typing import NDArray

from cryopick_ray.particles.volume.fsc import agreement
from cryopick_ray.particles.volume.gridding import sphere
from cryopick_ray.simulate.density import density
from cryopick_ray.simulate.library import load_molecule
from cryopick_ray.simulate.map_file import read_map_values, write_map

MOLECULE, DIAMETER_A = "proteasome-20s", 178.0
SHAPE_PX, PACKING = 1024, "0.2,0.3"
FURTHEST = 0.2
"""Diameters that a centre may be off; particles nearer to a border are not taken."""
MASK_A = 1.2 * DIAMETER_A
COMPARED_A = 20.0
"""Poses of false picks are found with a reference and images without finer detail."""
ALONG_DEG = 40.0
"""Views nearer to the long axis of the molecule than this are along it."""
FEW = 0.25
"""Of the picks: as many views along the axis as there are."""


@dataclass(frozen=True, eq=False)
class Picks:
    """Picks: their micrographs, places in pixels (x, y), and rows of the truth, -1 where there is none."""

    micrograph: NDArray[np.int64]
    xy_px: NDArray[np.float64]
    row: NDArray[np.int64]

    def of(self, places: NDArray[np.int64]) -> "Picks":
        return Picks(self.micrograph[places], self.xy_px[places], self.row[places])


@dataclass(frozen=True, eq=False)
class Simulated:
    """A simulation: micrographs, its particles' truth, and the micrograph that each is in."""

    folder: Path
    names: Sequence[str]
    truth: pd.DataFrame
    optics: pd.DataFrame
    micrograph: NDArray[np.int64]
    box_px: int
    pixel_size_A: float

    def inside(self, xy_px: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which places have a whole box about them, off centre or not."""
        margin = self.box_px // 2 + 1 + FURTHEST * DIAMETER_A / self.pixel_size_A
        return np.all((xy_px > margin) & (xy_px < SHAPE_PX - margin), axis=1)

    def true(self) -> Picks:
        xy_px = self.truth[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy()
        kept = np.flatnonzero(self.inside(xy_px))
        return Picks(self.micrograph[kept], xy_px[kept], kept)


def main(
    out: Annotated[Path, typer.Argument(help="Folder for simulations, stacks and maps.")],
    particles: Annotated[int, typer.Option(help="Picks of each kind.")] = 2050,
    micrographs: Annotated[int, typer.Option(help="Simulated for each seed.")] = 30,
    seeds: Annotated[int, typer.Option(help="Simulations, and draws of what is false or off.")] = 3,
    pixel_size: Annotated[float, typer.Option(help="In angstroms.")] = 4.0,
    relion: Annotated[bool, typer.Option(help="Let relion_reconstruct make the half maps, too.")] = False,
) -> None:
    """Simulate, cut out, reconstruct and print the table."""
    lines: dict[str, list[list[float]]] = {}
    for seed in range(seeds):
        made = simulated(out.resolve() / f"seed{seed}", micrographs, seed, pixel_size)
        for name, choose in KINDS.items():
            rng = np.random.default_rng([seed, len(name)])
            star = write_stack(made, choose(made, rng, particles), name)
            lines.setdefault(name, []).append(measured(made, star, relion=relion))
    heads = ["FSC .143", "FSC .5", "to the truth .5", "evenness"] + ["RELION .143"] * relion
    typer.echo(f"| picks | {' | '.join(heads)} |\n|---|{'---|' * len(heads)}")
    for name, values in lines.items():
        mean, spread = np.mean(values, axis=0), np.std(values, axis=0, ddof=min(1, seeds - 1))
        cells = [f"{m:.3g} +- {s:.2g}" for m, s in zip(mean, spread, strict=True)]
        typer.echo(f"| {name} | {' | '.join(cells)} |")


def simulated(folder: Path, micrographs: int, seed: int, pixel_size_A: float) -> Simulated:
    """Simulate micrographs, unless they are there, and the map that is the truth."""
    told = ("--molecules", MOLECULE, "--micrographs", micrographs, "--seed", seed, "--engine", "serial")
    size = ("--pixel-size", pixel_size_A, "--shape", f"{SHAPE_PX}x{SHAPE_PX}")
    folder.mkdir(parents=True, exist_ok=True)
    cryopick("simulate", *told, *size, "--set", f"scene.packing={PACKING}", folder=folder, out=folder / "s")
    stars = sorted((folder / "s" / "truth").glob("*.star"))
    blocks = [starfile.read(star) for star in stars]
    box_px = 2 * scipy.fft.next_fast_len(round(0.8 * DIAMETER_A / pixel_size_A))
    write_map(folder / "true.mrc", density(load_molecule(MOLECULE), pixel_size_A, box_px), pixel_size_A)
    micrograph = np.repeat(np.arange(len(stars)), [len(block["particles"]) for block in blocks])
    truth = pd.concat([block["particles"] for block in blocks], ignore_index=True)
    names = [star.stem for star in stars]
    return Simulated(folder, names, truth, blocks[0]["optics"], micrograph, box_px, pixel_size_A)


def all_true(made: Simulated, rng: np.random.Generator, count: int) -> Picks:
    """Return so many true picks."""
    true = made.true()
    return true.of(rng.permutation(len(true.row))[:count])


def some_false(made: Simulated, rng: np.random.Generator, count: int, share: float) -> Picks:
    """Return picks of which a share lie further than a diameter from the middle of every particle."""
    wanted = round(share * count)
    xy_px = made.truth[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy()
    places, micrographs = np.empty((0, 2)), np.empty(0, np.int64)
    while len(places) < wanted:
        number = int(rng.integers(len(made.names)))
        tried = rng.uniform(0, SHAPE_PX, (50, 2))
        near = xy_px[made.micrograph == number]
        off_px = np.linalg.norm(tried[:, None] - near, axis=2).min(axis=1, initial=np.inf)
        good = tried[(off_px > DIAMETER_A / made.pixel_size_A) & made.inside(tried)]
        places, micrographs = np.concatenate([places, good]), np.append(micrographs, [number] * len(good))
    true = all_true(made, rng, count - wanted)
    return Picks(
        np.concatenate([true.micrograph, micrographs[:wanted]]),
        np.concatenate([true.xy_px, places[:wanted]]),
        np.concatenate([true.row, np.full(wanted, -1)]),
    )


def off_centre(made: Simulated, rng: np.random.Generator, count: int, share: float) -> Picks:
    """Return true picks with centres that are off by up to a share of the diameter, evenly in x and in y."""
    true = all_true(made, rng, count)
    most_px = share * DIAMETER_A / made.pixel_size_A
    return Picks(true.micrograph, true.xy_px + rng.uniform(-most_px, most_px, true.xy_px.shape), true.row)


def by_view(made: Simulated, rng: np.random.Generator, count: int, *, along: bool) -> Picks:
    """Return true picks of particles seen along their long axis alone, or of the others."""
    true = made.true()
    shape = load_molecule(MOLECULE)
    spread = (shape.centres_A.T * shape.weight_kDa) @ shape.centres_A
    axis = np.linalg.eigh(spread)[1][:, 2]
    rot, tilt = np.deg2rad(made.truth[["rlnAngleRot", "rlnAngleTilt"]].to_numpy()[true.row]).T
    beam = np.stack([np.sin(tilt) * np.cos(rot), np.sin(tilt) * np.sin(rot), np.cos(tilt)], axis=1)
    seen = np.flatnonzero((np.abs(beam @ axis) > np.cos(np.deg2rad(ALONG_DEG))) == along)
    return true.of(rng.permutation(seen)[:count])


KINDS: dict[str, Callable[[Simulated, np.random.Generator, int], Picks]] = {
    "true centres": all_true,
    "10 % false": partial(some_false, share=0.1),
    "30 % false": partial(some_false, share=0.3),
    "5 % of a diameter off": partial(off_centre, share=0.05),
    "10 % of a diameter off": partial(off_centre, share=0.1),
    "20 % of a diameter off": partial(off_centre, share=0.2),
    "no views along the axis": partial(by_view, along=False),
    "a quarter, true centres": lambda made, rng, count: all_true(made, rng, int(FEW * count)),
    "a quarter, views along the axis": lambda made, rng, count: by_view(
        made, rng, int(FEW * count), along=True
    ),
}


def write_stack(made: Simulated, picks: Picks, name: str) -> Path:
    """Cut picks out and write them with their poses; false ones get those that fit best."""
    folder = made.folder / name.replace(" ", "-").replace("%", "percent")
    folder.mkdir(exist_ok=True)
    middle = picks.xy_px.round().astype(int)
    images = np.empty((len(picks.row), made.box_px, made.box_px), np.float32)
    for number, micrograph in enumerate(made.names):
        pixels = mrcfile.read(made.folder / "s" / "micrographs" / f"{micrograph}.mrc").astype(np.float32)
        for place in np.flatnonzero(picks.micrograph == number):
            x, y = middle[place] - made.box_px // 2
            images[place] = prepared(pixels[y : y + made.box_px, x : x + made.box_px])
    with mrcfile.new(folder / "picks.mrcs", overwrite=True) as mrc:
        mrc.set_data(images)
        mrc.set_image_stack()
    rows = made.truth.iloc[np.maximum(picks.row, 0)].reset_index(drop=True)
    for column in ("rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle"):
        of_micrograph = made.truth.groupby(made.micrograph)[column].first()
        rows[column] = of_micrograph.loc[picks.micrograph].to_numpy()
    rows["rlnImageName"] = [f"{n:06d}@{folder / 'picks.mrcs'}" for n in range(1, len(rows) + 1)]
    rows[["rlnOriginXAngst", "rlnOriginYAngst"]] = (middle - picks.xy_px) * made.pixel_size_A
    rows["rlnRandomSubset"] = np.arange(len(rows)) % 2 + 1
    optics = made.optics.assign(
        rlnImagePixelSize=made.pixel_size_A, rlnImageSize=made.box_px, rlnImageDimensionality=2
    )
    if (false := picks.row < 0).any():
        starfile.write({"optics": optics, "particles": rows[false]}, folder / "false.star", overwrite=True)
        words = ("--match", "--reference", made.folder / "true.mrc", "--mask-diameter", MASK_A)
        fine = ("--set", f"match.resolution_A={COMPARED_A}")
        cryopick("reconstruct", folder / "false.star", *words, *fine, folder=folder, out=folder / "false")
        found = starfile.read(folder / "false" / "particles.star")["particles"]
        for column in ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi", "rlnOriginXAngst", "rlnOriginYAngst"):
            rows.loc[false, column] = found[column].to_numpy()
    starfile.write({"optics": optics, "particles": rows}, folder / "picks.star", overwrite=True)
    return folder / "picks.star"


def prepared(crop: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a crop without the ramp of its background, in units of its noise, particles bright."""
    half = len(crop) // 2
    y, x = np.mgrid[-half:half, -half:half]
    ground = np.hypot(x, y) > 0.9 * half
    terms = np.stack([x[ground], y[ground], np.ones(int(ground.sum()))], axis=1)
    (along_x, along_y, level), *_ = np.linalg.lstsq(terms, crop[ground])
    flat = crop - (along_x * x + along_y * y + level)
    return np.asarray(-flat / flat[ground].std(), np.float32)


def measured(made: Simulated, star: Path, *, relion: bool) -> list[float]:
    """Return resolutions at .143 and .5, with the truth, evenness, and RELION's at .143 if asked."""
    words = ("--reference", made.folder / "true.mrc", "--mask-diameter", MASK_A)
    found = cryopick("reconstruct", star, *words, folder=made.folder, out=star.parent / "out")
    numbers = [found["resolution_A"]["0.143"], found["resolution_A"]["0.5"]]
    numbers += [found["reference_resolution_A"], found["sampling_compensation"]]
    return numbers + [_relion_A(made, star)] * relion


def _relion_A(made: Simulated, star: Path) -> float:
    halves = []
    for half in (1, 2):
        name = star.parent / f"relion{half}.mrc"
        words = ("--i", star, "--o", name, "--ctf", "--subset", half)
        subprocess.run(["relion_reconstruct", *map(str, words)], check=True, stdout=subprocess.DEVNULL)
        halves.append(read_map_values(name)[0])
    mask = sphere(made.box_px, MASK_A / made.pixel_size_A / 2, 5.0).numpy()
    return agreement(halves[0], halves[1], mask, made.pixel_size_A).resolution_A(0.143)


if __name__ == "__main__":
    typer.run(main)
