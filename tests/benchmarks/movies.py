# ruff: noqa: T201
"""CPU seconds, memory and error of the path of a movie's average, one CPU thread: MRC, TIFF and EER.

The movies drift, with about one electron a pixel and frame; the average is aligned and dose-weighted. The
specimen is a simulated one, particles in structured ice, or a real micrograph. RELION's own motion correction
runs beside, without patches, and another version of the program, round by round in turn: least CPU seconds of
all rounds. What starting Python and importing torch take is measured apart and left out of the seconds, not
of the memory.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import mrcfile
import numpy as np
import scipy.ndimage
import starfile
from spent import Spent, spend

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "micrographs" / "movies"))
from eer_files import write_eer
from simulated_movies import MARGIN_PX, drifting, path_of_drift, rms_px, specimen, write_mrc, write_tiff

ELECTRONS = 0.8
CONTRAST = 0.08
EER_GROUPING = 10
AVERAGE = """
import json, sys
from pathlib import Path
import torch
from cryopick_ray.micrographs.movies.average import average_movie
from cryopick_ray.settings.run_settings import FrameSettings
torch.set_num_threads(1)
grouping, out, *names = sys.argv[1:]
settings = FrameSettings(dose_per_frame_e_A2=1.0, pixel_size_A=1.0, eer_grouping=int(grouping))
for name in names:
    Path(out).write_text(json.dumps(average_movie(Path(name), settings).shifts_px.tolist()))
"""
MOVIES = """data_optics
loop_
_rlnOpticsGroupName
_rlnOpticsGroup
_rlnMicrographOriginalPixelSize
_rlnVoltage
_rlnSphericalAberration
_rlnAmplitudeContrast
one 1 1.0 300 2.7 0.1

data_movies
loop_
_rlnMicrographMovieName
_rlnOpticsGroup
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--micrograph", type=Path, help="real one to take for the specimen, an MRC file")
    parser.add_argument("--other", help="Python that has another version of the program")
    parser.add_argument("--relion", action="store_true", help="of PATH, or of the folder CRYOPICK_RELION")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = path_of_drift(asked.frames, asked.side * 20 / 4096)
        movies = write_movies(folder, asked.side, path, asked.micrograph)
        pythons = {"this": sys.executable} | ({"other": asked.other} if asked.other else {})
        runs: dict[tuple[str, str], list[tuple[Spent, float]]] = {}
        for _ in range(asked.rounds):
            for movie in movies:
                for program, python in pythons.items():
                    runs.setdefault((movie.name, program), []).append(averaged(python, movie, path))
                if asked.relion and movie.suffix != ".eer":
                    runs.setdefault((movie.name, "RELION"), []).append(of_relion(folder, movie, path))
    rows = [
        {
            "movie": movie,
            "program": program,
            "cpu_s": min(spent.cpu_s for spent, _ in found),
            "peak_MiB": max(spent.peak_MiB for spent, _ in found),
            "path_error_px": found[0][1],
        }
        for (movie, program), found in runs.items()
    ]
    if asked.json:
        print(json.dumps(rows, indent=2))
        return
    print("| " + " | ".join(rows[0]) + " |\n" + "|---" * len(rows[0]) + "|")
    for row in rows:
        cells = (value if isinstance(value, str) else f"{value:.2f}" for value in row.values())
        print("| " + " | ".join(cells) + " |")


def averaged(python: str, movie: Path, path: np.ndarray) -> tuple[Spent, float]:
    """Return what our average takes beyond its imports, and the error of its path in pixels."""
    out = movie.with_suffix(".json")
    start = spend(python, "-c", AVERAGE, EER_GROUPING, out)
    spent = spend(python, "-c", AVERAGE, EER_GROUPING, out, movie)
    beyond = Spent(spent.wall_s - start.wall_s, spent.cpu_s - start.cpu_s, spent.peak_MiB)
    return beyond, rms_px(np.array(json.loads(out.read_text())), path)


def of_relion(folder: Path, movie: Path, path: np.ndarray) -> tuple[Spent, float]:
    """Return the same of RELION's own motion correction, without patches."""
    if root := os.environ.get("CRYOPICK_RELION"):
        os.environ["PATH"] = f"{root}/usr/bin{os.pathsep}{os.environ['PATH']}"
        os.environ["LD_LIBRARY_PATH"] = os.pathsep.join(map(str, Path(root).glob("usr/lib/*-linux-gnu")))
    listed, out = folder / "movies.star", folder / "relion"
    listed.write_text(f"{MOVIES}{movie.name} 1\n")
    before = Path.cwd()
    os.chdir(folder)  # RELION takes paths relative to its project
    how = ["--use_own", "--j", "1", "--dose_weighting", "--dose_per_frame", "1", "--bfactor", "150"]
    spent = spend("relion_run_motioncorr", "--i", listed.name, "--o", f"{out.name}/", *how)
    os.chdir(before)
    shifts = starfile.read(out / f"{movie.stem}.star", always_dict=True)["global_shift"]
    return spent, rms_px(-shifts[["rlnMicrographShiftX", "rlnMicrographShiftY"]].to_numpy(float), path)


def write_movies(folder: Path, side: int, path: np.ndarray, micrograph: Path | None) -> list[Path]:
    """Write one movie in three formats; the EER has fewer events, as it is slow to write in Python."""
    intensity = specimen(side) if micrograph is None else seen(micrograph, side)
    frames = drifting(intensity, path, ELECTRONS)
    movies = [
        write_mrc(folder / "movie.mrc", frames.view(np.int8)),
        write_tiff(folder / "movie_lzw.tif", frames),
    ]
    rng = np.random.default_rng(0)
    events = []
    for frame in frames:
        hit = np.flatnonzero(frame)[::100]
        quarters = rng.integers(0, 4, (2, hit.size))
        events += [(hit, *quarters)] * EER_GROUPING
    return [*movies, write_eer(folder / "movie.eer", events, (side, side))]


def seen(micrograph: Path, side: int) -> np.ndarray:
    """Return a real micrograph, in as many pixels as a specimen of this side has, as an intensity."""
    with mrcfile.open(micrograph, permissive=True) as mrc:
        image = np.asarray(mrc.data, np.float32)
    least, whole = min(image.shape), side + 2 * MARGIN_PX
    image = scipy.ndimage.zoom(image[:least, :least], whole / least, order=3, grid_mode=True, mode="reflect")
    return 1 + CONTRAST * np.clip((image - image.mean()) / image.std(), -5, 5)


if __name__ == "__main__":
    main()
