"""A run from settings to results: looked at, picked as micrographs come, gathered, told."""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryopick_ray.engine.engine import Engine
from cryopick_ray.engine.events import Events
from cryopick_ray.engine.open_engine import open_engine
from cryopick_ray.errors import UsageError
from cryopick_ray.formats.mask_names import check_masks, find_masks, masks_of
from cryopick_ray.micrographs.batches import Batches, Listed
from cryopick_ray.micrographs.sources import MicrographSource, list_sources
from cryopick_ray.passes.named_files import check_files
from cryopick_ray.pickers.catalogue import BUILT_IN
from cryopick_ray.picks.estimated_diameter import EstimatedDiameter
from cryopick_ray.picks.thresholds import Threshold
from cryopick_ray.runs.empiar_run import ArchiveEntry, is_archive
from cryopick_ray.runs.results import Summary, read_summary, write_results
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.runs.tables import gather, only_to_cut
from cryopick_ray.runs.warnings import Heard
from cryopick_ray.settings.base import Settings
from cryopick_ray.settings.engine_settings import EngineSettings
from cryopick_ray.settings.run_settings import RunSettings
from cryopick_ray.stages.cut_table import check_cut
from cryopick_ray.stages.find_diameter import find_diameter, keep_diameter
from cryopick_ray.stages.flow import flow
from cryopick_ray.stages.ingest import Intake, probe
from cryopick_ray.stages.pick import Picking, described_picker, prepare_picking
from cryopick_ray.store.manifest import complete_ids
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.units import working_pixel_size_A


def silent(text: str) -> None:
    """Say nothing."""


@dataclass
class Timings:
    """Wall-clock seconds by stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block as ``name``."""
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start


@dataclass(frozen=True)
class RunPlan:
    """A run that was found possible.

    Attributes
    ----------
    settings
        Of the run; its diameter may still be missing.
    engine
        Who is to run it.
    sources
        The micrographs.
    sample
        Those of them that can be looked at now.
    particle_px
        Pixels that a diameter becomes for the model.
    left_out
        Files beside them that are not to be picked, and why.
    archive
        The entry of EMPIAR that they come from.
    """

    settings: RunSettings
    engine: EngineSettings
    sources: Sequence[MicrographSource]
    sample: Sequence[MicrographSource]
    particle_px: float
    left_out: Sequence[tuple[MicrographSource, str]] = ()
    archive: ArchiveEntry | None = None

    @property
    def pixel_size_A(self) -> float:
        """What the model needs; the diameter must be known."""
        return working_pixel_size_A(self.settings.pick.diameter_A, self.particle_px)

    def batches(self, store: MicrographStore) -> AbstractContextManager[Batches]:
        """Return the micrographs as they come."""
        if self.archive is None:
            return nullcontext(Listed(self.sources, self.left_out))
        return self.archive.batches(self.sources, store)


def plan(
    settings: RunSettings,
    engine: EngineSettings,
    download: Path | None = None,
    say: Callable[[str], None] = silent,
    taken: Collection[str] = (),
) -> RunPlan:
    """Check everything that can be checked before a run leaves a trace.

    Parameters
    ----------
    download
        Where files of an EMPIAR entry go; the first few are fetched.
    say
        Told what was decided of such an entry, and what is left out.
    taken
        Ids of the micrographs that a run goes on with.

    Raises
    ------
    UsageError, ModelError
        If the model, the micrographs or their pixel size cannot be used.
    """
    if settings.model in BUILT_IN and (asked := {"exact", "dtype"}.intersection(_changed(settings))):
        raise UsageError(f"`{min(asked)}` is for networks, and {settings.model} has none; leave it out")
    picker = described_picker(settings)
    check_cut(settings.cut, picker.name, calibrated=picker.calibrated)
    if engine.engine == "serial" and picker.wants_gpu:
        from cryopick_ray.pickers.device.usable_device import usable_device

        usable_device(engine.device)
    if is_archive(settings.inputs):
        if download is None:
            raise UsageError(
                f"`inputs` {settings.inputs[0]!r} needs a folder of this machine for its files (`out`)"
            )
        archive = ArchiveEntry(settings, download, say)
        sources = archive.sources(settings.project)
        sample = archive.sample(sources)
        made = RunPlan(
            archive.as_declared(settings, sample),
            engine,
            sources,
            sample,
            picker.particle_px,
            archive=archive,
        )
    else:
        out: list[tuple[MicrographSource, str]] = []
        sources = list_sources(settings.inputs, **settings.which, taken=taken, say=say, leave_out=out.extend)
        made = RunPlan(settings, engine, sources, sources, picker.particle_px, out)
    if not any(source.kind == "movie" for source in made.sources):
        for name in _changed(settings.movies):
            say(f"`movies.{name}` is for movies, and no file is named like one")
    probe(made.sample, made.settings.ingest(None))
    return made


def _changed(settings: Settings) -> list[str]:
    """Return the names of what is not as it is by default."""
    fields = type(settings).model_fields
    return [name for name, value in settings if value != fields[name].get_default(call_default_factory=True)]


def plan_again(settings: RunSettings, engine: EngineSettings) -> RunPlan:
    """Return the plan of a run on what its store holds already: no file is looked for."""
    return RunPlan(settings, engine, (), (), described_picker(settings).particle_px)


def with_diameter(plan: RunPlan, found: EstimatedDiameter) -> RunPlan:
    """Return the plan of a run whose diameter was found, its pixel sizes held against it."""
    made = replace(plan, settings=plan.settings.model_copy(update={"diameter_A": found.diameter_A}))
    probe(made.sample, made.settings.ingest(made.pixel_size_A), made.pixel_size_A)
    return made


def pick_all(
    settings: RunSettings, engine: EngineSettings, folder: RunFolder, *, resume: bool, events: Events
) -> Summary:
    """Begin a run in a folder, or go on with the one it holds; return what came out.

    Raises
    ------
    UsageError
        If the folder holds a run and ``resume`` is not asked for, or a setting cannot be used.
    """
    timings = Timings()
    check_masks(settings.masks)
    check_files(settings.selection)
    if resume and (digest := only_to_cut(settings, folder)) is not None:
        before = read_summary(folder)
        said = [warning.text for warning in before.warnings if warning.about == "run"]
        masks_of(settings.masks, folder.store)  # refused in time
        with folder.claim(settings, resume=True):
            with timings.stage("table"):
                thresholds = gather(settings, folder, digest)
            return write_results(settings, folder, digest, thresholds, timings.seconds, said, before.taught)
    events = heard = Heard(events)
    folder.check_free(resume=resume)  # before minutes of work
    before_A = folder.settings().diameter_A if folder.config.is_file() else settings.diameter_A
    if before_A != settings.diameter_A:
        events.note(
            f"`diameter_A` {before_A} -> {settings.diameter_A}: all are picked again; what is stored stays "
            "where it is fine enough"
        )
    made = plan(settings, engine, folder.download, heard.decided, complete_ids(folder.store))
    find_masks(settings.masks, [source.micrograph_id for source in made.sources])  # refused in time
    with ExitStack() as stack:
        if made.settings.diameter_A is not None:
            probe(made.sample, made.settings.ingest(made.pixel_size_A), made.pixel_size_A)
            stack.enter_context(folder.claim(made.settings, resume=resume))
            if before_A != settings.diameter_A:
                folder.forget_diameter()
        with timings.stage("start-up"):
            runner = stack.enter_context(open_engine(engine, threads=settings.threads))
        if made.settings.diameter_A is None:
            with timings.stage("diameter"):
                found = look(runner, made, events)
            made = with_diameter(made, found)
            stack.enter_context(folder.claim(made.settings, resume=resume))
            keep_diameter(folder.diameter, found)
        digest, thresholds = run_on(runner, made, folder, events, timings)
        return write_results(made.settings, folder, digest, thresholds, timings.seconds, heard.warnings)


def run_on(
    engine: Engine, plan: RunPlan, folder: RunFolder, events: Events, timings: Timings
) -> tuple[str, dict[str, Threshold]]:
    """Ingest, pick and gather the table in a claimed run folder; return digest and thresholds."""
    with timings.stage("ingest and pick"):
        intake, picking = prepared(engine, plan, folder, events)
        # a store that another run shares is that one's to fill
        coming = nullcontext(Listed(())) if folder.shares_store else plan.batches(intake.store)
        with coming as batches:
            flow(batches, intake, picking, engine, events)
    with timings.stage("table"):
        thresholds = gather(plan.settings, folder, picking.digest)
    return picking.digest, thresholds


def prepared(engine: Engine, plan: RunPlan, folder: RunFolder, events: Events) -> tuple[Intake, Picking]:
    """Return what a run's store holds and how it is picked."""
    settings, device = plan.settings, plan.engine.device
    averages = folder.averages(settings.project)
    intake = Intake(folder.store, settings.ingest(plan.pixel_size_A), averages=averages, device=device)
    pictures = folder.where if settings.pictures else None
    picking = prepare_picking(
        folder.store,
        folder.picks,
        settings.pick,
        engine,
        events,
        device=device,
        pictures_url=pictures,
        manifest=intake.manifest,
    )
    return intake, picking


def look(engine: Engine, plan: RunPlan, events: Events) -> EstimatedDiameter:
    """Estimate the diameter of a run's particles."""
    events.note("no `diameter_A`: estimating it from a few micrographs")
    found = find_diameter(
        plan.sample,
        plan.settings.ingest(None),
        invert=plan.settings.invert,
        device=plan.engine.device,
        engine=engine,
        events=events,
    )
    events.note(f"diameter {found.text()} (`diameter_A` overrides)")
    return found
