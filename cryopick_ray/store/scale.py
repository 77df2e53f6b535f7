"""Rules on scale: the shape a micrograph is stored in, and the pixel size that a model needs."""

from collections.abc import Sequence

from cryopick_ray.errors import PixelSizeError
from cryopick_ray.store.manifest import ManifestRow
from cryopick_ray.units import Shape, resampled_shape

LARGEST_ENLARGEMENT = 4
"""Particles of so few pixels that more would be needed hold nothing to be found."""


def stored_shape(shape: Shape, pixel_size_A: float, store_pixel_size_A: float | None) -> Shape:
    """Return the shape a micrograph is stored in; it is never enlarged.

    Parameters
    ----------
    shape, pixel_size_A
        The source micrograph.
    store_pixel_size_A
        The store's pixel size; ``None`` for the micrograph's own.
    """
    if store_pixel_size_A is None or store_pixel_size_A <= pixel_size_A:
        return shape
    return resampled_shape(shape, pixel_size_A, store_pixel_size_A)


def too_coarse(name: str, shape: Shape, own_A: float, needed_A: float) -> str:
    """Return why a micrograph has too few pixels for a model; empty if it has enough.

    One stored at its own pixel size may be enlarged a little.

    Parameters
    ----------
    shape, own_A
        The micrograph in its file.
    needed_A
        Pixel size that the model needs.
    """
    if resampled_shape(shape, own_A, needed_A)[0] <= LARGEST_ENLARGEMENT * shape[0]:
        return ""
    return (
        f"this model needs {name} enlarged from {own_A:.3g} to {needed_A:.3g} A a pixel, more than "
        f"{LARGEST_ENLARGEMENT} times; check `diameter_A`, `pixel_size_A` and `particle_px`"
    )


def cropped_too_much(name: str, shape: Shape, own_A: float, stored: Shape, needed_A: float) -> str:
    """Return why a store lacks detail that a model needs and the file has; empty if it does not."""
    needed = resampled_shape(shape, own_A, needed_A)
    if stored == shape or (needed[0] <= stored[0] and needed[1] <= stored[1]):
        return ""
    return (
        f"the store holds {name} at {own_A * shape[0] / stored[0]:.2f} A a pixel, but this model needs "
        f"{needed_A:.2f} A; ingest again with `store_pixel_size_A` {needed_A:.2f} or finer"
    )


def unfit(row: ManifestRow, needed_A: float) -> str:
    """Return why a stored micrograph has too few pixels for a model; empty if it has enough."""
    return too_coarse(row.micrograph_id, row.source_shape, row.pixel_size_A, needed_A)


def check_stored(rows: Sequence[ManifestRow], needed_A: float) -> None:
    """Refuse a store that was cropped to coarser pixels than a model needs.

    Raises
    ------
    PixelSizeError
        Naming the first such micrograph and ``store_pixel_size_A``.
    """
    for row in rows:
        name, shape, own_A = row.micrograph_id, row.source_shape, row.pixel_size_A
        if reason := cropped_too_much(name, shape, own_A, row.shape, needed_A):
            raise PixelSizeError(reason)


def check_scale(rows: Sequence[ManifestRow], needed_A: float) -> None:
    """Refuse rows if any cannot be resampled to a model's pixel size.

    Raises
    ------
    PixelSizeError
        Naming the first such micrograph and what mends it.
    """
    check_stored(rows, needed_A)
    if reason := next(filter(None, (unfit(row, needed_A) for row in rows)), ""):
        raise PixelSizeError(reason)
