"""Small pictures of micrographs with their candidates, for the report."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from cryopick_ray.errors import PicksError
from cryopick_ray.picks.columns import COLUMNS
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.report.tints import Tint
from cryopick_ray.store.pictures import CONTRAST_PERCENTILES
from cryopick_ray.units import Shape, diameter_px

LONG_SIDE_PX = 768
MAX_CANDIDATES = 2000
"""A dozen thumbnails then stay below 8 MB of HTML."""
JPEG_QUALITY = 80


@dataclass(frozen=True)
class Thumbnail:
    """A micrograph as a picture, and its best candidates.

    Attributes
    ----------
    micrograph_id
        Path relative to the source root.
    jpeg
        The picture, 8-bit grey, contrast stretched, row 0 at the top.
    shape, stored_shape
        Heights and widths of the source micrograph and of the image the picture was made from.
    x_px, y_px, score, picked
        ``(n,)`` candidates, best first, at most 2000; pixels of the source micrograph.
    diameter_px
        Particle diameter in pixels of the source micrograph.
    n_candidates, n_picked
        How many the micrograph has, those not shown included.
    is_kept_out
        ``(n,)`` bool, whether a candidate is not picked whatever its score.
    filament, track_A
        ``(n,)`` which filament each is a segment of, -1 for none, and where along it.
    tints
        Masks of junk.
    """

    micrograph_id: str
    jpeg: bytes
    shape: Shape
    stored_shape: Shape
    x_px: NDArray[np.float32]
    y_px: NDArray[np.float32]
    score: NDArray[np.float32]
    picked: NDArray[np.bool_]
    diameter_px: float
    n_candidates: int
    n_picked: int
    is_kept_out: NDArray[np.bool_]
    filament: NDArray[np.int32]
    track_A: NDArray[np.float32]
    tints: Sequence[Tint] = ()

    @property
    def view(self) -> tuple[float, float, float, float]:
        """Left, top, width, height of the picture in source pixels, 0.0 = *edge* of the first pixel.

        A Fourier-cropped image keeps the centre of its first pixel, so its edges lie further out than
        the source's by half the difference of the two pixel sizes.
        """
        height, width = self.shape
        return (
            0.5 - 0.5 * width / self.stored_shape[1],
            0.5 - 0.5 * height / self.stored_shape[0],
            width,
            height,
        )

    @property
    def radius(self) -> str:
        """Radius of the circles in source pixels, as text."""
        return f"{self.diameter_px / 2:.1f}"

    @property
    def circles(self) -> Iterator[tuple[str, str, str, bool]]:
        """Centre (from the edge of the first pixel), score, and whether picked, as text."""
        return self._marks(~self.is_kept_out & (self.filament < 0))

    @property
    def filaments(self) -> Iterator[tuple[str, str, int, bool]]:
        """Points along each filament (as :attr:`circles`), score, segments, and whether picked."""
        for number in np.unique(self.filament[(self.filament >= 0) & ~self.is_kept_out]).tolist():
            rows = np.flatnonzero((self.filament == number) & ~self.is_kept_out)
            rows = rows[np.argsort(self.track_A[rows])]
            points = " ".join(
                f"{x + 0.5:.1f},{y + 0.5:.1f}"
                for x, y in zip(self.x_px[rows].tolist(), self.y_px[rows].tolist(), strict=True)
            )
            yield points, f"{self.score[rows[0]]:.7g}", len(rows), bool(self.picked[rows].any())

    @property
    def crosses(self) -> Iterator[tuple[str, str, str, bool]]:
        """The same of what junk keeps out."""
        return self._marks(self.is_kept_out)

    def _marks(self, own: NDArray[np.bool_]) -> Iterator[tuple[str, str, str, bool]]:
        columns = (column[own].tolist() for column in (self.x_px, self.y_px, self.score, self.picked))
        for x, y, score, picked in zip(*columns, strict=True):
            yield f"{x + 0.5:.1f}", f"{y + 0.5:.1f}", f"{score:.7g}", picked


def make_thumbnail(
    image: NDArray[np.floating],
    picks: MicrographPicks,
    long_side_px: int = LONG_SIDE_PX,
    max_candidates: int = MAX_CANDIDATES,
    tints: Sequence[Tint] = (),
) -> Thumbnail:
    """Return the picture of a micrograph with its candidates.

    Parameters
    ----------
    image
        ``(h, w)``: the source micrograph or a Fourier-cropped one, as in a store; shown in its own
        contrast.
    picks
        Its candidates, best first, in pixels of the source.
    long_side_px
        Longer side of the picture; smaller images stay as they are.
    max_candidates
        How many of the best candidates are kept.
    tints
        Masks of junk that are drawn over it.

    Raises
    ------
    PicksError
        The picks carry no shape or pixel size of the micrograph.
    """
    micrograph = picks.micrograph
    if micrograph.shape is None or micrograph.pixel_size_A is None:
        raise PicksError(
            f"shape or pixel size of {micrograph.micrograph_id!r} is missing, expected pixels and angstroms:"
            " ingest it again with `pixel_size_A`"
        )
    best = slice(max_candidates)
    return Thumbnail(
        micrograph_id=micrograph.micrograph_id,
        jpeg=_jpeg(image, long_side_px),
        shape=micrograph.shape,
        stored_shape=(image.shape[0], image.shape[1]),
        x_px=picks.x_px[best],
        y_px=picks.y_px[best],
        score=picks.score[best],
        picked=picks.picked[best],
        diameter_px=diameter_px(picks.diameter_A, micrograph.pixel_size_A),
        n_candidates=len(picks.score),
        n_picked=int(picks.picked.sum()),
        is_kept_out=picks.is_kept_out[best],
        filament=_column(picks, "filament")[best],
        track_A=_column(picks, "track_A")[best],
        tints=tints,
    )


def _column(picks: MicrographPicks, name: str) -> NDArray[Any]:
    found = picks.more.get(name)
    return COLUMNS[name].unknown(len(picks)) if found is None else found


def choose_thumbnails(counts: ArrayLike, n: int = 12) -> NDArray[np.intp]:
    """Choose ``n`` micrographs that span the data set, from most to fewest picks.

    Parameters
    ----------
    counts
        ``(m,)`` picks of each micrograph.
    n
        How many to choose; all, where there are fewer.

    Returns
    -------
    indices
        Positions in ``counts``: most, least and equally spaced quantiles between; ties keep the order.
    """
    falling = np.argsort(-np.asarray(counts, dtype=np.int64), kind="stable")
    if n >= len(falling):
        return falling
    return falling[np.linspace(0, len(falling) - 1, n).round().astype(np.intp)]


def _jpeg(image: NDArray[np.floating], long_side_px: int) -> bytes:
    grey = Image.fromarray(np.nan_to_num(image.astype(np.float32)))
    shrink = min(1.0, long_side_px / max(grey.size))
    size = tuple(max(1, round(side * shrink)) for side in grey.size)
    small = np.asarray(grey.resize((size[0], size[1]), Image.Resampling.LANCZOS))
    low, high = np.percentile(small, CONTRAST_PERCENTILES)
    # A constant image has no contrast to stretch and comes out black.
    stretched = np.clip((small - low) / max(float(high - low), np.finfo(np.float32).tiny), 0, 1)
    file = BytesIO()
    Image.fromarray((255 * stretched).round().astype(np.uint8)).save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()
