"""Simulations of many micrographs: cut into units, run, gone on with."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cryopick_ray.engine.engine import Engine
from cryopick_ray.engine.events import Events
from cryopick_ray.engine.stage import StagePart, run_stage
from cryopick_ray.engine.unit_rules import cut, unit_size
from cryopick_ray.errors import UsageError
from cryopick_ray.settings.base import Settings
from cryopick_ray.settings.config import read_yaml, to_yaml
from cryopick_ray.simulate.library import load_molecule
from cryopick_ray.simulate.simulate_worker import Simulated, SimulateWorker, has_truth, is_made
from cryopick_ray.simulate.simulated_micrograph import check
from cryopick_ray.simulate.simulation_settings import SimulationSettings, simulation_settings
from cryopick_ray.store.manifest import read_manifest
from cryopick_ray.store.publish import write_whole
from cryopick_ray.store.store import MicrographStore

SETTINGS = "simulation.yaml"


@dataclass(frozen=True)
class Simulation:
    """A simulation that can be, and what is left to make of it.

    Attributes
    ----------
    out
        Folder for the files.
    store_url
        Store for the micrographs; ``None`` for MRC files.
    is_told
        Whether ``out`` holds these very settings: they were found to be possible, then.
    """

    settings: SimulationSettings
    out: Path
    store_url: str | None
    left: tuple[Simulated, ...]
    is_told: bool

    @property
    def done(self) -> int:
        """Micrographs that are there."""
        return self.settings.micrographs - len(self.left)


def simulate_all(
    settings: SimulationSettings, out: Path, engine: Engine, events: Events, *, store_url: str | None
) -> list[tuple[str, str]]:
    """Make all micrographs that are not there yet; return ids and reasons of those that failed.

    Parameters and errors are those of :func:`plan_simulation`.
    """
    planned = plan_simulation(settings, out, store_url=store_url)
    return simulate_together({"": planned}, engine, events)[""]


def plan_simulation(settings: SimulationSettings, out: Path, *, store_url: str | None = None) -> Simulation:
    """Find what is left to make.

    Parameters
    ----------
    out
        Folder for the files; one that holds a simulation must hold the same one.
    store_url
        Store for the micrographs, instead of MRC files.

    Raises
    ------
    UsageError
        If a molecule is unknown, particles do not fit, or ``out`` or the store holds another
        simulation; nothing was written then, save an empty store.
    """
    molecules = [load_molecule(name) for name in settings.molecules]
    told = out / SETTINGS
    is_told = told.is_file() and told.read_bytes() == to_yaml(settings).encode()
    if not is_told:
        check(settings, molecules)
        _refuse_others(settings, out)
    wanted = [Simulated(number) for number in range(settings.micrographs)]
    if store_url is None:
        left = [item for item in wanted if not is_made(out, item)]
    else:
        left = _not_stored(wanted, out, store_url)
    return Simulation(settings, out, store_url, tuple(left), is_told)


def simulate_together(
    simulations: Mapping[str, Simulation], engine: Engine, events: Events
) -> dict[str, list[tuple[str, str]]]:
    """Make what is left of several simulations on the same workers.

    Returns
    -------
    Ids and reasons of micrographs that failed, by the names of the simulations.
    """
    parts = {}
    for name, simulation in simulations.items():
        if not simulation.is_told:
            write_whole(simulation.out / SETTINGS, to_yaml(simulation.settings))
        units = cut(simulation.left, unit_size(simulation.settings.micrographs))
        make_worker = partial(SimulateWorker, simulation.out, simulation.settings, simulation.store_url)
        parts[name] = StagePart(units, make_worker, done=simulation.done)
    failures: dict[str, list[tuple[str, str]]] = {name: [] for name in simulations}
    with closing(run_stage("simulate", parts, engine, events)) as reports:
        for name, report in reports:
            failures[name].extend(report.failures)
    return failures


def _refuse_others(settings: SimulationSettings, out: Path) -> None:
    """Refuse a folder that holds another simulation; more or fewer micrographs are the same one."""
    path = out / SETTINGS
    if not path.is_file():
        return
    changed = list(_differences(simulation_settings(read_yaml(path)), settings))
    if changed:
        raise UsageError(
            f"{out} holds a simulation with other settings ({'; '.join(changed)}); choose another `out`"
        )


def _differences(old: Settings, new: Settings) -> Iterator[str]:
    """Yield ``name: old -> new`` for each setting that differs, at any depth."""
    for name in type(old).model_fields:
        before, after = getattr(old, name), getattr(new, name)
        if isinstance(before, Settings):
            yield from (f"{name}.{line}" for line in _differences(before, after))
        elif before != after and name != "micrographs":
            yield f"{name}: {before} -> {after}"


def _not_stored(wanted: list[Simulated], out: Path, store_url: str) -> list[Simulated]:
    """Return the micrographs that a store lacks; their truth must lie in ``out``."""
    held = read_manifest(MicrographStore(store_url, create=True).place)
    for item in wanted:
        if item.micrograph_id in held and not has_truth(out, item):
            raise UsageError(
                f"{store_url} holds a {item.micrograph_id} whose truth is not in {out}: expected a store of "
                "this simulation or a new one (`store`)"
            )
    return [item for item in wanted if item.micrograph_id not in held]
