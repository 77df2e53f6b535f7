"""Micrographs with coordinates beside them, extracted, and what came of it."""

import mrcfile
import numpy as np
import starfile

from cryopick_ray.engine.events import SilentEvents
from cryopick_ray.engine.serial import SerialEngine
from cryopick_ray.particles.extract_settings import ExtractSettings
from cryopick_ray.runs.particles.extract_run import extract_particles

SHAPE, SIZE_A, EACH = (152, 200), 2.0, 12
PLACES = "data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n_rlnAutopickFigureOfMerit #3\n"


def make_micrographs(folder, names, seed=0, each=EACH, shape=SHAPE):
    rng = np.random.default_rng(seed)
    (folder / "mics").mkdir()
    (folder / "places").mkdir()
    for name in names:
        with mrcfile.new(folder / f"mics/{name}.mrc") as mrc:
            mrc.set_data(rng.normal(100, 5, shape).astype(np.float32))
            mrc.voxel_size = SIZE_A
        places = rng.uniform(20, np.array(shape[::-1]) - 20, (each, 2))
        rows = "".join(
            f"{x:.3f} {y:.3f} {score:.4f}\n" for (x, y), score in zip(places, rng.random(each), strict=True)
        )
        (folder / f"places/{name}.star").write_text(PLACES + rows)


def extract(out="out", picks="places", resume=False, events=None, **settings):
    wanted = {"picks": picks, "box": ["24"], "micrographs": "mics"} | settings
    made = ExtractSettings(**wanted)
    return extract_particles(made, out, SerialEngine(), events or SilentEvents(), resume=resume)


def images_of(star):
    rows = starfile.read(star, always_dict=True)["particles"]
    places = rows["rlnImageName"].str.split("@", expand=True).to_numpy()
    return np.stack([mrcfile.read(stack)[int(number) - 1] for number, stack in places])


def files_of(folder):
    """Return the bytes of all files but those that name the folder or its owner."""
    left_out = ("extract.json", ".lock", "config.yaml")
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in left_out
    }


class Counted(SilentEvents):
    """Remembers how many micrographs were done."""

    def __init__(self):
        self.done = 0

    def report(self, name, report):
        self.done += report.complete
