"""What pickers' particles come to in three dimensions -> one HTML page."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from cryopick_ray import __version__
from cryopick_ray.particles.volume.picker_maps import EQUAL, MATCHED, OWN, PLACED, Structure
from cryopick_ray.report.class_page import picture
from cryopick_ray.report.figures import Axis, LineChart, nice_ticks
from cryopick_ray.report.lines import line_style
from cryopick_ray.report.reconstruction_page import middle_slices
from cryopick_ray.report.report import page_maker

EXPLAINED = {
    PLACED: "Particles have their true views and lie where the picker put them: what it is off the centre "
    "blurs the map. False picks have the view that fits the reference best.",
    MATCHED: "All picks have the view and the shift that fit the reference best, as a refinement finds them.",
}
WHICH = {OWN: "at each picker's own threshold", EQUAL: "equal numbers, the best of each by score"}


def render_structures(
    found: Sequence[Structure],
    names: Sequence[str],
    reference: str,
    volume: NDArray[np.float32],
    notes: Sequence[str],
) -> str:
    """Return the page as HTML without references to anything outside it; all text is escaped.

    Parameters
    ----------
    names
        What each run is called.
    reference, volume
        What the maps are compared with, and its ``(side, side, side)`` map.
    """
    styles = [line_style(number) for number in range(len(found))]
    hows = [how for how in (MATCHED, PLACED) if (OWN, how) in found[0].worth]
    return (
        page_maker("report")
        .get_template("structures.html")
        .render(
            version=__version__,
            generated=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            reference=reference,
            rows=list(zip(names, styles, found, strict=True)),
            best=_best(found, hows),
            hows=hows,
            which=WHICH,
            explained=EXPLAINED,
            charts={how: _charts(found, styles, how) for how in hows},
            pictures={
                name: middle_slices(one.worth[OWN, hows[0]].volume)
                for name, one in zip(names, found, strict=True)
            },
            planes=middle_slices(volume),
            averages={
                name: [picture(average) for average in one.averages]
                for name, one in zip(names, found, strict=True)
            },
            notes=notes,
        )
    )


def _best(found: Sequence[Structure], hows: Sequence[str]) -> Mapping[tuple[str, str], float]:
    """Return the finest resolution against the reference of each kind of map."""
    return {
        (which, how): min(one.worth[which, how].reference_A for one in found)
        for which in WHICH
        for how in hows
    }


def _charts(found: Sequence[Structure], styles: Sequence[str], how: str) -> list[tuple[str, Markup]]:
    """Return the curves of the half maps and those with the reference, at own thresholds."""
    worth = [one.worth[OWN, how] for one in found]
    kinds = {
        "half maps": [one.halves for one in worth],
        "map and reference": [one.to_reference for one in worth],
    }
    return [
        (title, _chart(title, [one.frequency_per_A for one in worth], curves, styles))
        for title, curves in kinds.items()
    ]


def _chart(
    title: str,
    frequencies: Sequence[NDArray[np.float64]],
    curves: Sequence[NDArray[np.float64]],
    styles: Sequence[str],
) -> Markup:
    last = max(float(frequency[-1]) for frequency in frequencies)
    chart = LineChart(
        f"Fourier shell correlation, {title}",
        Axis("spatial frequency, 1/A", 0, last, nice_ticks(0, last, 6)),
        Axis("correlation", -0.1, 1.02, [0, 0.143, 0.5, 1]),
    )
    lines = [
        chart.line(style, frequency[1:], np.clip(curve[1:], -0.1, 1))
        for style, frequency, curve in zip(styles, frequencies, curves, strict=True)
    ]
    return chart.draw(reversed(lines))
