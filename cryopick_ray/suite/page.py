"""Results of a suite -> one HTML page that compares the models on every data set."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from markupsafe import Markup

from cryopick_ray import __version__
from cryopick_ray.report.figures import Axis, LineChart
from cryopick_ray.report.lines import line_style
from cryopick_ray.report.report import page_maker
from cryopick_ray.suite.averaged_rows import Result, SuiteRow, table_rows
from cryopick_ray.suite.results_table import ABOUT, Column, used_columns
from cryopick_ray.suite.suite_settings import SuiteSettings

GAINS = {
    "F1": "f1",
    "best F1": "best_f1",
    "AUPRC": "auprc",
    "off centre": "centring_error",
    "false picks a micrograph": "false_mean",
}
"""Measures by their columns that say what a model has gained by teaching itself."""


@dataclass(frozen=True)
class TableLine:
    """A model on a data set.

    Attributes
    ----------
    row
        What was measured.
    style
        CSS classes of its curve; empty for one without.
    before
        Name of the model that it was before it taught itself more.
    gains
        What changed since, by column.
    """

    row: SuiteRow
    style: str
    before: str
    gains: Mapping[str, float]


@dataclass(frozen=True)
class Section:
    """A data set: its models, the best first.

    Attributes
    ----------
    title, anchor
        The data set's name, and what a link to it says.
    columns
        What is shown of each line.
    chart
        Precision over recall; empty where there are no particles, or of a mean.
    is_member
        Whether a mean over several data sets stands for it in the overview.
    """

    title: str
    anchor: str
    columns: Sequence[Column]
    lines: Sequence[TableLine]
    chart: Markup
    is_member: bool


def render_comparison(settings: SuiteSettings, results: Sequence[Result]) -> str:
    """Return the comparison as one HTML page without references to anything outside it.

    All text is escaped, so names of models and data sets can hold whatever they like.
    """
    models = [group.name for group in settings.models]
    parts = sections(settings, results)
    return (
        page_maker("suite", "report")
        .get_template("comparison.html")
        .render(
            version=__version__,
            generated=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            about=ABOUT,
            models=models,
            sections=parts,
            overview=[
                (part, [_cell(part, model) for model in models]) for part in parts if not part.is_member
            ],
        )
    )


def sections(settings: SuiteSettings, results: Sequence[Result]) -> list[Section]:
    """Return the data sets in the order of the results."""
    rows = table_rows(results)
    styles = {group.name: line_style(number) for number, group in enumerate(settings.models)}
    before = {group.name: group.after for group in settings.models if group.after is not None}
    members = {result.data for result in results if result.group}
    made = []
    for number, data in enumerate(dict.fromkeys(row.data for row in rows), 1):
        own = [row for row in rows if row.data == data]
        chart = _chart([result for result in results if result.data == data], styles)
        lines = sorted((_line(row, own, styles, before) for row in own), key=lambda one: _rank(one.row))
        made.append(Section(data, f"set-{number}", used_columns(own), lines, chart, data in members))
    return made


def _line(
    row: SuiteRow, others: Sequence[SuiteRow], styles: Mapping[str, str], before: Mapping[str, str]
) -> TableLine:
    first = before.get(row.model, "")
    gains = {}
    for known in (other.mean for other in others if other.model == first):
        for column, name in GAINS.items():
            was, now = known.get(name), row.mean.get(name)
            if was is not None and now is not None:
                gains[column] = now - was
    return TableLine(row, styles.get(row.model, ""), first if gains else "", gains)


def _rank(row: SuiteRow) -> tuple[bool, float]:
    """Return what sorts the lines of a data set: the best first, those that failed last.

    That is by best F1, where scores are none (a person's labels) by F1, without particles by fewest picks.
    """
    best, own, false = (row.mean.get(name) for name in ("best_f1", "f1", "false_mean"))
    value = -best if best is not None else -own if own is not None else false
    return value is None, value or 0.0


def _chart(results: Sequence[Result], styles: Mapping[str, str]) -> Markup:
    """Draw precision over recall of each model, of several seeds the first; dots are their own thresholds."""
    fifths = [part / 5 for part in range(6)]
    chart = LineChart(
        "Precision and recall", Axis("recall", 0, 1, fifths), Axis("precision", 0, 1.02, fifths)
    )
    lines: list[str] = []
    dots: list[str] = []
    first = {result.model: result for result in reversed(results) if result.curve}
    for model, style in styles.items():
        if (one := first.get(model)) is not None:
            recall, precision = np.array(one.curve).T
            lines.append(chart.line(style, recall, precision))
            dots += _dot(chart, style, one)
    return chart.draw(lines + dots) if lines else Markup("")


def _dot(chart: LineChart, style: str, result: Result) -> Iterator[str]:
    recall, precision = result.measures.get("recall"), result.measures.get("precision")
    if recall is not None and precision is not None:
        words = f"its own threshold: precision {precision:.3f}, recall {recall:.3f}"
        yield chart.dot(style, recall, precision, words)


def _cell(section: Section, model: str) -> tuple[str, str, bool]:
    """Return what the overview says of a model on a data set, its shade, and whether it is the best."""
    row = next((line.row for line in section.lines if line.row.model == model), None)
    if row is None:
        return "", "", False
    ours = [line.row.model for line in section.lines if line.style]
    is_best = len(ours) > 1 and model == ours[0]
    if (false := row.mean.get("false_mean")) is not None:
        return f"{false:.1f}", "", is_best
    own, best = row.mean.get("f1"), row.mean.get("best_f1")
    if best is None:
        return ("failed" if row.failure else ""), "", False
    return f"{own or 0:.3f} / {best:.3f}", f"{max(0.0, best - 0.5) * 120:.0f}%", is_best
