"""Micrographs into several stores, on the same workers."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from cryopick_ray.engine.engine import Engine
from cryopick_ray.engine.events import Events
from cryopick_ray.engine.stage import StagePart, run_stage
from cryopick_ray.engine.unit_rules import cut, unit_size
from cryopick_ray.micrographs.batches import Listed
from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.settings.run_settings import IngestSettings
from cryopick_ray.stages.ingest import Intake, tell_changed
from cryopick_ray.store.manifest import ManifestRow, read_manifest


@dataclass(frozen=True)
class Filling:
    """A store and what it is to hold.

    Attributes
    ----------
    sources
        All that it is to hold.
    lacking
        Those of them that it lacks.
    changed
        Ids of those that it has, but whose files have changed.
    """

    intake: Intake
    sources: tuple[MicrographSource, ...]
    lacking: tuple[MicrographSource, ...]
    changed: tuple[str, ...]

    def part(self, engine: Engine) -> StagePart:
        """Return what is to be done."""
        kind = self.intake.kind(Listed(self.sources), engine)
        units = cut(self.lacking, unit_size(len(self.sources)))
        return StagePart(units, kind.make_worker, kind.on_gpu, done=len(self.sources) - len(self.lacking))

    def manifest(self) -> dict[str, ManifestRow]:
        """Return what the store says of its micrographs, those that failed included."""
        return read_manifest(self.intake.store.place) if self.lacking else self.intake.manifest


def plan_filling(sources: Sequence[MicrographSource], store_url: str, settings: IngestSettings) -> Filling:
    """Find which micrographs a store lacks, which is made if it is not there.

    Raises
    ------
    UsageError
        As :meth:`~cryopick_ray.stages.ingest.Intake.admit` does.
    """
    intake = Intake(store_url, settings)
    lacking, changed = intake.admit(sources)
    return Filling(intake, tuple(sources), tuple(lacking), tuple(changed))


def fill_stores(fillings: Mapping[str, Filling], engine: Engine, events: Events) -> None:
    """Bring into each store what it lacks."""
    for filling in fillings.values():
        tell_changed(filling.changed, events)
    parts = {name: filling.part(engine) for name, filling in fillings.items()}
    with closing(run_stage("ingest", parts, engine, events)) as reports:
        for name, report in reports:
            fillings[name].intake.came(report.made, [failed for failed, _ in report.failures])
