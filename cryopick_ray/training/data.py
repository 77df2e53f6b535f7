"""Data sets named in the settings -> stores and labelled micrographs, ready to be split."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryopick_ray.config import IngestSettings
from cryopick_ray.engine.events import Events
from cryopick_ray.engine.ingest import ingest
from cryopick_ray.engine.unit import Engine
from cryopick_ray.errors import UsageError
from cryopick_ray.micrographs.sources import list_sources
from cryopick_ray.simulate.library import load_molecule
from cryopick_ray.simulate.run import simulate_all
from cryopick_ray.simulate.settings import simulation_settings
from cryopick_ray.store.manifest import read_manifest
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.training.dataset import LabelledRow
from cryopick_ray.training.labels import labelled_rows
from cryopick_ray.training.settings import DataSettings, SimulatedData, TrainSettings
from cryopick_ray.units import working_pixel_size_A


@dataclass(frozen=True)
class DataSet:
    """A data set that is in a store.

    Attributes
    ----------
    settings
        What it was made from.
    rows
        Its micrographs that have labels.
    """

    settings: DataSettings
    rows: tuple[LabelledRow, ...]


def prepare_data(
    settings: TrainSettings, particle_px: float, folder: Path, engine: Engine, events: Events
) -> list[DataSet]:
    """Simulate what is to be simulated, ingest everything at the lesson's scale, read the labels.

    What ``folder`` holds already is not made again.

    Raises
    ------
    UsageError
        If labels, micrographs or molecules are wrong.
    """
    _check_names(settings)
    wanted = list(settings.data)
    if settings.simulated is not None:
        wanted += [
            _simulate(settings.simulated, name, folder / "simulated", engine, events)
            for name in settings.simulated.molecules
        ]
    return [_ingest(one, particle_px, folder / "stores", engine, events) for one in wanted]


def _check_names(settings: TrainSettings) -> None:
    """Refuse two data sets of one name, simulated ones included: they would share a store."""
    names = [one.name for one in settings.data]
    if settings.simulated is not None:
        names += [load_molecule(one).name for one in settings.simulated.molecules]
    if twice := sorted(name for name in set(names) if names.count(name) > 1):
        raise UsageError(
            f"two data sets are called {twice[0]!r}, one of them simulated; rename or leave one out"
        )


def _simulate(
    settings: SimulatedData, molecule: str, folder: Path, engine: Engine, events: Events
) -> DataSettings:
    """Make one molecule's micrographs."""
    found = load_molecule(molecule)
    simulation = {
        "pixel_size_A": found.diameter_A / settings.particle_px,
        **settings.settings,
        "molecules": [molecule],
        "micrographs": settings.micrographs,
        "seed": settings.seed,
    }
    out = folder / found.name
    failures = simulate_all(simulation_settings(simulation), out, engine, events, store_url=None)
    if failures:
        name, reason = failures[0]
        raise UsageError(f"{len(failures)} micrographs of {molecule} were not simulated; {name}: {reason}")
    return DataSettings(
        name=found.name,
        micrographs=(str(out / "micrographs"),),
        labels=out / "truth",
        diameter_A=found.diameter_A,
    )


def _ingest(
    settings: DataSettings, particle_px: float, folder: Path, engine: Engine, events: Events
) -> DataSet:
    """Bring one data set into its store."""
    sources = list_sources(settings.micrographs, relion_project=Path(), limit=None)
    working_A = working_pixel_size_A(settings.diameter_A, particle_px)
    url = str(folder / f"{settings.name}-{working_A:.4g}A.zarr")
    wanted = IngestSettings(
        pixel_size_A=settings.pixel_size_A, diameter_A=settings.diameter_A, store_pixel_size_A=working_A
    )
    ingest(sources, url, wanted, engine, events)
    manifest = read_manifest(MicrographStore(url).place)
    known = {source.micrograph_id for source in sources}
    rows = labelled_rows(settings, url, {name: row for name, row in manifest.items() if name in known})
    return DataSet(settings, tuple(rows))


def all_rows(data: Sequence[DataSet]) -> list[LabelledRow]:
    """Return the micrographs of all data sets."""
    return [row for one in data for row in one.rows]
