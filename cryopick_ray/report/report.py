"""The report of a run: a self-contained HTML file."""

import math
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray

from cryopick_ray.picks.estimated_diameter import EstimatedDiameter
from cryopick_ray.picks.schema import PickedMicrograph
from cryopick_ray.report.diameter_curve import diameter_curve
from cryopick_ray.report.figures import MAX_COLUMNS, pick_counts, score_histogram
from cryopick_ray.report.size_histogram import size_histogram
from cryopick_ray.report.thumbnails import Thumbnail
from cryopick_ray.report.tints import legend

MAX_FAILURES = 500
"""Longer lists are cut; the summary beside the report has them all."""


@dataclass(frozen=True)
class Report:
    """Contents of the report.

    Attributes
    ----------
    title, version, generated
        Heading, version of this package, and when the run ended, all as text.
    counts
        ``(m,)`` picks of each complete micrograph, in table order.
    scores
        ``(n,)`` scores of all candidates that no junk keeps out.
    threshold, threshold_reason
        The run's threshold and how it was chosen.
    expected
        How many picks are particles, by calibrated scores; empty if they are not.
    settings
        Nested plain settings.
    timings
        Seconds by stage, in order.
    failures, left_out
        ``(micrograph id, reason)`` of every failed micrograph, and of each that shows what another does.
    judged
        Micrographs with their verdicts, in the order in which a person should look at them.
    warnings
        What was guessed, doubted or decided.
    thumbnails
        Pictures, in the order shown.
    diameter
        How the diameter was found; ``None`` if it was given.
    junk
        How many candidates lie on junk of which kinds and are not picked; empty if none.
    unpicked
        Candidates at or above the threshold that are not picked, by why.
    sizes_A, diameter_A
        ``(n,)`` sizes of the picks as the picker sees them, NaN where it does not tell, and their diameter,
        in angstroms.
    filaments
        How many filaments the picks are segments of; ``None`` where they are particles.
    """

    title: str
    version: str
    generated: str
    counts: NDArray[np.integer]
    scores: NDArray[np.floating]
    threshold: float
    threshold_reason: str
    settings: Mapping[str, Any]
    timings: Mapping[str, float]
    failures: Sequence[tuple[str, str]]
    thumbnails: Sequence[Thumbnail]
    diameter: EstimatedDiameter | None = None
    left_out: Sequence[tuple[str, str]] = ()
    judged: Sequence[PickedMicrograph] = ()
    warnings: Sequence[str] = ()
    expected: str = ""
    junk: str = ""
    unpicked: Mapping[str, int] = field(default_factory=dict)
    sizes_A: NDArray[np.floating] = field(default_factory=lambda: np.empty(0))
    diameter_A: float = math.nan
    filaments: int | None = None

    @property
    def n_complete(self) -> int:
        """Number of micrographs that were picked."""
        return len(self.counts)

    @property
    def n_total(self) -> int:
        """Number of micrographs, failed ones included."""
        return len(self.counts) + len(self.failures)

    @property
    def n_picked(self) -> int:
        """Number of picks above the threshold."""
        return int(np.sum(self.counts))


def render_report(report: Report) -> str:
    """Return the report as one HTML page without references to anything outside it.

    All text is escaped, so names of files and reasons can hold whatever they like.
    """
    page = page_maker("report").get_template("report.html")
    counts = report.counts
    low, high = _slider_range(report)
    return page.render(
        diameter_curve=diameter_curve,
        legend=legend(tint for thumbnail in report.thumbnails for tint in thumbnail.tints),
        report=report,
        spread=(int(np.median(counts)), int(counts.min()), int(counts.max())) if len(counts) else None,
        histogram=score_histogram(report.scores, report.threshold),
        per_micrograph=pick_counts(counts),
        sizes=size_histogram(report.sizes_A, report.diameter_A),
        shared=len(counts) > MAX_COLUMNS,
        slider=(low, high, report.threshold) if low < high else None,
        settings=flatten(report.settings),
        kinds=Counter(micrograph.verdict for micrograph in report.judged),
        verdict_of={micrograph.micrograph_id: micrograph for micrograph in report.judged},
        outcomes=[
            ("failures", "Failed micrographs", report.failures),
            ("left-out", "Left out", report.left_out),
        ],
        most=MAX_FAILURES,
        total_s=sum(report.timings.values()),
    )


@cache
def page_maker(*packages: str) -> Environment:
    """Return what makes reports of the templates in these packages of ours, the first that has one.

    All text is escaped and what is undefined is an error.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(f"cryopick_ray.{name}", ".") for name in packages]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["base64"] = lambda data: b64encode(data).decode("ascii")
    environment.filters["duration"] = duration
    return environment


def flatten(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return nested settings as rows of dotted name and value."""
    rows: list[tuple[str, str]] = []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            rows += [(f"{name}.{inner}", text) for inner, text in flatten(value)]
        elif isinstance(value, list | tuple):
            rows.append((name, ", ".join(str(item) for item in value)))
        else:
            rows.append((name, "none" if value is None else str(value)))
    return rows


def duration(seconds: float) -> str:
    """Return a length of time as people say it: ``0.42 s``, ``12.3 s``, ``4 min 05 s``, ``2 h 03 min``."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def _slider_range(report: Report) -> tuple[float, float]:
    """Return the scores that the slider spans: those in the pictures and the threshold; (0, 0) if none."""
    ends = [
        float(end)
        for thumbnail in report.thumbnails
        if len(thumbnail.score)
        for end in (thumbnail.score[0], thumbnail.score[-1])
    ]
    if not ends or not math.isfinite(report.threshold):
        return 0.0, 0.0
    return min(*ends, report.threshold), max(*ends, report.threshold)
