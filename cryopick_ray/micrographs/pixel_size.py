"""The choice of a pixel size among those stated, and doubts about it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from cryopick_ray.errors import MicrographError, PixelSizeError
from cryopick_ray.units import Shape, is_positive

SMALLEST_A, LARGEST_A = 0.1, 100.0
FEWEST_DIAMETERS = 12  # across the short side, for a header's 1.0 A to be credible
MOST_OF_VIEW = 0.5  # a particle spans at most this part of the short side
SAME_SIZE = 0.01
"""Pixel sizes that differ by a smaller fraction are one, rounded twice."""
OTHER_SIZE = 1.5
"""A person's pixel size that is so many times the file's, or less by it, is no finer calibration."""
USUAL_A = 0.3, 14.0
"""Nobody looks for particles with finer or coarser pixels."""
USUAL_VIEW_A = 500.0, 20_000.0
"""The short side of a micrograph of particles; half of what shows a whole hole of a grid is wider."""
FEWEST_PIXELS = 10
"""Of a particle's diameter; with fewer it is hardly told from others."""
FEWEST_ACROSS = 5
"""Diameters along the short side; fewer are seen of the largest viruses only."""
IMPOSSIBLE = 2.5
"""A file's own size is refused where it is so many times beyond what is usual."""


@dataclass(frozen=True)
class StatedPixelSizes:
    """The pixel sizes in angstroms stated for a micrograph; ``None`` where none is.

    Attributes
    ----------
    header_A
        By its file; 0 counts as none.
    given_A
        By a person, with ``pixel_size_A``.
    listed_A
        By the list that names it.
    original_A
        By the list, of the movie that the micrograph was made of.
    unclear_size
        Why the file's size is invalid.
    sidecar_A, sidecar
        By a sidecar file, and the name of its kind.
    """

    header_A: float | None
    given_A: float | None = None
    listed_A: float | None = None
    original_A: float | None = None
    unclear_size: str = ""
    sidecar_A: float | None = None
    sidecar: str = ""

    @property
    def chosen(self) -> tuple[float | None, str]:
        """The size to use and its origin: a person, a list, the file, the movie's list, a sidecar.

        A file's 1 A is no better than the movie's size, or the sidecar's.
        """
        if self.given_A is not None:
            return self.given_A, "given:"
        if self.listed_A is not None:
            return self.listed_A, "the list says"
        if self.original_A is not None and self.header_A in (None, 0, 1):
            return self.original_A, "the list says, of the movie,"
        if self.sidecar_A is not None and self.header_A in (None, 0, 1):
            return self.sidecar_A, f"its {self.sidecar} says"
        return self.header_A or None, "the file says"

    @property
    def is_headers(self) -> bool:
        """Whether the size comes from the file."""
        return self.chosen[1] == "the file says"

    @property
    def is_sidecars(self) -> bool:
        """Whether the size comes from the sidecar."""
        return self.sidecar_A is not None and self.chosen[1] == f"its {self.sidecar} says"


def decide_pixel_size(
    stated: StatedPixelSizes, shape: Shape, diameter_A: float | None
) -> tuple[float, tuple[str, ...]]:
    """Return the pixel size of a micrograph in angstroms, and the doubts about it.

    Parameters
    ----------
    stated
        Sizes stated by a person, a list, the file and a sidecar.
    shape
        Height and width of the micrograph in pixels.
    diameter_A
        The particle's diameter in angstroms; ``None`` if unknown, and then it judges nothing.

    Raises
    ------
    MicrographError
        The file states what is no pixel size, and nobody knows another.
    PixelSizeError
        No pixel size is known, the one known is not credible, or the particle would span more than half
        of the micrograph's short side. What a person or a list says is doubted where a file's is refused.
    """
    pixel_size_A, origin = stated.chosen
    if pixel_size_A is None and stated.unclear_size:
        raise MicrographError(f"{stated.unclear_size}; give the true one with `pixel_size_A`")
    if pixel_size_A is None:
        raise PixelSizeError("the file does not say its pixel size; give it in angstroms with `pixel_size_A`")
    if not is_positive(pixel_size_A) or not SMALLEST_A <= pixel_size_A <= LARGEST_A:
        raise PixelSizeError(
            f"{origin} a pixel size of {pixel_size_A:g} A; expected {SMALLEST_A:g} to {LARGEST_A:g} A, "
            "give it with `pixel_size_A`"
        )
    view_A = min(shape) * pixel_size_A
    doubts = [_check_one_A(view_A, diameter_A)] if stated.is_headers and pixel_size_A == 1 else []
    if diameter_A is not None and diameter_A > MOST_OF_VIEW * view_A:
        raise PixelSizeError(
            f"a particle of {diameter_A:g} A is larger than half the short side of the micrograph "
            f"({min(shape)} px of {pixel_size_A:g} A make {view_A:g} A); check "
            "`diameter_A` and `pixel_size_A`"
        )
    doubts += _contradictions(stated, pixel_size_A)
    if stated.is_sidecars:
        doubts.append(f"pixel size {pixel_size_A:.4g} A from its {stated.sidecar}")
    for excess, reason in _unusual(pixel_size_A, view_A, diameter_A):
        text = f"{origin} a pixel size of {pixel_size_A:.4g} A, but {reason}"
        if (stated.is_headers or stated.is_sidecars) and excess > IMPOSSIBLE:
            raise PixelSizeError(f"{text}; give the true one with `pixel_size_A`")
        doubts.append(f"{text}; check `pixel_size_A`")
    return pixel_size_A, tuple(doubts)


def _check_one_A(view_A: float, diameter_A: float | None) -> str:
    """Doubt a size of 1 A, which programs write by default; refuse it unless the particle fits well."""
    text = "the file says a pixel size of exactly 1 A, as programs write when they do not know"
    if diameter_A is not None and view_A >= FEWEST_DIAMETERS * diameter_A:
        return f"{text}; check it with `pixel_size_A` (`pixel_size_A` 1 if it is 1)"
    against = (
        ""
        if diameter_A is None
        else f", and so its short side would be {view_A:g} A, less than {FEWEST_DIAMETERS} particles of "
        f"{diameter_A:g} A"
    )
    raise PixelSizeError(
        f"{text}{against}; give the true one with `pixel_size_A` (`pixel_size_A` 1 if it is 1)"
    )


def _contradictions(stated: StatedPixelSizes, pixel_size_A: float) -> Iterator[str]:
    """Yield doubts where the stated sizes contradict each other; 1 A in the file counts as none."""
    header_A = stated.header_A if stated.header_A != 1 else None
    if not header_A and stated.original_A is not None and stated.listed_A is None and stated.given_A is None:
        yield (
            f"only the pixels of the movie are known, {pixel_size_A:.4g} A by the list: the micrograph's "
            "may be binned; give theirs with `pixel_size_A`"
        )
    if not header_A or not is_positive(header_A):
        return
    ratio = pixel_size_A / header_A
    if stated.given_A is not None:
        if not 1 / OTHER_SIZE <= ratio <= OTHER_SIZE:
            yield f"`pixel_size_A` is {pixel_size_A:.4g} A, but the file says {header_A:.4g} A; check it"
    elif stated.listed_A is not None:
        if not math.isclose(ratio, 1, rel_tol=SAME_SIZE):
            yield (
                f"the list says a pixel size of {pixel_size_A:.4g} A, the file {header_A:.4g} A: the list's "
                "is taken; `pixel_size_A` sets another"
            )
    elif stated.original_A is not None:
        binning = header_A / stated.original_A
        if not math.isclose(binning, max(1, round(binning)), rel_tol=SAME_SIZE):
            yield (
                f"the list says {stated.original_A:.4g} A of the movie's pixels, the file {header_A:.4g} A "
                "of the micrograph's: the file's is taken; `pixel_size_A` sets another"
            )
    elif stated.sidecar_A is not None and not math.isclose(stated.sidecar_A, header_A, rel_tol=SAME_SIZE):
        yield (
            f"its {stated.sidecar} says a pixel size of {stated.sidecar_A:.4g} A, the file {header_A:.4g} A: "
            "the file's is taken; `pixel_size_A` sets another"
        )


def _unusual(pixel_size_A: float, view_A: float, diameter_A: float | None) -> Iterator[tuple[float, str]]:
    """Yield by how much values exceed the usual range, and the reason to doubt them."""
    finest_A, coarsest_A = USUAL_A
    narrowest_A, widest_A = USUAL_VIEW_A
    if pixel_size_A < finest_A:
        yield 1, f"particles are hardly ever taken below {finest_A:g} A (is it in nanometres?)"
    elif pixel_size_A > coarsest_A:
        yield 1, f"particles are hardly ever taken above {coarsest_A:g} A"
    if view_A < narrowest_A:
        yield 1, f"the short side would be only {view_A:.3g} A"
    elif view_A > widest_A:
        yield view_A / widest_A, f"the short side would be {view_A / 1e4:.2g} um, as of an overview"
    if diameter_A is not None and view_A < FEWEST_ACROSS * diameter_A:
        yield 1, f"the short side would be only {view_A / diameter_A:.2g} particles of {diameter_A:g} A"
    if diameter_A is not None and (pixels := diameter_A / pixel_size_A) < FEWEST_PIXELS:
        yield (
            FEWEST_PIXELS / pixels,
            f"a particle of {diameter_A:g} A (`diameter_A`) would be {pixels:.2g} pixels across",
        )
