"""Ingest into several stores, on the same workers."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from cryopick_ray.engine.engine import Engine
from cryopick_ray.engine.events import Events
from cryopick_ray.engine.stage import StagePart, run_stage
from cryopick_ray.engine.unit_rules import split_units, unit_size
from cryopick_ray.micrographs.batches import FixedBatches
from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.settings.run_settings import IngestSettings
from cryopick_ray.stages.ingest import StoreIngest, note_changed
from cryopick_ray.store.manifest import ManifestRow, read_manifest


@dataclass(frozen=True)
class StorePlan:
    """What to ingest into one store.

    Attributes
    ----------
    sources
        All micrographs that the store is to hold.
    lacking
        Those that it lacks.
    changed
        Ids of stored ones whose files have changed.
    """

    intake: StoreIngest
    sources: tuple[MicrographSource, ...]
    lacking: tuple[MicrographSource, ...]
    changed: tuple[str, ...]

    def part(self, engine: Engine) -> StagePart:
        """Return the part of the ingest stage for this store."""
        kind = self.intake.kind(FixedBatches(self.sources), engine)
        units = split_units(self.lacking, unit_size(len(self.sources)))
        return StagePart(units, kind.make_worker, kind.on_gpu, done=len(self.sources) - len(self.lacking))

    def manifest(self) -> dict[str, ManifestRow]:
        """Return the store's manifest, failed micrographs included."""
        return read_manifest(self.intake.store.place) if self.lacking else self.intake.manifest


def plan_store(sources: Sequence[MicrographSource], store_url: str, settings: IngestSettings) -> StorePlan:
    """Find which micrographs a store lacks; the store is created if it is missing.

    Raises
    ------
    UsageError
        As :meth:`~cryopick_ray.stages.ingest.StoreIngest.admit` does.
    """
    intake = StoreIngest(store_url, settings)
    lacking, changed = intake.admit(sources)
    return StorePlan(intake, tuple(sources), tuple(lacking), tuple(changed))


def fill_stores(plans: Mapping[str, StorePlan], engine: Engine, events: Events) -> None:
    """Ingest into each store what it lacks."""
    for plan in plans.values():
        note_changed(plan.changed, events)
    parts = {name: plan.part(engine) for name, plan in plans.items()}
    with closing(run_stage("ingest", parts, engine, events)) as reports:
        for name, report in reports:
            plans[name].intake.record(report.made, [failed for failed, _ in report.failures])
