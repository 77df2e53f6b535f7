"""A run from settings to results: check, estimate the diameter, ingest and pick, make the table, report."""

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
from cryopick_ray.micrographs.batches import Batches, FixedBatches
from cryopick_ray.micrographs.sources import MicrographSource, list_sources
from cryopick_ray.passes.named_files import check_files
from cryopick_ray.pickers.catalogue import NO_WEIGHTS
from cryopick_ray.picks.estimated_diameter import EstimatedDiameter
from cryopick_ray.picks.thresholds import Threshold
from cryopick_ray.runs.empiar_run import EmpiarInput, is_archive
from cryopick_ray.runs.results.run_results import write_results
from cryopick_ray.runs.results.run_table import digest_to_recut, make_run_table
from cryopick_ray.runs.results.run_warnings import WarningCollector
from cryopick_ray.runs.results.summary import Summary, read_summary
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.settings.base import Settings
from cryopick_ray.settings.engine_settings import EngineSettings
from cryopick_ray.settings.run_settings import RunSettings
from cryopick_ray.stages.cut_table import check_cut
from cryopick_ray.stages.find_diameter import find_diameter, keep_diameter
from cryopick_ray.stages.flow import flow
from cryopick_ray.stages.ingest import StoreIngest, probe
from cryopick_ray.stages.pick import Picking, described_picker, prepare_picking
from cryopick_ray.store.manifest import complete_ids
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.units import working_pixel_size_A


def silent(text: str) -> None:
    """Discard a message."""


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
    """A checked run: its settings, engine and micrographs.

    Attributes
    ----------
    settings
        Settings of the run; the diameter may still be missing.
    engine
        Settings of the engine.
    sources
        All micrographs.
    sample
        Micrographs that can be read now.
    particle_px
        Particle diameter in pixels at the model's scale.
    left_out
        Files that are not picked, with reasons.
    archive
        The EMPIAR entry that they come from.
    """

    settings: RunSettings
    engine: EngineSettings
    sources: Sequence[MicrographSource]
    sample: Sequence[MicrographSource]
    particle_px: float
    left_out: Sequence[tuple[MicrographSource, str]] = ()
    archive: EmpiarInput | None = None

    @property
    def pixel_size_A(self) -> float:
        """Pixel size that the model works at; the diameter must be known."""
        return working_pixel_size_A(self.settings.pick.diameter_A, self.particle_px)

    def batches(self, store: MicrographStore) -> AbstractContextManager[Batches]:
        """Return the micrographs in batches, as they arrive."""
        if self.archive is None:
            return nullcontext(FixedBatches(self.sources, self.left_out))
        return self.archive.batches(self.sources, store)


def plan(
    settings: RunSettings,
    engine: EngineSettings,
    download: Path | None = None,
    say: Callable[[str], None] = silent,
    taken: Collection[str] = (),
) -> RunPlan:
    """Check everything that can be checked before a run writes anything.

    Parameters
    ----------
    download
        Folder for files of an EMPIAR entry; the first few are fetched.
    say
        Called with decisions about such an entry, and with what is left out.
    taken
        Ids of the micrographs that a resumed run holds.

    Raises
    ------
    UsageError, ModelError
        If the model, the micrographs or their pixel size cannot be used.
    """
    if settings.model in NO_WEIGHTS and (unsupported := {"exact", "dtype"}.intersection(_changed(settings))):
        raise UsageError(f"`{min(unsupported)}` is for networks, and {settings.model} has none; leave it out")
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
        archive = EmpiarInput(settings, download, say)
        sources = archive.sources(settings.project)
        sample = archive.sample(sources)
        run_plan = RunPlan(
            archive.as_declared(settings, sample),
            engine,
            sources,
            sample,
            picker.particle_px,
            archive=archive,
        )
    else:
        left_out: list[tuple[MicrographSource, str]] = []
        sources = list_sources(
            settings.inputs, **settings.which, taken=taken, say=say, leave_out=left_out.extend
        )
        run_plan = RunPlan(settings, engine, sources, sources, picker.particle_px, left_out)
    if not any(source.kind == "movie" for source in run_plan.sources):
        for name in _changed(settings.movies):
            say(f"`movies.{name}` is for movies, and no file is named like one")
    probe(run_plan.sample, run_plan.settings.ingest(None))
    return run_plan


def _changed(settings: Settings) -> list[str]:
    """Return the names of settings that differ from their defaults."""
    fields = type(settings).model_fields
    return [name for name, value in settings if value != fields[name].get_default(call_default_factory=True)]


def plan_again(settings: RunSettings, engine: EngineSettings) -> RunPlan:
    """Return the plan of a run on the micrographs in its store; no files are listed."""
    return RunPlan(settings, engine, (), (), described_picker(settings).particle_px)


def with_diameter(plan: RunPlan, found: EstimatedDiameter) -> RunPlan:
    """Return the plan with an estimated diameter, after checking pixel sizes against it."""
    new_plan = replace(plan, settings=plan.settings.model_copy(update={"diameter_A": found.diameter_A}))
    probe(new_plan.sample, new_plan.settings.ingest(new_plan.pixel_size_A), new_plan.pixel_size_A)
    return new_plan


def pick_all(
    settings: RunSettings, engine: EngineSettings, folder: RunFolder, *, resume: bool, events: Events
) -> Summary:
    """Start a run in a folder, or continue the one it holds; return its summary.

    Raises
    ------
    UsageError
        If the folder holds a run and ``resume`` is not asked for, or a setting cannot be used.
    """
    timings = Timings()
    check_masks(settings.masks)
    check_files(settings.selection)
    if resume and (digest := digest_to_recut(settings, folder)) is not None:
        before = read_summary(folder)
        earlier_warnings = [warning.text for warning in before.warnings if warning.about == "run"]
        masks_of(settings.masks, folder.store)  # fails before the work starts
        with folder.claim(settings, resume=True):
            with timings.stage("table"):
                thresholds = make_run_table(settings, folder, digest)
            return write_results(
                settings, folder, digest, thresholds, timings.seconds, earlier_warnings, before.taught
            )
    events = collector = WarningCollector(events)
    folder.check_free(resume=resume)  # fails before minutes of work
    before_A = folder.settings().diameter_A if folder.config.is_file() else settings.diameter_A
    if before_A != settings.diameter_A:
        events.note(
            f"`diameter_A` {before_A} -> {settings.diameter_A}: all are picked again; what is stored stays "
            "where it is fine enough"
        )
    run_plan = plan(settings, engine, folder.download, collector.decided, complete_ids(folder.store))
    find_masks(
        settings.masks, [source.micrograph_id for source in run_plan.sources]
    )  # fails before the work starts
    with ExitStack() as stack:
        if run_plan.settings.diameter_A is not None:
            probe(run_plan.sample, run_plan.settings.ingest(run_plan.pixel_size_A), run_plan.pixel_size_A)
            stack.enter_context(folder.claim(run_plan.settings, resume=resume))
            if before_A != settings.diameter_A:
                folder.forget_diameter()
        with timings.stage("start-up"):
            runner = stack.enter_context(open_engine(engine, threads=settings.threads))
        if run_plan.settings.diameter_A is None:
            with timings.stage("diameter"):
                diameter = estimate_diameter(runner, run_plan, events)
            run_plan = with_diameter(run_plan, diameter)
            stack.enter_context(folder.claim(run_plan.settings, resume=resume))
            keep_diameter(folder.diameter, diameter)
        digest, thresholds = run_on(runner, run_plan, folder, events, timings)
        return write_results(
            run_plan.settings, folder, digest, thresholds, timings.seconds, collector.warnings
        )


def run_on(
    engine: Engine, plan: RunPlan, folder: RunFolder, events: Events, timings: Timings
) -> tuple[str, dict[str, Threshold]]:
    """Ingest, pick and make the table in a claimed run folder; return digest and thresholds."""
    with timings.stage("ingest and pick"):
        intake, picking = prepare_stages(engine, plan, folder, events)
        # only the run that owns a store adds to it
        batches_of_run = nullcontext(FixedBatches(())) if folder.shares_store else plan.batches(intake.store)
        with batches_of_run as batches:
            flow(batches, intake, picking, engine, events)
    with timings.stage("table"):
        thresholds = make_run_table(plan.settings, folder, picking.digest)
    return picking.digest, thresholds


def prepare_stages(
    engine: Engine, plan: RunPlan, folder: RunFolder, events: Events
) -> tuple[StoreIngest, Picking]:
    """Return the ingest stage and the pick stage of a run."""
    settings, device = plan.settings, plan.engine.device
    averages = folder.averages(settings.project)
    intake = StoreIngest(folder.store, settings.ingest(plan.pixel_size_A), averages=averages, device=device)
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


def estimate_diameter(engine: Engine, plan: RunPlan, events: Events) -> EstimatedDiameter:
    """Estimate the diameter of a run's particles."""
    events.note("no `diameter_A`: estimating it from a few micrographs")
    diameter = find_diameter(
        plan.sample,
        plan.settings.ingest(None),
        invert=plan.settings.invert,
        device=plan.engine.device,
        engine=engine,
        events=events,
    )
    events.note(f"diameter {diameter.text()} (`diameter_A` overrides)")
    return diameter
