"""Which pixel size to believe."""

from cryopick_ray.errors import PixelSizeError
from cryopick_ray.units import Shape, is_positive

SMALLEST_A, LARGEST_A = 0.1, 100.0
FEWEST_DIAMETERS = 12  # across the short side, for a header's 1.0 A to be credible
MOST_OF_VIEW = 0.5  # a particle spans at most this part of the short side


def decide_pixel_size(
    header_A: float | None, given_A: float | None, shape: Shape, diameter_A: float | None
) -> float:
    """Return the pixel size of a micrograph in angstroms: the given one, else the header's.

    Parameters
    ----------
    header_A
        What the file says; ``None`` or 0 if nothing.
    given_A
        What a person says (``pixel_size_A``, or an optics table); wins over the header.
    shape
        Height and width of the micrograph in pixels.
    diameter_A
        The particle's diameter in angstroms; ``None`` if unknown, and then it judges nothing.

    Raises
    ------
    PixelSizeError
        No pixel size is known, the one known is not credible, or the particle would span more than half
        of the micrograph's short side.
    """
    pixel_size_A, origin = (header_A, "the file says") if given_A is None else (given_A, "given:")
    if pixel_size_A is None or (given_A is None and pixel_size_A == 0):
        raise PixelSizeError("the file does not say its pixel size; give it in angstroms with `pixel_size_A`")
    if not is_positive(pixel_size_A) or not SMALLEST_A <= pixel_size_A <= LARGEST_A:
        raise PixelSizeError(
            f"{origin} a pixel size of {pixel_size_A:g} A; expected {SMALLEST_A:g} to {LARGEST_A:g} A, "
            "give it with `pixel_size_A`"
        )
    if diameter_A is None:
        return pixel_size_A
    view_A = min(shape) * pixel_size_A
    if given_A is None and pixel_size_A == 1 and view_A < FEWEST_DIAMETERS * diameter_A:
        raise PixelSizeError(
            f"the file says a pixel size of exactly 1 A, as programs write when they do not know, and so "
            f"its short side would be {view_A:g} A, less than {FEWEST_DIAMETERS} particles of "
            f"{diameter_A:g} A; give the true one with `pixel_size_A` (`pixel_size_A` 1 if it is 1)"
        )
    if diameter_A > MOST_OF_VIEW * view_A:
        raise PixelSizeError(
            f"a particle of {diameter_A:g} A is larger than half the short side of the micrograph "
            f"({min(shape)} px of {pixel_size_A:g} A make {view_A:g} A); check "
            "`diameter_A` and `pixel_size_A`"
        )
    return pixel_size_A
