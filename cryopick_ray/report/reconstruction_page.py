"""A map and how its halves agree -> one HTML page."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from cryopick_ray import __version__
from cryopick_ray.particles.volume.fsc import HalfMapAgreement
from cryopick_ray.report.figures import Axis, LineChart, nice_ticks
from cryopick_ray.report.lines import line_style
from cryopick_ray.report.report import flatten, page_maker

SLICE_PX = 256
"""Pictures are enlarged to this by whole numbers."""
DARKEST, BRIGHTEST = 0.5, 99.8
PLANES = ("across z", "across y", "across x")
THRESHOLDS = (0.143, 0.5)


def render_reconstruction(
    facts: Mapping[str, Any],
    halves: HalfMapAgreement,
    to_reference: NDArray[np.float64] | None,
    volume: NDArray[np.float32],
    reference: NDArray[np.float32] | None,
) -> str:
    """Return the page as HTML without references to anything outside it; all text is escaped.

    Parameters
    ----------
    facts
        Plain data of ``reconstruct.json``.
    halves
        How the half maps agree.
    to_reference
        Correlation of the map with the reference by shell.
    volume, reference
        ``(side, side, side)``.
    """
    curves = {
        "half maps in the mask, less what the mask makes": halves.corrected,
        "half maps in the mask": halves.masked,
        "half maps": halves.unmasked,
        "half maps in the mask, random phases": halves.randomised,
    }
    if to_reference is not None:
        curves["map and reference in the mask"] = to_reference
    styles = {name: line_style(number) for number, name in enumerate(curves)}
    pictures = {"map": middle_slices(volume)}
    if reference is not None:
        pictures["reference"] = middle_slices(reference)
    return (
        page_maker("report")
        .get_template("reconstruction.html")
        .render(
            version=__version__,
            facts=facts,
            shown=[row for row in flatten(facts) if row[0] not in ("notes", "out")],
            chart=_chart(halves.frequency_per_A, {styles[name]: curve for name, curve in curves.items()}),
            styles=styles,
            pictures=pictures,
            planes=PLANES,
        )
    )


def _chart(frequency: NDArray[np.float64], curves: Mapping[str, NDArray[np.float64]]) -> Markup:
    last = float(frequency[-1])
    low = min(0.0, *(float(np.nanmin(curve[1:], initial=0.0)) for curve in curves.values()))
    chart = LineChart(
        "Fourier shell correlation",
        Axis("spatial frequency, 1/A", 0, last, nice_ticks(0, last, 6)),
        Axis("correlation", max(low, -0.5), 1.02, [0, *THRESHOLDS, 1]),
    )
    lines = [chart.line(css, frequency[1:], np.clip(curve[1:], -0.5, 1)) for css, curve in curves.items()]
    return chart.draw(reversed(lines))


def middle_slices(volume: NDArray[np.float32]) -> list[bytes]:
    """Return PNGs of the three central planes, on one scale of greys."""
    middle = len(volume) // 2
    planes = [volume[middle], volume[:, middle], volume[:, :, middle]]
    low, high = np.percentile(np.stack(planes), (DARKEST, BRIGHTEST))
    times = max(1, SLICE_PX // len(volume))
    return [_png((plane - low) / max(float(high - low), 1e-30), times) for plane in planes]


def _png(values: NDArray[np.float32], times: int) -> bytes:
    grey = (255 * np.clip(values, 0, 1)).round().astype(np.uint8)
    file = BytesIO()
    Image.fromarray(grey.repeat(times, axis=0).repeat(times, axis=1)).save(file, "PNG")
    return file.getvalue()
