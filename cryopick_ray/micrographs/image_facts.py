"""What an image looks like: facts by which overviews of a grid and pictures of no specimen are told."""

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import StoreError, brief
from cryopick_ray.micrographs.discs import Floats, find_discs

SIDE_PX, LINES = 96, 3
"""Longer side of the small picture, and rows of the image that go into one of it: the rest is not read."""
TURNED_ROWS, TURNED_COLUMNS = 16, 1024
"""Rows that are held against those half a turn away, and columns of them in the middle of the image."""
LARGEST_STEP = 4.0
"""Medians of the steps between neighbouring pixels: an aperture's edge has larger ones."""
ALIKE = 1.2
"""Holes of one film differ by less in size."""
PARTED = 0.9
"""Part of the variance that lies between black and bright in the picture of a grid square."""
STARK = 10.0
"""Black and bright are so many times the noise apart."""
SMALLEST = 0.01
"""Part of the picture that a window of a grid covers at least."""
ROUND = 1.15
"""How much further a corner of a window reaches than a disc of its area; of a square it is 1.25."""


@dataclass(frozen=True)
class ImageFacts:
    """Facts of one image.

    Attributes
    ----------
    half_turn
        Correlation of its finest details with those half a turn away: 1 of a power spectrum.
    noise
        Median step between neighbouring pixels, as a part of the standard deviation.
    holes, hole_part
        Bright discs of one size with sharp edges, and their diameter as a part of the longer side.
    windows
        Bright regions with corners that black surrounds: squares of a grid.
    """

    half_turn: float = 0.0
    noise: float = 1.0
    holes: int = 0
    hole_part: float = 0.0
    windows: int = 0

    def to_text(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> "ImageFacts | None":
        """Return what :meth:`to_text` wrote; ``None`` of nothing, as stores of earlier versions have it.

        Raises
        ------
        StoreError
            If the text is something else.
        """
        if not text:
            return None
        try:
            data = json.loads(text)
            made = cls(**{name: _KINDS[name](value) for name, value in data.items()})
            if not all(math.isfinite(getattr(made, name)) for name in _KINDS):
                raise ValueError("values that are no numbers")
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            raise StoreError(
                f"the manifest says of an image's looks: {brief(text)}; expected numbers; ingest again"
            ) from error
        return made


_KINDS: dict[str, type[Any]] = {name: type(value) for name, value in asdict(ImageFacts()).items()}


def look_at(image: NDArray[Any]) -> ImageFacts:
    """Return the facts of an ``(h, w)`` image; of a large one a few rows in a hundred are read."""
    if min(image.shape) < SIDE_PX:
        return ImageFacts()
    rows = image[:: max(1, len(image) // SIDE_PX)]
    steps = np.abs(np.diff(rows[:: max(1, len(rows) // TURNED_ROWS)], axis=1))
    sigma = float(rows.std())
    small = small_picture(image)
    discs = [disc.radius_px for disc in find_discs(small)]
    alike = max(([r for r in discs if disc <= r <= ALIKE * disc] for disc in discs), key=len, default=[])
    return ImageFacts(
        half_turn=round(half_turn(image), 4),
        noise=round(float(np.median(steps)) / sigma, 5) if sigma > 0 else 0.0,
        holes=len(alike),
        hole_part=round(2 * float(np.mean(alike)) / max(small.shape), 4) if alike else 0.0,
        windows=_windows(small, float(np.median(steps))),
    )


def small_picture(image: NDArray[Any]) -> Floats:
    """Return an image of about 96 pixels a side: means over boxes, of a few rows of each box."""
    box = max(1, round(max(image.shape) / SIDE_PX))
    height, width = image.shape[0] // box, image.shape[1] // box
    boxes = image[: height * box, : width * box].reshape(height, box, width, box)
    return np.asarray(boxes[:, :: -(-box // LINES)].mean((1, 3), dtype=np.float32))


def half_turn(image: NDArray[Any]) -> float:
    """Return how alike the steps between neighbouring pixels are to those half a turn away.

    A power spectrum turns about a pixel: where a side is even, its first line has no partner. Columns near
    the edges of a wide image are left alone.
    """
    aside = max(0, (image.shape[1] - TURNED_COLUMNS) // 2)
    image = image[:, aside : image.shape[1] - aside]
    return max(_turned(image[top:, left:]) for top in (0, 1) for left in (0, 1))


def _turned(image: NDArray[Any]) -> float:
    rows = np.arange(0, len(image) // 2, max(1, len(image) // (2 * TURNED_ROWS)))
    here, there = (_steps(lines) for lines in (image[rows], image[len(image) - 1 - rows, ::-1]))
    power = float((here**2).sum()) * float((there**2).sum())
    return float((here * there).sum()) / math.sqrt(power) if power > 0 else 0.0


def _steps(lines: NDArray[Any]) -> Floats:
    """Return the steps between neighbours, those at edges no larger than noise has them."""
    steps = np.diff(lines.astype(np.float32), axis=1)
    most = LARGEST_STEP * float(np.median(np.abs(steps)))
    return np.clip(steps, -most, most)


def _windows(small: Floats, noise: float) -> int:
    """Return how many bright regions with corners lie in black, where the picture is black and bright."""
    from scipy.ndimage import find_objects, label

    cut, parted = _parted(small)
    bright = small > cut
    if parted < PARTED or small[bright].mean() - small[~bright].mean() < STARK * noise:
        return 0
    regions, _ = label(bright)
    found = 0
    for number, (rows, columns) in enumerate(find_objects(regions), 1):
        is_inside = rows.start > 0 and columns.start > 0
        is_inside &= rows.stop < small.shape[0] and columns.stop < small.shape[1]
        places = np.argwhere(regions == number)
        if not is_inside or len(places) < SMALLEST * small.size:
            continue
        furthest = float(np.linalg.norm(places - places.mean(axis=0), axis=1).max())
        found += furthest > ROUND * math.sqrt(len(places) / math.pi)
    return found


def _parted(small: Floats) -> tuple[float, float]:
    """Return the value that parts a picture best (Otsu), and the part of the variance between its sides."""
    count, edges = np.histogram(small, 128)
    middle = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(count)[:-1] / small.size
    sums = np.cumsum(count * middle) / small.size
    both = below * (1 - below)
    gain = np.zeros(len(below))
    np.divide((sums[-1] * below - sums[:-1]) ** 2, both, out=gain, where=both > 0)
    variance = float(small.var())
    best = int(gain.argmax())
    return float(edges[best + 1]), float(gain[best]) / variance if variance > 0 else 0.0
