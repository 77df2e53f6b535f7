"""What a second worker brings: units a second of one and of two Ray workers, in turn, on two free cores."""

import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median
from typing import Annotated

import mrcfile
import typer

from cryopick_ray.engine.events import Silence
from cryopick_ray.engine.open_engine import open_engine
from cryopick_ray.engine.unit_rules import cut
from cryopick_ray.micrographs.sources import list_sources
from cryopick_ray.settings.engine_settings import EngineSettings
from cryopick_ray.settings.run_settings import IngestSettings, PickSettings
from cryopick_ray.simulate.phantom import make_phantom
from cryopick_ray.stages.flow import ingest
from cryopick_ray.stages.pick_worker import PickWorker
from cryopick_ray.store.manifest import ManifestRow, read_manifest
from cryopick_ray.store.store import MicrographStore

SIDE_PX, PIXEL_SIZE_A, DIAMETER_A = 1024, 2.0, 150.0


def stored(folder: Path, count: int) -> tuple[str, list[ManifestRow]]:
    """Return a store of micrographs, and its rows."""
    for number in range(count):
        pixels = make_phantom(number, shape=(SIDE_PX, SIDE_PX), pixel_size_A=PIXEL_SIZE_A).pixels
        with mrcfile.new(folder / f"m{number:04d}.mrc") as mrc:
            mrc.set_data(pixels)
            mrc.voxel_size = PIXEL_SIZE_A
    url = str(folder / "store.zarr")
    with open_engine(EngineSettings(engine="serial"), threads=1) as engine:
        ingest(list_sources([str(folder)], relion_project=folder), url, IngestSettings(), engine, Silence())
    return url, list(read_manifest(MicrographStore(url).place).values())


def units_per_s(url: str, rows: list[ManifestRow], picks: Path, workers: int, model: str) -> float:
    """Return units a second, once every worker has ended one."""
    settings = PickSettings(model=model, diameter_A=DIAMETER_A)
    make = partial(PickWorker, url, str(picks), "d", settings, "cpu")
    with open_engine(EngineSettings(workers=workers), threads=1) as engine:
        ends = [time.monotonic() for _ in engine.run(cut(rows, 1), make, on_gpu=False)]
    begun = ends[4 * workers :]
    return (len(begun) - 1) / (begun[-1] - begun[0])


def main(
    rounds: Annotated[int, typer.Option(help="Times that one and two workers run.")] = 3,
    count: Annotated[int, typer.Option("--micrographs", help="How many, one to a unit.")] = 200,
    model: Annotated[str, typer.Option(help="Who picks.")] = "deeppicker-general",
) -> None:
    """Print units a second and the efficiency of the second worker."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "in"
        folder.mkdir()
        url, rows = stored(folder, count)
        efficiencies = []
        for number in range(rounds):
            one, two = (
                units_per_s(url, rows, Path(scratch) / f"picks{number}-{workers}", workers, model)
                for workers in (1, 2)
            )
            efficiencies.append(two / one / 2)
            typer.echo(f"one {one:.2f}, two {two:.2f} units/s: efficiency {efficiencies[-1]:.3f}")
    typer.echo(f"median efficiency {median(efficiencies):.3f}")


if __name__ == "__main__":
    typer.run(main)
