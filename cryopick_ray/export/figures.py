"""The report's charts as inline SVG; colours come from the page's style sheet."""

import math
from collections.abc import Iterable

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

WIDTH, HEIGHT = 640.0, 240.0
LEFT, RIGHT, TOP, BOTTOM = 56.0, 628.0, 14.0, 204.0
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
        _bar(
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
        marks = f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{BOTTOM}"/>'
    # The page's slider moves this line; it needs the axis.
    marks += (
        f'<line class="live" data-low="{x_low!r}" data-high="{x_high!r}" data-left="{LEFT}"'
        f' data-right="{RIGHT}" y1="{TOP}" y2="{BOTTOM}" visibility="hidden"/>'
    )
    return _chart("Candidates by score", "score", "candidates", bars, x_ticks, top, marks)


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
            bars.append(_bar(left, left + step, 0, int(column[0]) / top, "bar", title))
        else:
            least, middle, most = int(column.min()), float(np.median(column)), int(column.max())
            title = f"micrographs {position:,} to {last:,}: {least:,} to {most:,} picks, median {middle:,.0f}"
            bars.append(_bar(left, left + step, least / top, most / top, "bar range", title))
            bars.append(_bar(left, left + step, middle / top, middle / top, "bar", title))
        position = last + 1
    ticks = [tick for tick in nice_ticks(1, len(counts), 6) if tick >= 1 and tick == int(tick)]
    if 1 not in ticks:
        ticks.insert(0, 1)
    x_ticks = [(LEFT + (tick - 0.5) / len(counts) * (RIGHT - LEFT), short(tick)) for tick in ticks]
    return _chart("Picks per micrograph", "micrograph, in table order", "picks", bars, x_ticks, top, "")


def _bar(left: float, right: float, low: float, high: float, css: str, title: str) -> str:
    """Return a bar; ``low`` and ``high`` are fractions of the axis. Thin gaps part wide bars."""
    gap = 1.0 if right - left > 5 else 0.3
    y = BOTTOM - high * (BOTTOM - TOP)
    tall = max((high - low) * (BOTTOM - TOP), 2.0 if high > 0 else 0.0)
    return (
        f'<rect class="{css}" x="{left + gap / 2:.2f}" y="{min(y, BOTTOM - tall):.2f}"'
        f' width="{right - left - gap:.2f}" height="{tall:.2f}"><title>{title}</title></rect>'
    )


def _chart(
    label: str,
    x_label: str,
    y_label: str,
    bars: Iterable[str],
    x_ticks: list[tuple[float, str]],
    top: int,
    marks: str,
) -> Markup:
    parts = [f'<svg class="chart" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-label="{label}">']
    for tick in nice_ticks(0, top, 4):
        if tick == int(tick):
            y = BOTTOM - tick / top * (BOTTOM - TOP)
            parts.append(f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(f'<text class="y" x="{LEFT - 8}" y="{y + 4:.1f}">{short(tick)}</text>')
    parts.extend(bars)
    parts.extend(f'<text class="x" x="{x:.1f}" y="{BOTTOM + 16}">{text}</text>' for x, text in x_ticks)
    parts.append(f'<text class="x name" x="{(LEFT + RIGHT) / 2}" y="{HEIGHT - 4}">{x_label}</text>')
    middle = (TOP + BOTTOM) / 2
    parts.append(
        f'<text class="x name" transform="translate(12 {middle}) rotate(-90)" x="0" y="0">{y_label}</text>'
    )
    # Only numbers and fixed words go in, so nothing needs escaping.
    return Markup("".join([*parts, marks, "</svg>"]))
