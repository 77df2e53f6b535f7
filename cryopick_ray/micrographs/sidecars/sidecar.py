"""What a file beside an image or movie says of it."""

import math
import stat
from dataclasses import dataclass
from pathlib import Path

from cryopick_ray.errors import brief
from cryopick_ray.micrographs.optics_groups import number, positive
from cryopick_ray.units import Shape

MAX_BYTES = 2**22
"""A file of a whole tilt series or montage stays far below."""
DETECTORS: tuple[Shape, ...] = ((4092, 5760), (3710, 3838), (4096, 4096))
"""Physical pixels of K3, K2, and Falcon or Ceta cameras."""
MICROSCOPES_KV = 60.0, 400.0
SAME_SCALE = 0.03
"""Programs cut some rows and columns off when they bin."""


@dataclass(frozen=True)
class Sidecar:
    """What is said of one image or movie; ``None`` or empty where nothing is.

    Attributes
    ----------
    called
        What a person calls such a file; empty if there is none.
    pixel_size_A, shape, binning
        Of the image that the microscope's program showed, of which frames may be finer.
    frames
        Their number.
    dose_e_A2
        Of all frames, in electrons per square angstrom.
    dose_per_frame_e_A2, dosed_frames
        Of each of so many frames; ``None`` where they differ.
    gain
        Name of the gain reference that the frames lack.
    turned
        How the camera's image was turned, as the program counts it; 0 for not at all.
    voltage_kV
        Of the microscope.
    notes
        What is wrong with it.
    """

    called: str = ""
    pixel_size_A: float | None = None
    shape: Shape | None = None
    binning: float | None = None
    frames: int | None = None
    dose_e_A2: float | None = None
    dose_per_frame_e_A2: float | None = None
    dosed_frames: int | None = None
    gain: str = ""
    turned: int = 0
    voltage_kV: float | None = None
    notes: tuple[str, ...] = ()

    def pixel_size_of(self, shape: Shape) -> float | None:
        """Return the pixel size in angstroms of an image or of frames of a shape.

        Frames of a counting camera may be finer than the image shown, and averages are coarser than frames:
        the shapes tell, else those of the usual cameras. What is smaller than these may be a part of the
        camera, unless it has its physical pixels.
        """
        if self.pixel_size_A is None:
            return None
        scale = None
        if self.shape is not None:
            scale = _scale(self.shape, shape, is_exact=True)
        elif self.binning is not None:
            binned = [(height / self.binning, width / self.binning) for height, width in DETECTORS]
            scales = [_scale(one, shape, is_exact=False) for one in binned]
            most = max(1, 1 / self.binning)
            scale = next((scale for scale in scales if scale is not None and scale <= most), None)
        return self.pixel_size_A * (scale or 1)


def _scale(said: tuple[float, float], shape: Shape, *, is_exact: bool) -> float | None:
    """Return how many pixels make one of the other; ``None`` if it is none, as where one is a cutting.

    Parameters
    ----------
    is_exact
        It may be any number; else a power of two.
    """
    ratios = [other / own for own, other in zip(sorted(shape), sorted(said), strict=True)]
    mean = math.sqrt(math.prod(ratios))
    binned = 2.0 ** round(math.log2(mean))
    if all(math.isclose(ratio, binned, rel_tol=SAME_SCALE) for ratio in ratios):
        return binned
    return mean if is_exact and math.isclose(*ratios, rel_tol=SAME_SCALE) else None


class Words:
    """The words of a sidecar, read as numbers.

    Parameters
    ----------
    called
        What a person calls the file.
    words
        By the names that the file has for them.

    Attributes
    ----------
    notes
        Which words were no such numbers.
    """

    def __init__(self, called: str, words: dict[str, str]) -> None:
        self.words, self._called = words, called
        self.notes: list[str] = []

    def number(self, name: str, unit: float = 1, least: float = 0, most: float = math.inf) -> float | None:
        """Return a number of units above 0, and not beyond bounds; 0 stands for what is not known."""
        text = self.words.get(name, "")
        value = positive(text)
        if value is not None and least <= value * unit <= most:
            return value * unit
        if text and (value is not None or number(text) != 0):
            self.notes.append(f"its {self._called} says {name} {brief(text)}: not used")
        return None

    def whole(self, name: str) -> int | None:
        """Return a number that counts."""
        value = self.number(name, least=1, most=2**31)
        return int(value) if value is not None and value.is_integer() else None


def content_of(path: Path) -> bytes:
    """Return what a file holds.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        It is no regular file, or too long.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):  # a pipe or device has no end
        raise ValueError("it is no file")
    if found.st_size > MAX_BYTES:
        raise ValueError(f"it is longer than {MAX_BYTES >> 20} MiB")
    return path.read_bytes()
