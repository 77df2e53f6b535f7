"""What a run leaves for people: coordinates, a report and a summary, made from the table."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from cryopick_ray import __version__
from cryopick_ray.errors import DamagedError, UsageError, brief, plain
from cryopick_ray.formats.format import ExportSettings
from cryopick_ray.formats.mask_names import masks_of
from cryopick_ray.formats.relion.particle_optics import guessed_optics
from cryopick_ray.passes.named_files import left_over
from cryopick_ray.picks.digest import CALIBRATED
from cryopick_ray.picks.estimated_diameter import EstimatedDiameter
from cryopick_ray.picks.expected import Expected
from cryopick_ray.picks.judged_micrographs import worst_first
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.picks.table import PickTable
from cryopick_ray.picks.thresholds import Threshold
from cryopick_ray.plain_data import read_json
from cryopick_ray.report.report import Report, render_report
from cryopick_ray.report.thumbnails import Thumbnail, make_thumbnail
from cryopick_ray.runs.junk_summary import junk_told, of_masks, tints_of
from cryopick_ray.runs.relion_files import write_coordinates
from cryopick_ray.runs.report_drawing import Drawn
from cryopick_ray.runs.run_folder import SMALL_BYTES, RunFolder
from cryopick_ray.runs.tally import Counting
from cryopick_ray.runs.taught import Taught
from cryopick_ray.runs.warnings import RunWarning, in_results
from cryopick_ray.settings.run_settings import RunSettings
from cryopick_ray.stages.find_diameter import kept_diameter
from cryopick_ray.store.manifest import ManifestRow, read_manifest
from cryopick_ray.store.publish import write_whole
from cryopick_ray.store.store import MicrographStore

WARNINGS_SHOWN = 8


@dataclass(frozen=True)
class Summary:
    """A run in numbers.

    Attributes
    ----------
    complete, failures, left_out
        Micrographs picked; ids and reasons of those that failed, and of those that show what others do.
    candidates, picked
        Candidates kept, and those of them above the threshold.
    thresholds
        The score that cuts each data set, and how it was found.
    seconds
        Wall-clock seconds by stage.
    diameter
        How the diameter was found; ``None`` if it was given.
    verdicts
        How many micrographs are of each verdict, the worst first.
    judged
        Id, verdict and reasons, one a line, of those that are not good, the worst first.
    warnings
        What was guessed, doubted or decided on the way.
    expected
        What the scores say of the picks; ``None`` if they are not calibrated.
    junk
        Candidates at or above the threshold that are not picked as they lie on junk, by its kind.
    unpicked
        Candidates at or above the threshold that are not picked, by why; those with several reasons count
        for each.
    taught
        What came of the self-training that made the model; ``None`` of any other run.
    """

    version: str
    folder: str
    digest: str
    complete: int
    failures: tuple[tuple[str, str], ...]
    candidates: int
    picked: int
    thresholds: Mapping[str, Threshold]
    seconds: Mapping[str, float]
    diameter: EstimatedDiameter | None = None
    verdicts: Mapping[str, int] = field(default_factory=dict)
    judged: tuple[tuple[str, str, str], ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    warnings: tuple[RunWarning, ...] = ()
    expected: Expected | None = None
    junk: Mapping[str, int] = field(default_factory=dict)
    unpicked: Mapping[str, int] = field(default_factory=dict)
    taught: Taught | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON."""
        failures, left_out = (
            [{"micrograph_id": name, "reason": reason} for name, reason in lines]
            for lines in (self.failures, self.left_out)
        )
        judged = [
            {"micrograph_id": name, "verdict": verdict, "reasons": reasons.splitlines()}
            for name, verdict, reasons in self.judged
        ]
        lists = {"failures": failures, "left_out": left_out, "judged": judged}
        return {**asdict(self), "failed": len(failures), **lists}

    def text(self) -> str:
        """Return a few lines for a terminal."""
        cuts = [f"{cut.value:.3g} ({cut.method})" for cut in self.thresholds.values()]
        found = [f"diameter    {self.diameter.text()} (`diameter_A` overrides)"] if self.diameter else []
        lines = [
            f"{self.picked} particles in {self.complete} micrographs, {len(self.failures)} failed"
            + (f", {len(self.left_out)} left out" if self.left_out else ""),
            *found,
            f"verdicts    {', '.join(f'{count} {kind}' for kind, count in self.verdicts.items()) or 'none'}",
            f"threshold   {'; '.join(cuts) or 'none'}",
            *([f"expected    {self.expected.text()}"] if self.expected else []),
            *([f"junk        {junk_told(self.junk)}"] if self.junk else []),
            *([f"self-train  {self.taught.text()}"] if self.taught else []),
            f"coordinates {self.folder}/coordinates/autopick.star and particles.star",
            f"table       {self.folder}/table",
            f"report      {self.folder}/report.html",
        ]
        return "\n".join([*lines, *self._warnings()])

    def _warnings(self) -> list[str]:
        """Return those that were not said while the run went on."""
        found = [warning.text for warning in self.warnings if warning.about != "run"]
        more = len(found) - WARNINGS_SHOWN
        cut = [f"warning     and {more} more in the report"] if more > 0 else []
        return [f"warning     {text}" for text in found[:WARNINGS_SHOWN]] + cut


def write_results(
    settings: RunSettings,
    folder: RunFolder,
    digest: str,
    thresholds: Mapping[str, Threshold],
    seconds: Mapping[str, float],
    said: Sequence[str] = (),
    taught: Taught | None = None,
) -> Summary:
    """Write coordinates, report and summary of a run whose table is there; return the summary.

    Parameters
    ----------
    said
        Warnings that a person was told while it went on.
    taught
        What came of a self-training.
    """
    told_of_it = [taught.text()] if taught and taught.is_refused else []
    said = list(dict.fromkeys([*said, *told_of_it]))
    table = PickTable(folder.table)
    told: list[str] = []
    given = ExportSettings(folder.relion_project(settings), settings.optics.completed, say=told.append)
    ordered = worst_first(table.micrographs)
    drawn = Drawn(table, {name: cut.value for name, cut in thresholds.items()})
    counting = Counting(thresholds)
    write_coordinates(table, folder.coordinates, given, (counting, drawn))
    if guess := guessed_optics(table.micrographs, settings.optics):
        told.append(guess)
    counted = counting.tally
    calibrated = PickShards(folder.picks, digest).settings().get(CALIBRATED, False)
    inverted = [
        micrograph.micrograph_id
        for micrograph in table.micrographs
        if micrograph.inverted and settings.invert == "auto"
    ]
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
        verdicts=dict(Counter(one.verdict for one in ordered)),
        judged=tuple((m.micrograph_id, m.verdict, m.reasons) for m in ordered if m.verdict != "good"),
        warnings=(
            *(RunWarning("run", text) for text in said),
            *in_results(manifest, diameter, counted.counts, inverted, thresholds, table.micrographs),
            *(RunWarning("micrographs", text) for text in of_masks(settings.masks, table.micrographs)),
            *(RunWarning("picks", text) for text in left_over(settings.selection, table)),
            *(RunWarning("files", text) for text in told),
        ),
        expected=counted.expected if calibrated else None,
        junk=counted.junk,
        unpicked=counted.unpicked,
        taught=taught,
    )
    write_whole(folder.summary, json.dumps(summary.to_dict(), indent=1, allow_nan=False))
    report = run_report(settings, folder, summary, table, manifest, drawn)
    write_whole(folder.report, render_report(report))
    folder.publish()
    return summary


def read_summary(folder: RunFolder) -> Summary:
    """Return the summary of a finished run."""
    try:
        data = read_json(folder.summary, SMALL_BYTES)
        failures, left_out = (
            tuple((line["micrograph_id"], line["reason"]) for line in data.pop(name, ()))
            for name in ("failures", "left_out")
        )
        judged = tuple(
            (line["micrograph_id"], line["verdict"], "\n".join(line["reasons"]))
            for line in data.pop("judged", ())
        )
        thresholds = {name: Threshold(**cut) for name, cut in data.pop("thresholds").items()}
        warnings = tuple(RunWarning(**one) for one in data.pop("warnings", ()))
        found = data.pop("diameter", None)
        diameter = EstimatedDiameter.from_dict(found) if found else None
        scored = data.pop("expected", None)
        expected = Expected(**scored) if scored else None
        learned = data.pop("taught", None)
        taught = Taught(**learned | {"rounds": tuple(learned["rounds"])}) if learned else None
        del data["failed"]
        made = Summary(failures=failures, left_out=left_out, thresholds=thresholds, diameter=diameter, **data)
        return replace(made, warnings=warnings, expected=expected, judged=judged, taught=taught)
    except FileNotFoundError as error:
        raise UsageError(f"{folder.where} holds no finished run; go on with it by `resume`") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise UsageError(
            f"{folder.where}/{folder.summary.name} is damaged ({brief(error)}); make it again by `resume`"
        ) from error


def run_report(
    settings: RunSettings,
    folder: RunFolder,
    summary: Summary,
    table: PickTable,
    manifest: Mapping[str, ManifestRow],
    drawn: Drawn,
) -> Report:
    """Gather what the report shows.

    Parameters
    ----------
    drawn
        What was taken down of the table's candidates.
    """
    store, masks = MicrographStore(folder.store), masks_of(settings.masks, folder.store)
    thumbnails: list[Thumbnail] = []
    for name in (name for name in drawn.shown if name in drawn.picks):
        with suppress(DamagedError):  # a lost image costs its picture, not the report
            picks = drawn.picks[name]
            tints = tints_of(picks.micrograph, store.place, masks.get(name))
            thumbnails.append(make_thumbnail(store.read(manifest[name]), picks, tints=tints))
    return Report(
        title=", ".join(sorted({m.dataset for m in table.micrographs})),
        version=summary.version,
        generated=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        counts=drawn.counts,
        scores=drawn.scores,
        sizes_A=drawn.sizes_A,
        diameter_A=table.diameter_A,
        threshold=drawn.threshold,
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
        junk=plain(junk_told(summary.junk)) if summary.junk else "",
        unpicked=summary.unpicked,
    )


def report_again(folder: RunFolder) -> None:
    """Write the report of a finished run anew, from its table and its summary.

    Raises
    ------
    UsageError
        If the run is not finished.
    """
    settings, summary = folder.settings(), read_summary(folder)
    folder.fetch_table()
    table, manifest = PickTable(folder.table), read_manifest(MicrographStore(folder.store).place)
    drawn = Drawn(table, {name: cut.value for name, cut in summary.thresholds.items()})
    for one in table:
        drawn(one)
    write_whole(folder.report, render_report(run_report(settings, folder, summary, table, manifest, drawn)))
    folder.publish_file(folder.report)


def _reason(thresholds: Mapping[str, Threshold]) -> str:
    if len({(cut.value, cut.method) for cut in thresholds.values()}) <= 1:
        return next((cut.method for cut in thresholds.values()), "no candidates")
    each = "; ".join(f"{name} {cut.value:.3g}: {cut.method}" for name, cut in thresholds.items())
    return f"scores are counted from each data set's own threshold ({each})"
