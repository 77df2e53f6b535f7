"""What marks say of a run's settings, which teaching cannot mend: the diameter, the contrast."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cryopick_ray.pickers.heatmap.picker import HeatmapPicker
from cryopick_ray.training.data.examples import LabelledRow, read_labelled
from cryopick_ray.training.recipes.heatmap import REACH
from cryopick_ray.training.recipes.recipe import Recipe
from cryopick_ray.training.scored import found_by

WRONG_SIZE = 1.25
"""Times as large or as small as the diameter that marked particles seem, from which that is doubted."""
FEWEST_SIZES = 4
"""Marked particles whose size must be seen for it."""
BRIGHT_SHARE = 0.8
"""Of the marked particles that must be brighter than what surrounds them, for polarity to be doubted."""
INSIDE, AROUND = 0.4, (0.7, 1.1)
"""Diameters from a mark that are the particle, and what surrounds it."""


def doubts_of(picker: HeatmapPicker, recipe: Recipe, rows: Sequence[LabelledRow]) -> Iterator[str]:
    """Yield what marked particles make doubtful of a run.

    Parameters
    ----------
    picker
        The one that the run picked with.
    recipe
        What shows micrographs as it sees them.
    """
    diameter_A = rows[0].diameter_A
    sizes = np.concatenate([_sizes(picker, row) for row in rows])
    if len(sizes) >= FEWEST_SIZES:
        size = float(np.median(sizes))
        if abs(np.log(size)) > np.log(WRONG_SIZE):
            yield (
                f"marked particles look {size:.2f} times as large as the run's diameter of {diameter_A:g} A; "
                f"no teaching mends that; run with `diameter_A` near {size * diameter_A:.0f}, then teach"
            )
    contrast = np.concatenate([_contrast(recipe, row) for row in rows])
    if (contrast > 0).mean() >= BRIGHT_SHARE:
        yield (
            f"{(contrast > 0).sum()} of {len(contrast)} marked particles are brighter than what surrounds "
            "them, and the network looks for dark ones: run again with another `invert`, then teach"
        )


def _sizes(picker: HeatmapPicker, row: LabelledRow) -> NDArray[np.float64]:
    """Return how many diameters large marked particles are to the picker, as far as it finds them."""
    found = found_by(picker, row)
    if "size_px" not in found.more or not (len(found) and len(row.particles)):
        return np.zeros(0)
    reach_px = REACH * row.diameter_A / row.row.pixel_size_A
    away, nearest = map(
        np.asarray,
        cKDTree(np.column_stack([found.x, found.y])).query(row.particles, distance_upper_bound=reach_px),
    )
    sizes: NDArray[np.float64] = found.more["size_px"][nearest[np.isfinite(away)]] / picker.particle_px
    return sizes


def _contrast(recipe: Recipe, row: LabelledRow) -> NDArray[np.float64]:
    """Return by how much each marked particle of a micrograph is brighter than what surrounds it."""
    seen = read_labelled(row, recipe)
    height, width = seen.image.shape
    y, x = np.mgrid[:height, :width]
    brighter = []
    for centre_x, centre_y in seen.particles:
        away = np.hypot(x - centre_x, y - centre_y) / recipe.particle_px
        around = seen.image[(away > AROUND[0]) & (away < AROUND[1])]
        inside = seen.image[away < INSIDE]
        brighter.append(float(inside.mean() - around.mean()) if len(around) and len(inside) else 0.0)
    return np.array(brighter)
