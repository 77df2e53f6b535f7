"""What an entry declares against what a file says."""

import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.empiar.entry import ImageSet
from cryopick_ray.units import Shape

SAME = 0.02
"""Pixel sizes that differ by less are one, rounded twice."""
GAIN_MEDIAN, GAIN_SPREAD = 0.1, 0.2
"""How far from 1 the median of a gain reference is at most, and how wide its middle two thirds are."""


def decide_declared_pixel_size(
    declared: ImageSet, header_A: float | None, shape: Shape
) -> tuple[float | None, str]:
    """Return a pixel size in angstroms from what an entry and a file say, and what a person should know.

    Entries often declare the pixel size of a super-resolution movie for its average, binned by two. The
    field of view tells: it is the same before and after binning.

    Parameters
    ----------
    declared
        The image set; its pixel size and image size may be missing.
    header_A
        Pixel size that the file states; ``None`` if none, and 1 counts as none.
    shape
        Height and width of the image in pixels.

    Returns
    -------
    tuple of float or None, and str
        ``None`` if nobody says; an empty text if there is nothing to say.
    """
    declared_A, header_A = declared.pixel_size_A, None if header_A == 1 else header_A
    if declared_A is None:
        return header_A, ""
    binning = declared.width_px / shape[1] if declared.width_px else 1.0
    expected_A = declared_A * binning
    if header_A is None:
        if math.isclose(binning, 1, rel_tol=SAME):
            return declared_A, ""
        return expected_A, (
            f"the entry declares {declared_A:g} A at {declared.width_px} pixels across, the file has "
            f"{shape[1]}: {expected_A:.4g} A is taken; give another with `pixel_size_A`"
        )
    if math.isclose(header_A, expected_A, rel_tol=SAME):
        return header_A, ""
    ratio = header_A / declared_A
    known = "as of super-resolution and binning" if math.isclose(ratio, round(ratio), rel_tol=SAME) else ""
    return header_A, (
        f"the entry declares {declared_A:g} A a pixel, the file says {header_A:g} A"
        f"{f' ({ratio:.3g} times, {known})' if known and ratio > 1.5 else ''}: the file's is taken; "
        "give the true one with `pixel_size_A`"
    )


def looks_like_gain(pixels: NDArray[Any]) -> bool:
    """Tell whether an image is a gain reference: floats above zero, nearly all of them close to 1.

    Parameters
    ----------
    pixels
        ``(h, w)``; counts of a micrograph spread much wider, by their noise alone.
    """
    if pixels.ndim != 2 or pixels.dtype.kind != "f" or pixels.size == 0:
        return False
    rows = max(1, pixels.shape[0] // 512)
    sample = np.asarray(pixels[::rows, ::rows], np.float32)
    if not np.isfinite(sample).all() or sample.min() < 0:
        return False
    low, median, high = np.percentile(sample, (16, 50, 84))
    return bool(abs(median - 1) <= GAIN_MEDIAN and high - low <= GAIN_SPREAD)


def orientation_note(details: str) -> str:
    """Return what the details of an image set say of flips and rotations, or an empty text."""
    sentences = re.split(r"(?<=[.;\n])\s+", details)
    said = [
        sentence.strip()
        for sentence in sentences
        if re.search(r"\b(?:flip|rotat|mirror|upside)", sentence, re.IGNORECASE)
    ]
    return " ".join(said)
