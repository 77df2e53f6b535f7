"""Data sets named in the settings -> stores and labelled micrographs, ready to be split."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from cryopick_ray.engine.engine import Engine
from cryopick_ray.engine.events import Events
from cryopick_ray.errors import UsageError
from cryopick_ray.micrographs.sources import MicrographSource, list_sources
from cryopick_ray.project import project_of
from cryopick_ray.settings import IngestSettings
from cryopick_ray.simulate.library import load_molecule
from cryopick_ray.simulate.micrograph import check
from cryopick_ray.simulate.run import simulate_all
from cryopick_ray.simulate.settings import SimulationSettings, simulation_settings
from cryopick_ray.stages.flow import ingest
from cryopick_ray.stages.ingest import probe
from cryopick_ray.store.manifest import read_manifest
from cryopick_ray.store.scale import check_scale
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.training.dataset import LabelledRow
from cryopick_ray.training.labels import Labels, in_settings, labelled_rows, read_labels
from cryopick_ray.training.settings import NAME, DataSettings, SimulatedData, TrainSettings
from cryopick_ray.training.splits import check_patterns
from cryopick_ray.units import working_pixel_size_A

ROUNDING = 1e-9
"""Of products of sizes, relative."""


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


@dataclass(frozen=True)
class _Listed:
    """A data set that is not in a store yet.

    Attributes
    ----------
    where
        Its place in the settings.
    sources
        Its labelled micrographs; the others teach nothing and stay where they are.
    """

    where: str
    settings: DataSettings
    sources: tuple[MicrographSource, ...]
    labels: Labels


def prepare_data(
    settings: TrainSettings, particle_px: float, folder: Path, engine: Engine, events: Events
) -> list[DataSet]:
    """Read the labels, simulate what is to be simulated, ingest everything at the lesson's scale.

    What ``folder`` holds already is not made again.

    Parameters
    ----------
    particle_px
        Pixels that the lesson shows a particle's diameter in.

    Raises
    ------
    UsageError
        If labels, micrographs or molecules are wrong.
    """
    _check_names(settings)
    particle_px *= settings.scales[1]
    for number, group in enumerate(settings.simulated):
        if group.particle_px < particle_px * (1 - ROUNDING):
            raise UsageError(
                f"simulated.{number}.particle_px is {group.particle_px:g}, too coarse for "
                f"{settings.network}, which sees particles of {particle_px:g} px; give at least as many, or "
                "a smaller options.particle_px or scales"
            )
    _check_simulations(settings)
    listed = [_list(f"data.{number}", one, particle_px) for number, one in enumerate(settings.data)]
    for number, group in enumerate(settings.simulated):
        made = [
            simulate_molecule(
                group, molecule, folder / "simulated", engine, events, where=f"simulated.{number}"
            )
            for molecule in group.molecules
        ]
        listed += [_list(f"simulated.{number}", one, particle_px) for one in made]
    return [_ingest(one, particle_px, folder / "stores", engine, events) for one in listed]


def _check_names(settings: TrainSettings) -> None:
    """Refuse two data sets of one name, simulated ones included: they would share a store."""
    names = [one.name for one in settings.data]
    for number, group in enumerate(settings.simulated):
        where = f"simulated.{number}"
        with _said_of(where, where):
            made = [group.called(load_molecule(one).name) for one in group.molecules]
        if unfit := [name for name in made if not re.fullmatch(NAME, name)]:
            raise UsageError(
                f"{where} makes a data set called {unfit[0]!r}, which can name no folder; expected up to 100 "
                "of the letters, digits and ._- ; rename the molecule's file or the group"
            )
        names += made
    if twice := sorted(name for name in set(names) if names.count(name) > 1):
        raise UsageError(
            f"two data sets are called {twice[0]!r}, one of them simulated; leave one out, rename it, or "
            "give its group of molecules a name"
        )


def simulate_molecule(
    settings: SimulatedData,
    molecule: str,
    folder: Path,
    engine: Engine,
    events: Events,
    *,
    where: str = "simulated",
) -> DataSettings:
    """Make one molecule's micrographs below ``folder``, as far as they are not there.

    Parameters
    ----------
    where
        What errors call the group of molecules.
    """
    found = load_molecule(molecule)
    name = settings.called(found.name)
    out = folder / name
    with _said_of(f"{where} ({name})", where):
        failures = simulate_all(_simulation(settings, molecule), out, engine, events, store_url=None)
        if failures:
            first, reason = failures[0]
            raise UsageError(f"{len(failures)} micrographs were not simulated; {first}: {reason}")
    return DataSettings(
        name=name,
        micrographs=(str(out / "micrographs"),),
        labels=out / "truth",
        junk=out / "masks",
        diameter_A=found.diameter_A,
        invert=settings.invert,
        molecule=found.name,
        simulated=True,
    )


def _check_simulations(settings: TrainSettings) -> None:
    """Refuse simulations that cannot be, the last group's too: the first may take hours."""
    for number, group in enumerate(settings.simulated):
        where = f"simulated.{number}"
        for molecule in group.molecules:
            found = load_molecule(molecule)
            with _said_of(f"{where} ({group.called(found.name)})", where):
                check(_simulation(group, molecule), [found])


def _simulation(settings: SimulatedData, molecule: str) -> SimulationSettings:
    """Return what is simulated of one molecule."""
    found = load_molecule(molecule)
    return simulation_settings(
        {
            **settings.settings,
            "molecules": [molecule],
            "micrographs": settings.micrographs,
            # no two molecules in the same ice
            "seed": settings.seed << 32 | crc32(settings.called(found.name).encode()),
            "pixel_size_A": found.diameter_A / settings.particle_px,
        }
    )


def _list(where: str, settings: DataSettings, particle_px: float) -> _Listed:
    """Find one data set's micrographs and labels: what can be wrong is told before hours of work."""
    with _said_of(f"{where} ({settings.name})"):
        sources = list_sources(settings.micrographs, relion_project=project_of(settings.micrographs))
        labels = read_labels(settings, [source.micrograph_id for source in sources])
        check_patterns(labels.names.keys(), settings)
        labelled = tuple(source for source in sources if source.micrograph_id in labels.names)
        probe(labelled, _ingest_settings(settings, particle_px))
    return _Listed(where, settings, labelled, labels)


def _ingest(one: _Listed, particle_px: float, folder: Path, engine: Engine, events: Events) -> DataSet:
    """Bring one data set into its store."""
    settings, wanted = one.settings, _ingest_settings(one.settings, particle_px)
    working_A = working_pixel_size_A(settings.diameter_A, particle_px)
    url = str(folder / f"{settings.name}-{working_A:.4g}A.zarr")
    with _said_of(f"{one.where} ({settings.name}), store {url} (delete it to have it made anew)"):
        ingest(one.sources, url, wanted, engine, events)
        manifest = read_manifest(MicrographStore(url).place)
        rows = [manifest[source.micrograph_id] for source in one.sources]
        check_scale([row for row in rows if row.status == "complete"], working_A)
    with _said_of(f"{one.where} ({settings.name})"):
        labelled = labelled_rows(settings, one.labels, url, {row.micrograph_id: row for row in rows})
    return DataSet(settings, tuple(labelled))


def _ingest_settings(settings: DataSettings, particle_px: float) -> IngestSettings:
    return IngestSettings(
        pixel_size_A=settings.pixel_size_A,
        diameter_A=settings.diameter_A,
        store_pixel_size_A=working_pixel_size_A(settings.diameter_A, particle_px),
    )


@contextmanager
def _said_of(where: str, group: str | None = None) -> Iterator[None]:
    """Let what is wrong with a data set be said in words of the training's settings."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{where}: {in_settings(str(error), group)}") from error
