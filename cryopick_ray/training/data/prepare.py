"""Data sets of the settings: simulated, read, ingested into stores, with their labels."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from cryopick_ray.engine.engine import Engine
from cryopick_ray.engine.events import Events
from cryopick_ray.errors import UsageError
from cryopick_ray.micrographs.sources import MicrographSource, list_sources
from cryopick_ray.project import project_of
from cryopick_ray.settings.run_settings import IngestSettings
from cryopick_ray.simulate.library import load_molecule, molecule_name
from cryopick_ray.simulate.simulation import Simulation, plan_simulation, simulate_together
from cryopick_ray.simulate.simulation_settings import SimulationSettings, simulation_settings
from cryopick_ray.stages.ingest import probe
from cryopick_ray.stages.stores import StorePlan, fill_stores, plan_store
from cryopick_ray.store.scale import check_scale
from cryopick_ray.training.data.examples import LabelledRow
from cryopick_ray.training.data.labels import Labels, in_settings, labelled_rows, read_labels
from cryopick_ray.training.data.splits import check_patterns
from cryopick_ray.training.training_settings import NAME, DataSettings, SimulatedData, TrainSettings
from cryopick_ray.units import working_pixel_size_A

ROUNDING = 1e-9
"""Of products of sizes, relative."""


@dataclass(frozen=True)
class TrainingSet:
    """A data set in a store.

    Attributes
    ----------
    settings
        Its settings.
    rows
        Its labelled micrographs.
    """

    settings: DataSettings
    rows: tuple[LabelledRow, ...]


@dataclass(frozen=True)
class _ListedSet:
    """A data set whose micrographs and labels are found, not yet in a store.

    Attributes
    ----------
    where
        Its path in the settings, for messages.
    sources
        Its labelled micrographs; the others are not ingested.
    """

    where: str
    settings: DataSettings
    sources: tuple[MicrographSource, ...]
    labels: Labels


@dataclass(frozen=True)
class _PlannedSimulation:
    """A data set to simulate.

    Attributes
    ----------
    where
        Its group's path in the settings, for messages.
    settings
        Those of the simulated data set.
    """

    where: str
    settings: DataSettings
    simulation: Simulation


def prepare_data(
    settings: TrainSettings, particle_px: float, folder: Path, engine: Engine, events: Events
) -> list[TrainingSet]:
    """Read the labels, simulate what is to be simulated, ingest everything at the recipe's scale.

    Simulations and stores that ``folder`` holds already are not made again.

    Parameters
    ----------
    particle_px
        Pixels that a particle's diameter spans at the recipe's scale.

    Raises
    ------
    UsageError
        If labels, micrographs or molecules are wrong.
    """
    _check_names(settings)
    particle_px *= settings.scales[1]
    for number, group in enumerate(settings.simulated):
        shown_px = particle_px * group.enlarged
        if group.particle_px < shown_px * (1 - ROUNDING):
            raise UsageError(
                f"simulated.{number}.particle_px is {group.particle_px:g}, too coarse for "
                f"{settings.network}, which sees particles of {shown_px:g} px; give at least as many, or "
                "a smaller options.particle_px or scales"
            )
    groups = {f"simulated.{number}": group for number, group in enumerate(settings.simulated)}
    planned = [
        _plan(where, group, molecule, folder / "simulated")
        for where, group in groups.items()
        for molecule in group.molecules
    ]
    listed = [_list(f"data.{number}", data_set, particle_px) for number, data_set in enumerate(settings.data)]
    if planned:
        _simulate(planned, engine, events)
    listed += [_list(plan.where, plan.settings, particle_px) for plan in planned]
    return _ingest(listed, particle_px, folder / "stores", engine, events)


def _check_names(settings: TrainSettings) -> None:
    """Refuse two data sets of one name, simulated ones included: they would share a store."""
    names = [data_set.name for data_set in settings.data]
    for number, group in enumerate(settings.simulated):
        where = f"simulated.{number}"
        with _errors_about(where, where):
            simulated_names = [group.called(molecule_name(molecule)) for molecule in group.molecules]
        if unfit := [name for name in simulated_names if not re.fullmatch(NAME, name)]:
            raise UsageError(
                f"{where} makes a data set called {unfit[0]!r}, which can name no folder; expected up to 100 "
                "of the letters, digits and ._- ; rename the molecule's file or the group"
            )
        names += simulated_names
    if twice := sorted(name for name in set(names) if names.count(name) > 1):
        raise UsageError(
            f"two data sets are called {twice[0]!r}, one of them simulated; leave one out, rename it, or "
            "give its group of molecules a name"
        )


def simulate_molecule(
    settings: SimulatedData, molecule: str, folder: Path, engine: Engine, events: Events
) -> DataSettings:
    """Simulate one molecule's micrographs below ``folder``, except those that are there."""
    planned = _plan("simulated", settings, molecule, folder)
    _simulate([planned], engine, events)
    return planned.settings


def _plan(where: str, settings: SimulatedData, molecule: str, folder: Path) -> _PlannedSimulation:
    """Plan a molecule's simulation; all are planned first, because simulating may take hours."""
    molecule_model = load_molecule(molecule)
    name = settings.called(molecule_model.name)
    out = folder / name
    with _errors_about(f"{where} ({name})", where):
        simulation = plan_simulation(_simulation(settings, molecule), out)
    data = DataSettings(
        name=name,
        micrographs=(str(out / "micrographs"),),
        labels=out / "truth",
        junk=out / "masks",
        diameter_A=molecule_model.diameter_A / settings.enlarged,
        invert=settings.invert,
        molecule=molecule_model.name,
        simulated=True,
    )
    return _PlannedSimulation(where, data, simulation)


def _simulate(planned: Sequence[_PlannedSimulation], engine: Engine, events: Events) -> None:
    """Simulate the micrographs of all data sets, except those that are there."""
    failures_by_set = simulate_together(
        {plan.settings.name: plan.simulation for plan in planned}, engine, events
    )
    for plan in planned:
        if failures := failures_by_set[plan.settings.name]:
            first, reason = failures[0]
            with _errors_about(f"{plan.where} ({plan.settings.name})", plan.where):
                raise UsageError(f"{len(failures)} micrographs were not simulated; {first}: {reason}")


def _simulation(settings: SimulatedData, molecule: str) -> SimulationSettings:
    """Return the settings of one molecule's simulation."""
    molecule_model = load_molecule(molecule)
    return simulation_settings(
        {
            **settings.settings,
            "molecules": [molecule],
            "micrographs": settings.micrographs,
            # no two molecules in the same ice
            "seed": settings.seed << 32 | crc32(settings.called(molecule_model.name).encode()),
            "pixel_size_A": molecule_model.diameter_A / settings.particle_px,
        }
    )


def _list(where: str, settings: DataSettings, particle_px: float) -> _ListedSet:
    """Find one data set's micrographs and labels, and check them before hours of work."""
    with _errors_about(f"{where} ({settings.name})"):
        sources = list_sources(settings.micrographs, relion_project=project_of(settings.micrographs))
        labels = read_labels(settings, [source.micrograph_id for source in sources])
        check_patterns(labels.names.keys(), settings)
        labelled = tuple(source for source in sources if source.micrograph_id in labels.names)
        probe(labelled, _ingest_settings(settings, particle_px))
    return _ListedSet(where, settings, labelled, labels)


def _ingest(
    listed: Sequence[_ListedSet], particle_px: float, folder: Path, engine: Engine, events: Events
) -> list[TrainingSet]:
    """Bring each data set into its store."""
    urls = [_store_url(data_set.settings, particle_px, folder) for data_set in listed]
    fillings = {}
    for data_set, url in zip(listed, urls, strict=True):
        with _errors_about(_in_store(data_set, url)):
            fillings[url] = plan_store(
                data_set.sources, url, _ingest_settings(data_set.settings, particle_px)
            )
    fill_stores(fillings, engine, events)
    return [
        _labelled(data_set, url, fillings[url], particle_px)
        for data_set, url in zip(listed, urls, strict=True)
    ]


def _labelled(listed: _ListedSet, url: str, filling: StorePlan, particle_px: float) -> TrainingSet:
    """Return a data set in its store, with its labels."""
    settings, manifest = listed.settings, filling.manifest()
    rows = [manifest[source.micrograph_id] for source in listed.sources]
    with _errors_about(_in_store(listed, url)):
        working_A = working_pixel_size_A(settings.diameter_A, particle_px)
        check_scale([row for row in rows if row.status == "complete"], working_A)
    with _errors_about(f"{listed.where} ({settings.name})"):
        labelled = labelled_rows(settings, listed.labels, url, {row.micrograph_id: row for row in rows})
    return TrainingSet(settings, tuple(labelled))


def _store_url(settings: DataSettings, particle_px: float, folder: Path) -> str:
    return str(folder / f"{settings.name}-{working_pixel_size_A(settings.diameter_A, particle_px):.4g}A.zarr")


def _in_store(listed: _ListedSet, url: str) -> str:
    return f"{listed.where} ({listed.settings.name}), store {url} (delete it to have it made anew)"


def _ingest_settings(settings: DataSettings, particle_px: float) -> IngestSettings:
    return IngestSettings(
        pixel_size_A=settings.pixel_size_A,
        diameter_A=settings.diameter_A,
        store_pixel_size_A=working_pixel_size_A(settings.diameter_A, particle_px),
    )


@contextmanager
def _errors_about(where: str, group: str | None = None) -> Iterator[None]:
    """Raise usage errors about a data set again, with its path and the names of the training's settings."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{where}: {in_settings(str(error), group)}") from error
