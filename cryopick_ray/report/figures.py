"""The reports' charts as inline SVG; colours come from the page's style sheet."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import ArrayLike, NDArray

WIDTH, HEIGHT = 640.0, 240.0
LEFT, RIGHT, TOP, BOTTOM = 56.0, 628.0, 14.0, 204.0
LINE_HEIGHT = 360.0
"""Of charts with lines, which need more room than bars."""
LOG_SPAN = 10.0
"""Values that span more are drawn on a logarithmic axis."""
SCORE_BINS = 60
MAX_COLUMNS = 120
"""More micrographs than this share columns."""


def nice_ticks(low: float, high: float, n: int) -> list[float]:
    """Return about ``n`` round numbers from ``low`` to ``high``."""
    if not high > low:
        return [low]
    rough = (high - low) / n
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)
    return [number * step for number in range(math.ceil(low / step), math.floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return powers of ten from ``low`` to ``high``, 2 and 5 times them too where they are few."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1, 2, 5) if last - first <= 3 else (1,)
    powers = range(first, last + 1, max(1, (last - first) // 6))
    return [tick for power in powers for factor in factors if low <= (tick := factor * 10.0**power) <= high]


def short(number: float) -> str:
    """Return a count as few letters: ``950``, ``1.5k``, ``20M``."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:g}{letter}"
    return f"{number:g}"


def score_histogram(scores: NDArray[np.floating], threshold: float) -> Markup:
    """Draw how many candidates have which score, and the threshold.

    Parameters
    ----------
    scores
        ``(n,)`` scores of all candidates; the outermost thousandths are left out.
    threshold
        The run's threshold; a bin starts there, so that every bar is picked or not.
    """
    finite = scores[np.isfinite(scores)]
    if not len(finite):
        return Markup("")
    low, high = (float(value) for value in np.percentile(finite, (0.1, 99.9)))
    width = max(high - low, 1e-6 * max(abs(low), 1.0)) / SCORE_BINS
    start = threshold if low <= threshold <= high else low
    first, last = math.floor((low - start) / width), math.ceil((high - start) / width)
    edges = start + width * np.arange(first, max(last, first + 1) + 1)
    counts, _ = np.histogram(finite, edges)
    top = max(int(counts.max()), 1)
    x_low, x_high = float(edges[0]), float(edges[-1])

    def x_at(value: float) -> float:
        return LEFT + (value - x_low) / (x_high - x_low) * (RIGHT - LEFT)

    bars = (
        bar(
            x_at(left),
            x_at(right),
            0,
            count / top,
            "bar muted" if left < threshold - width / 2 else "bar",
            f"{left:.3g} to {right:.3g}: {count:,} candidates",
        )
        for left, right, count in zip(edges, edges[1:], counts.tolist(), strict=False)
    )
    x_ticks = [(x_at(tick), f"{tick:g}") for tick in nice_ticks(x_low, x_high, 6)]
    marks = ""
    if x_low <= threshold <= x_high:
        at = x_at(threshold)
        marks = upright_at("mark", at, BOTTOM)
    # The page's slider moves this line; it needs the axis.
    marks += (
        f'<line class="live" data-low="{x_low!r}" data-high="{x_high!r}" data-left="{LEFT}"'
        f' data-right="{RIGHT}" y1="{TOP}" y2="{BOTTOM}" visibility="hidden"/>'
    )
    return framed("Candidates by score", "score", "candidates", [*bars, marks], x_ticks, count_ticks(top))


def pick_counts(counts: NDArray[np.integer]) -> Markup:
    """Draw picks per micrograph in table order; many micrographs share a column.

    Parameters
    ----------
    counts
        ``(m,)`` picks of each micrograph. Above 120, a column spans from the least to the most of its
        micrographs and marks their median.
    """
    if not len(counts):
        return Markup("")
    columns = np.array_split(counts, min(len(counts), MAX_COLUMNS))
    top = max(int(counts.max()), 1)
    step = (RIGHT - LEFT) / len(columns)
    bars, position = [], 1
    for number, column in enumerate(columns):
        left = LEFT + number * step
        last = position + len(column) - 1
        if len(column) == 1:
            title = f"micrograph {position:,}: {int(column[0]):,} picks"
            bars.append(bar(left, left + step, 0, int(column[0]) / top, "bar", title))
        else:
            least, middle, most = int(column.min()), float(np.median(column)), int(column.max())
            title = f"micrographs {position:,} to {last:,}: {least:,} to {most:,} picks, median {middle:,.0f}"
            bars.append(bar(left, left + step, least / top, most / top, "bar range", title))
            bars.append(bar(left, left + step, middle / top, middle / top, "bar", title))
        position = last + 1
    ticks = [tick for tick in nice_ticks(1, len(counts), 6) if tick >= 1 and tick == int(tick)]
    if 1 not in ticks:
        ticks.insert(0, 1)
    x_ticks = [(LEFT + (tick - 0.5) / len(counts) * (RIGHT - LEFT), short(tick)) for tick in ticks]
    return framed(
        "Picks per micrograph", "micrograph, in table order", "picks", bars, x_ticks, count_ticks(top)
    )


@dataclass(frozen=True)
class Axis:
    """One axis of a line chart.

    Attributes
    ----------
    label
        What it shows, in fixed words.
    low, high
        Values at its ends.
    ticks
        Values written beside it.
    is_log
        Whether equal steps are equal factors.
    """

    label: str
    low: float
    high: float
    ticks: Sequence[float]
    is_log: bool = False

    def part(self, values: ArrayLike) -> NDArray[np.float64]:
        """Return where values lie on the axis: 0 at its low end, 1 at its high end."""
        moved, low, high = np.asarray(values, np.float64), self.low, self.high
        if self.is_log:
            with np.errstate(divide="ignore", invalid="ignore"):
                moved, low, high = np.log(moved), math.log(low), math.log(high)
        return np.asarray((moved - low) / (high - low))


def fitted_axis(label: str, values: NDArray[np.floating]) -> Axis:
    """Return an axis with room for all finite values, logarithmic where they span more than 10 x."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    if low > 0 and high > LOG_SPAN * low:
        room = (high / low) ** 0.05
        low, high = low / room, high * room
        return Axis(label, low, high, log_ticks(low, high), is_log=True)
    room = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    return Axis(label, low - room, high + room, nice_ticks(low - room, high + room, 6))


@dataclass(frozen=True)
class LineChart:
    """A chart of lines and dots: its methods make the parts, :meth:`draw` puts them on the axes.

    CSS classes and tooltips go in unescaped: fixed words and numbers only.
    """

    label: str
    x: Axis
    y: Axis

    _BOTTOM = LINE_HEIGHT - (HEIGHT - BOTTOM)

    def line(self, css: str, x: ArrayLike, y: ArrayLike) -> str:
        """Return a line through the finite of ``(n,)`` points; a dot, if it is but one."""
        points = np.column_stack(self._at(x, y))
        points = points[np.isfinite(points).all(axis=1)]
        # Of the points within half a pixel the last stands for all: a curve may have a million.
        points = points[np.flatnonzero(np.diff(np.round(2 * points[:, 0]), append=np.inf))]
        if len(points) == 1:
            return f'<circle class="dot {css}" cx="{points[0, 0]:.1f}" cy="{points[0, 1]:.1f}" r="3.5"/>'
        path = " ".join(f"{left:.1f},{top:.1f}" for left, top in points.tolist())
        return f'<polyline class="line {css}" points="{path}"/>' if path else ""

    def dot(self, css: str, x: float, y: float, title: str) -> str:
        """Return a point with a tooltip; nothing if it is not finite."""
        left, top = (float(value) for value in self._at(x, y))
        if not (math.isfinite(left) and math.isfinite(top)):
            return ""
        return (
            f'<circle class="dot {css}" cx="{left:.1f}" cy="{top:.1f}" r="5"><title>{title}</title></circle>'
        )

    def upright(self, css: str, x: float) -> str:
        """Return a line from top to bottom."""
        return upright_at(css, float(self._at(x, self.y.low)[0]), self._BOTTOM)

    def column(self, x_low: float, x_high: float, title: str) -> str:
        """Return a tooltip for all of the chart between two values of x."""
        left, right = (float(self._at(x, self.y.low)[0]) for x in (x_low, x_high))
        return (
            f'<rect class="column" x="{left:.1f}" y="{TOP}" width="{right - left:.1f}"'
            f' height="{self._BOTTOM - TOP}"><title>{title}</title></rect>'
        )

    def draw(self, parts: Iterable[str]) -> Markup:
        """Return the chart of the parts, the first lowest."""
        x_ticks = [(float(self._at(tick, self.y.low)[0]), f"{tick:g}") for tick in self.x.ticks]
        y_ticks = [(float(self._at(self.x.low, tick)[1]), f"{tick:g}") for tick in self.y.ticks]
        return framed(self.label, self.x.label, self.y.label, parts, x_ticks, y_ticks, LINE_HEIGHT)

    def _at(self, x: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        left = LEFT + self.x.part(x) * (RIGHT - LEFT)
        return left, self._BOTTOM - self.y.part(y) * (self._BOTTOM - TOP)


def upright_at(css: str, at: float, bottom: float) -> str:
    """Return a line from top to bottom at a place of a figure."""
    return f'<line class="{css}" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{bottom}"/>'


def count_ticks(top: int) -> list[tuple[float, str]]:
    """Return the ticks of an axis of counts from 0 to ``top``."""
    whole = [tick for tick in nice_ticks(0, top, 4) if tick == int(tick)]
    return [(BOTTOM - tick / top * (BOTTOM - TOP), short(tick)) for tick in whole]


def bar(left: float, right: float, low: float, high: float, css: str, title: str) -> str:
    """Return a bar; ``low`` and ``high`` are fractions of the axis. Thin gaps part wide bars."""
    gap = 1.0 if right - left > 5 else 0.3
    y = BOTTOM - high * (BOTTOM - TOP)
    tall = max((high - low) * (BOTTOM - TOP), 2.0 if high > 0 else 0.0)
    return (
        f'<rect class="{css}" x="{left + gap / 2:.2f}" y="{min(y, BOTTOM - tall):.2f}"'
        f' width="{right - left - gap:.2f}" height="{tall:.2f}"><title>{title}</title></rect>'
    )


def framed(
    label: str,
    x_label: str,
    y_label: str,
    drawn: Iterable[str],
    x_ticks: list[tuple[float, str]],
    y_ticks: list[tuple[float, str]],
    height: float = HEIGHT,
) -> Markup:
    """Return a figure; ticks are places in it and what stands there."""
    bottom = height - (HEIGHT - BOTTOM)
    parts = [f'<svg class="chart" viewBox="0 0 {WIDTH:g} {height:g}" role="img" aria-label="{label}">']
    for y, text in y_ticks:
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="y" x="{LEFT - 8}" y="{y + 4:.1f}">{text}</text>')
    parts.extend(drawn)
    parts.extend(f'<text class="x" x="{x:.1f}" y="{bottom + 16}">{text}</text>' for x, text in x_ticks)
    parts.append(f'<text class="x name" x="{(LEFT + RIGHT) / 2}" y="{height - 4}">{x_label}</text>')
    middle = (TOP + bottom) / 2
    parts.append(
        f'<text class="x name" transform="translate(12 {middle}) rotate(-90)" x="0" y="0">{y_label}</text>'
    )
    # Only numbers and fixed words go in, so nothing needs escaping.
    return Markup("".join([*parts, "</svg>"]))
