"""The summary of a run: counts, thresholds, failures, warnings, as ``summary.json`` holds them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from cryopick_ray.errors import UsageError, brief
from cryopick_ray.picks.estimated_diameter import EstimatedDiameter
from cryopick_ray.picks.expected import ExpectedParticles
from cryopick_ray.picks.thresholds import Threshold
from cryopick_ray.plain_data import read_json
from cryopick_ray.runs.results.junk_summary import junk_text
from cryopick_ray.runs.results.run_warnings import RunWarning
from cryopick_ray.runs.run_folder import SMALL_BYTES, RunFolder
from cryopick_ray.runs.self_training.self_training_result import SelfTrainingResult

WARNINGS_SHOWN = 8


@dataclass(frozen=True)
class Summary:
    """The numbers of a finished run, as ``summary.json`` holds them.

    Attributes
    ----------
    complete, failures, left_out
        Number of micrographs picked; ids and reasons of failed ones, and of repeated exposures left out.
    candidates, picked
        Number of candidates, and of those picked.
    thresholds
        Score threshold of each data set, and how it was found.
    seconds
        Wall-clock seconds by stage.
    diameter
        Estimated diameter; ``None`` if it was given.
    verdicts
        Number of micrographs by verdict, the worst first.
    judged
        Id, verdict and reasons (one a line) of micrographs that are not good, the worst first.
    warnings
        Guesses, doubts and decisions of the run.
    expected
        Precision and recall expected from the scores; ``None`` if these are not calibrated.
    junk
        Candidates at or above the threshold that lie on junk, by its kind.
    unpicked
        Candidates at or above the threshold that are not picked, by reason; those with several reasons count
        for each.
    taught
        Result of the self-training that made the model; ``None`` for other runs.
    filaments
        How many filaments the picks are segments of; ``None`` where particles are picked.
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
    expected: ExpectedParticles | None = None
    junk: Mapping[str, int] = field(default_factory=dict)
    unpicked: Mapping[str, int] = field(default_factory=dict)
    taught: SelfTrainingResult | None = None
    filaments: int | None = None

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
        """Return the summary as a few lines of text."""
        cuts = [f"{cut.value:.3g} ({cut.method})" for cut in self.thresholds.values()]
        diameter_lines = (
            [f"diameter    {self.diameter.text()} (`diameter_A` overrides)"] if self.diameter else []
        )
        lines = [
            f"{self.picked} {self._things()} in {self.complete} micrographs, {len(self.failures)} failed"
            + (f", {len(self.left_out)} left out" if self.left_out else ""),
            *diameter_lines,
            f"verdicts    {', '.join(f'{count} {kind}' for kind, count in self.verdicts.items()) or 'none'}",
            f"threshold   {'; '.join(cuts) or 'none'}",
            *([f"expected    {self.expected.text()}"] if self.expected else []),
            *([f"junk        {junk_text(self.junk)}"] if self.junk else []),
            *([f"self-train  {self.taught.text()}"] if self.taught else []),
            f"coordinates {self.folder}/coordinates/autopick.star and particles.star",
            f"table       {self.folder}/table",
            f"report      {self.folder}/report.html",
        ]
        return "\n".join([*lines, *self._warnings()])

    def _things(self) -> str:
        return "particles" if self.filaments is None else f"segments of {self.filaments} filaments"

    def _warnings(self) -> list[str]:
        """Return the warnings that were not shown during the run."""
        texts = [warning.text for warning in self.warnings if warning.about != "run"]
        more = len(texts) - WARNINGS_SHOWN
        cut = [f"warning     and {more} more in the report"] if more > 0 else []
        return [f"warning     {text}" for text in texts[:WARNINGS_SHOWN]] + cut


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
        warnings = tuple(RunWarning(**warning) for warning in data.pop("warnings", ()))
        estimate = data.pop("diameter", None)
        diameter = EstimatedDiameter.from_dict(estimate) if estimate else None
        scored = data.pop("expected", None)
        expected = ExpectedParticles(**scored) if scored else None
        training = data.pop("taught", None)
        taught = SelfTrainingResult(**training | {"rounds": tuple(training["rounds"])}) if training else None
        del data["failed"]
        summary = Summary(
            failures=failures, left_out=left_out, thresholds=thresholds, diameter=diameter, **data
        )
        return replace(summary, warnings=warnings, expected=expected, judged=judged, taught=taught)
    except FileNotFoundError as error:
        raise UsageError(f"{folder.where} holds no finished run; go on with it by `resume`") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise UsageError(
            f"{folder.where}/{folder.summary.name} is damaged ({brief(error)}); make it again by `resume`"
        ) from error
