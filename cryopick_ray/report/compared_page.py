"""Runs that were compared -> one HTML page with numbers, reasons and pictures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from cryopick_ray import __version__
from cryopick_ray.evaluation.comparison import Comparison, letter
from cryopick_ray.evaluation.nearest import Indices
from cryopick_ray.evaluation.paired import pair_picks
from cryopick_ray.evaluation.sums import Beside
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.report.report import page_maker
from cryopick_ray.report.thumbnails import make_thumbnail
from cryopick_ray.units import Shape

MOST_ROWS = 100
"""Micrographs listed; the file of numbers beside the page has them all."""


@dataclass(frozen=True)
class Picture:
    """A micrograph with what two runs picked in it.

    Attributes
    ----------
    micrograph_id
        Its name.
    jpeg
        The picture; ``None`` where no run kept it.
    view
        Left, top, width, height of the picture in source pixels, 0.0 = *edge* of the first pixel.
    radius
        Of a particle in source pixels.
    marks
        Centres (from the edge of the first pixel) by kind: what both have, as the first has it, what only
        the first and what only the second has.
    """

    micrograph_id: str
    jpeg: bytes | None
    view: tuple[float, float, float, float]
    radius: float
    marks: Mapping[str, Sequence[tuple[str, str]]]


def picture_of(
    beside: Beside, first: MicrographPicks, second: MicrographPicks, image: NDArray[np.floating] | None
) -> Picture:
    """Return the picture of a micrograph that two runs have picked.

    Parameters
    ----------
    image
        ``(h, w)``: the source micrograph or a Fourier-cropped one; ``None`` if there is none.
    """
    paired = pair_picks(first, second, beside.radius_px)
    marks = {
        "shared": _places(first, paired.shared[0]),
        "first": _places(first, paired.only[0]),
        "second": _places(second, paired.only[1]),
    }
    jpeg, view = None, _field(beside.shape, (first, second), beside.radius_px)
    if image is not None and first.micrograph.shape and first.micrograph.pixel_size_A:
        thumbnail = make_thumbnail(image, first, max_candidates=0)
        jpeg, view = thumbnail.jpeg, thumbnail.view
    return Picture(beside.name, jpeg, view, round(beside.radius_px, 1), marks)


def render_compared(found: Comparison, pictures: Sequence[Picture]) -> str:
    """Return the comparison as one HTML page without references to anything outside it.

    All text is escaped, so names of runs and micrographs can hold whatever they like.

    Parameters
    ----------
    pictures
        Of the pair that differs most.
    """
    return (
        page_maker("report")
        .get_template("compared.html")
        .render(
            version=__version__,
            generated=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            found=found,
            letter=letter,
            pictures=pictures,
            shares=list(_shares(found)) if len(found.runs) > 2 else [],
            drawn=found.pairs[found.widest],
            most=MOST_ROWS,
        )
    )


def _shares(found: Comparison) -> Iterator[list[float | None]]:
    """Yield, for each run, the part of its picks that each run has."""
    share = {}
    for pair in found.pairs:
        share[pair.first, pair.second], share[pair.second, pair.first] = pair.share
    for one in range(len(found.runs)):
        yield [share.get((one, other)) for other in range(len(found.runs))]


def _field(
    shape: Shape | None, runs: Sequence[MicrographPicks], radius_px: float
) -> tuple[float, float, float, float]:
    """Return the view of a micrograph that is not there: its shape, or as far as picks reach."""
    if shape is not None:
        return 0.0, 0.0, float(shape[1]), float(shape[0])
    width, height = (
        max(float(values.max(initial=0)) for values in axis) + 2 * radius_px
        for axis in ([run.x_px for run in runs], [run.y_px for run in runs])
    )
    return 0.0, 0.0, width, height


def _places(picks: MicrographPicks, chosen: Indices) -> list[tuple[str, str]]:
    places = zip(picks.x_px[chosen].tolist(), picks.y_px[chosen].tolist(), strict=True)
    return [(f"{x + 0.5:.1f}", f"{y + 0.5:.1f}") for x, y in places]
