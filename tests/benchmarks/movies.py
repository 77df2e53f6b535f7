# ruff: noqa: T201
"""Seconds and memory of a movie's average, one CPU thread: MRC and TIFF of 8 bits, and EER.

The movies drift, with about one electron a pixel and frame; the average is aligned and dose-weighted. What
starting Python and importing torch take is measured apart and left out of the seconds, not of the memory.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import scipy.ndimage
from spent import spend

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "micrographs" / "movies"))
from eer_files import write_eer
from simulated_movies import path_of_drift, write_mrc, write_tiff

ELECTRONS = 0.8
EER_GROUPING = 10
AVERAGE = """
import sys
from pathlib import Path
import torch
from cryopick_ray.micrographs.movies.average import average_movie
from cryopick_ray.settings import FrameSettings
torch.set_num_threads(1)
settings = FrameSettings(dose_per_frame_e_A2=1.0, pixel_size_A=1.0, eer_grouping=int(sys.argv[1]))
for name in sys.argv[2:]:
    average_movie(Path(name), settings)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    program = (sys.executable, "-c", AVERAGE, EER_GROUPING)
    with tempfile.TemporaryDirectory() as folder:
        start = spend(*program)
        rows = []
        for path in write_movies(Path(folder), asked.side, asked.frames):
            spent = spend(*program, path)
            rows.append(
                {
                    "movie": path.name,
                    "file_MiB": path.stat().st_size / 2**20,
                    "wall_s": spent.wall_s - start.wall_s,
                    "cpu_s": spent.cpu_s - start.cpu_s,
                    "peak_MiB": spent.peak_MiB,
                    "start_MiB": start.peak_MiB,
                    "frames_per_cpu_s": asked.frames / (spent.cpu_s - start.cpu_s),
                }
            )
    if asked.json:
        print(json.dumps(rows, indent=2))
        return
    print("| " + " | ".join(rows[0]) + " |\n" + "|---" * len(rows[0]) + "|")
    for row in rows:
        cells = (value if isinstance(value, str) else f"{value:.1f}" for value in row.values())
        print("| " + " | ".join(cells) + " |")


def write_movies(folder: Path, side: int, count: int) -> list[Path]:
    """Write one movie in three formats; the EER has fewer events, as it is slow to write in Python."""
    rng = np.random.default_rng(0)
    spots = np.zeros((side, side), np.float32)
    spots[tuple(rng.integers(0, side, (2, side * side // 10_000)))] = 1
    intensity = 1 - 20 * scipy.ndimage.gaussian_filter(spots, 12, mode="wrap")
    frames = np.empty((count, side, side), np.int8)
    for frame, (x, y) in zip(frames, path_of_drift(count, 20.0).round().astype(int), strict=True):
        frame[:] = rng.poisson(ELECTRONS * np.roll(intensity, (y, x), (0, 1)))
    movies = [
        write_mrc(folder / "movie.mrc", frames),
        write_tiff(folder / "movie_lzw.tif", frames.view(np.uint8)),
    ]
    events = []
    for frame in frames:
        hit = np.flatnonzero(frame)[::100]
        quarters = rng.integers(0, 4, (2, hit.size))
        events += [(hit, *quarters)] * EER_GROUPING
    return [*movies, write_eer(folder / "movie.eer", events, (side, side))]


if __name__ == "__main__":
    main()
