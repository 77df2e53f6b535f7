"""Ice that crystallized: mottled by crystallites that diffract, with compact dark spots."""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import Field

from cryopick_ray.settings.base import Settings
from cryopick_ray.simulate.drawn_ranges import PositiveRange, Range, between, draw, draw_log
from cryopick_ray.simulate.extent import all_over, extent
from cryopick_ray.simulate.field import FieldOfView, Patch

INTERMITTENCE = 0.5  # standard deviation of the logarithm of the contrast from place to place


class CrystallineSettings(Settings):
    """A field of hexagonal, cubic or stacking-disordered ice; drawn anew for each micrograph.

    Attributes
    ----------
    probability
        Chance that a micrograph has any.
    share
        Part of the picture that crystallized; 1 and more is all of it.
    size_A
        Width of the dark and bright patches.
    contrast_A
        Their root mean square, as thickness: a crystallite that diffracts looks thicker, one between
        thinner.
    spot_size_A, spot_A
        Width of the dark spots, and how much thicker their middle looks.
    spot_level
        Standard deviations that a spot stands out by; 1 gives many that touch, 3 hardly any.
    """

    probability: Annotated[float, Field(ge=0, le=1)] = 0.0
    share: Annotated[Range, between(0, 2)] = (0.3, 1.7)
    size_A: PositiveRange = (50.0, 300.0)
    contrast_A: PositiveRange = (10.0, 120.0)
    spot_size_A: PositiveRange = (80.0, 250.0)
    spot_A: PositiveRange = (30.0, 500.0)
    spot_level: Annotated[Range, between(0, 6)] = (1.5, 2.5)


def crystalline(
    rng: np.random.Generator, view: FieldOfView, settings: CrystallineSettings
) -> Iterator[Patch]:
    """Yield the crystalline part, if there is one.

    Noise of three sizes whose strength varies log-normally from crystallite to crystallite, for some
    are near a Bragg condition and most are not.
    """
    if rng.uniform() >= settings.probability:
        return
    part = extent(rng, view, draw(rng, settings.share))
    size_A = draw_log(rng, settings.size_A)
    coarse, middle, fine = (all_over(rng, view, size_A / finer) for finer in (1, 2, 4))
    near_bragg = np.exp(INTERMITTENCE * all_over(rng, view, 2 * size_A))
    mottle = (coarse + middle + fine) * near_bragg
    mottle *= np.float32(draw_log(rng, settings.contrast_A) / (3**0.5 * np.exp(INTERMITTENCE**2)))
    spots = all_over(rng, view, draw_log(rng, settings.spot_size_A))
    spots -= np.float32(draw(rng, settings.spot_level))
    np.tanh(np.square(np.maximum(spots, 0, out=spots)) * np.float32(2), out=spots)
    spots *= np.maximum(1 + np.float32(0.4) * fine, 0) * np.float32(draw_log(rng, settings.spot_A))
    everywhere = slice(0, view.shape[0]), slice(0, view.shape[1])
    yield Patch(*everywhere, np.zeros(view.shape, np.float32), part * (mottle + spots), part > 0.5)
