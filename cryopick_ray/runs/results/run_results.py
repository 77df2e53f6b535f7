"""Results of a run: coordinates, report and summary, made from the table."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from cryopick_ray import __version__
from cryopick_ray.errors import DamagedError, plain
from cryopick_ray.formats.format import ExportSettings
from cryopick_ray.formats.mask_names import masks_of
from cryopick_ray.formats.relion.particle_optics import guessed_optics
from cryopick_ray.passes.named_files import unused_parts
from cryopick_ray.picks.digest import CALIBRATED
from cryopick_ray.picks.judged_micrographs import worst_first
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.picks.table import PickTable
from cryopick_ray.picks.thresholds import Threshold
from cryopick_ray.report.report import Report, render_report
from cryopick_ray.report.thumbnails import Thumbnail, make_thumbnail
from cryopick_ray.runs.results.junk_summary import junk_text, mask_warnings, tints_of
from cryopick_ray.runs.results.relion_files import write_coordinates
from cryopick_ray.runs.results.report_collector import ReportCollector
from cryopick_ray.runs.results.run_warnings import RunWarning, result_warnings
from cryopick_ray.runs.results.summary import Summary, read_summary
from cryopick_ray.runs.results.tally import TallyCounter
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.runs.self_training.self_training_result import SelfTrainingResult
from cryopick_ray.settings.run_settings import RunSettings
from cryopick_ray.stages.find_diameter import kept_diameter
from cryopick_ray.store.manifest import ManifestRow, read_manifest
from cryopick_ray.store.publish import write_whole
from cryopick_ray.store.store import MicrographStore


def write_results(
    settings: RunSettings,
    folder: RunFolder,
    digest: str,
    thresholds: Mapping[str, Threshold],
    seconds: Mapping[str, float],
    run_warnings: Sequence[str] = (),
    taught: SelfTrainingResult | None = None,
) -> Summary:
    """Write coordinates, report and summary of a run from its table; return the summary.

    Parameters
    ----------
    run_warnings
        Warnings that were shown during the run.
    taught
        Result of a self-training.
    """
    refusal = [taught.text()] if taught and taught.is_refused else []
    run_warnings = list(dict.fromkeys([*run_warnings, *refusal]))
    table = PickTable(folder.table)
    file_warnings: list[str] = []
    export_settings = ExportSettings(
        folder.relion_project(settings), settings.optics.completed, say=file_warnings.append
    )
    ordered = worst_first(table.micrographs)
    collector = ReportCollector(table, {name: cut.value for name, cut in thresholds.items()})
    counter = TallyCounter(thresholds)
    write_coordinates(table, folder.coordinates, export_settings, (counter, collector))
    if guess := guessed_optics(table.micrographs, settings.optics):
        file_warnings.append(guess)
    counted = counter.tally
    calibrated = PickShards(folder.picks, digest).settings().get(CALIBRATED, False)
    inverted = [m.micrograph_id for m in table.micrographs if m.inverted and settings.invert == "auto"]
    manifest, diameter = read_manifest(MicrographStore(folder.store).place), kept_diameter(folder.diameter)
    summary = Summary(
        version=__version__,
        folder=folder.where,
        digest=digest,
        complete=len(counted.counts),
        failures=tuple((m.micrograph_id, m.reason) for m in table.micrographs if m.status == "failed"),
        left_out=tuple((m.micrograph_id, m.reason) for m in table.micrographs if m.status == "left out"),
        candidates=counted.candidates,
        picked=sum(counted.counts.values()),
        thresholds=thresholds,
        seconds=seconds,
        diameter=diameter,
        verdicts=dict(Counter(micrograph.verdict for micrograph in ordered)),
        judged=tuple((m.micrograph_id, m.verdict, m.reasons) for m in ordered if m.verdict != "good"),
        warnings=(
            *(RunWarning("run", text) for text in run_warnings),
            *result_warnings(manifest, diameter, counted.counts, inverted, thresholds, table.micrographs),
            *(RunWarning("micrographs", text) for text in mask_warnings(settings.masks, table.micrographs)),
            *(RunWarning("picks", text) for text in unused_parts(settings.selection, table)),
            *(RunWarning("files", text) for text in file_warnings),
        ),
        expected=counted.expected if calibrated else None,
        junk=counted.junk,
        unpicked=counted.unpicked,
        taught=taught,
        filaments=counted.filaments if settings.filaments.filament else None,
    )
    write_whole(folder.summary, json.dumps(summary.to_dict(), indent=1, allow_nan=False))
    report = run_report(settings, folder, summary, table, manifest, collector)
    write_whole(folder.report, render_report(report))
    folder.publish()
    return summary


def run_report(
    settings: RunSettings,
    folder: RunFolder,
    summary: Summary,
    table: PickTable,
    manifest: Mapping[str, ManifestRow],
    collector: ReportCollector,
) -> Report:
    """Return the contents of the report.

    Parameters
    ----------
    collector
        Counts, scores and sizes of the table's candidates.
    """
    store, masks = MicrographStore(folder.store), masks_of(settings.masks, folder.store)
    thumbnails: list[Thumbnail] = []
    for name in (name for name in collector.shown if name in collector.picks):
        with suppress(DamagedError):  # without its image a micrograph has no picture
            picks = collector.picks[name]
            tints = tints_of(picks.micrograph, store.place, masks.get(name))
            thumbnails.append(make_thumbnail(store.read(manifest[name]), picks, tints=tints))
    return Report(
        title=", ".join(sorted({m.dataset for m in table.micrographs})),
        version=summary.version,
        generated=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        counts=collector.counts,
        scores=collector.scores,
        sizes_A=collector.sizes_A,
        diameter_A=table.diameter_A,
        threshold=collector.threshold,
        threshold_reason=_reason(summary.thresholds),
        expected=summary.expected.text() if summary.expected else "",
        settings={**settings.model_dump(mode="json"), "digest": summary.digest},
        timings=summary.seconds,
        failures=summary.failures,
        left_out=summary.left_out,
        judged=worst_first(table.micrographs),
        warnings=[plain(warning.text) for warning in summary.warnings],
        thumbnails=thumbnails,
        diameter=summary.diameter,
        junk=plain(junk_text(summary.junk)) if summary.junk else "",
        unpicked=summary.unpicked,
        filaments=summary.filaments,
    )


def report_again(folder: RunFolder) -> None:
    """Rewrite the report of a finished run from its table and summary.

    Raises
    ------
    UsageError
        If the run is not finished.
    """
    settings, summary = folder.settings(), read_summary(folder)
    folder.fetch_table()
    table, manifest = PickTable(folder.table), read_manifest(MicrographStore(folder.store).place)
    collector = ReportCollector(table, {name: cut.value for name, cut in summary.thresholds.items()})
    for picks in table:
        collector(picks)
    write_whole(
        folder.report, render_report(run_report(settings, folder, summary, table, manifest, collector))
    )
    folder.publish_file(folder.report)


def _reason(thresholds: Mapping[str, Threshold]) -> str:
    if len({(cut.value, cut.method) for cut in thresholds.values()}) <= 1:
        return next((cut.method for cut in thresholds.values()), "no candidates")
    each = "; ".join(f"{name} {cut.value:.3g}: {cut.method}" for name, cut in thresholds.items())
    return f"scores are counted from each data set's own threshold ({each})"
