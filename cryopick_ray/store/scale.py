"""How coarse micrographs are kept, and how fine they must be."""

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


def check_scale(rows: Sequence[ManifestRow], pixel_size_A: float) -> None:
    """Refuse a store that was cropped to coarser pixels than the model needs.

    A micrograph stored at its own pixel size may be enlarged; detail that ingest threw away may not.

    Raises
    ------
    PixelSizeError
        Naming the first such micrograph and ``store_pixel_size_A``.
    """
    for row in rows:
        needed = resampled_shape(row.source_shape, row.pixel_size_A, pixel_size_A)
        if needed[0] > LARGEST_ENLARGEMENT * row.source_height_px:
            raise PixelSizeError(
                f"this model needs {row.micrograph_id} enlarged from {row.pixel_size_A:.3g} to "
                f"{pixel_size_A:.3g} A a pixel, more than {LARGEST_ENLARGEMENT} times; check `diameter_A`, "
                "`pixel_size_A` and `particle_px`"
            )
        if row.shape != row.source_shape and (needed[0] > row.height_px or needed[1] > row.width_px):
            stored_A = row.pixel_size_A * row.source_height_px / row.height_px
            raise PixelSizeError(
                f"the store holds {row.micrograph_id} at {stored_A:.2f} A a pixel, but this model needs "
                f"{pixel_size_A:.2f} A; ingest again with `store_pixel_size_A` {pixel_size_A:.2f} or finer"
            )
