"""Ice with a texture as coarse as particles: thick, or covered with denatured protein."""

from collections.abc import Callable, Iterator
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cryopick_ray.settings.base import Settings
from cryopick_ray.simulate.drawn_ranges import PositiveRange, Range, between, draw, draw_log
from cryopick_ray.simulate.extent import all_over, extent
from cryopick_ray.simulate.field import FieldOfView, Patch

DETAIL = 0.7  # standard deviation of the detail, a third as wide, relative to the form's
UNSTEADY = 0.5  # standard deviation of the logarithm of the strength from place to place
HIDES_A = 25.0
"""Strength from which a texture hides particles: a quarter of the thickness that one adds."""


class TextureSettings(Settings):
    """A texture; ranges are drawn anew for each micrograph, and which of :data:`FORMS` it has.

    Attributes
    ----------
    probability
        Chance that a micrograph has one.
    share
        Part of the picture that it covers; 1 and more is all of it.
    size_A
        Width of its features.
    strength_A
        Standard deviation of its thickness. From ``HIDES_A`` on it is junk and hides particles; fainter
        ones leave them pickable.
    """

    probability: Annotated[float, Field(ge=0, le=1)] = 0.0
    share: Annotated[Range, between(0, 2)] = (0.3, 1.7)
    size_A: PositiveRange = (30.0, 250.0)
    strength_A: PositiveRange = (4.0, 100.0)


def _network(noise: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lines between cells, where smooth noise changes sign."""
    return np.asarray((np.float32(0.798) - np.abs(noise)) / np.float32(0.603), np.float32)


def _knobbly(noise: NDArray[np.float32]) -> NDArray[np.float32]:
    """Few strong knobs on a flat ground: chi-square of one degree."""
    return (noise * noise - 1) / np.float32(2**0.5)


def _patchy(noise: NDArray[np.float32]) -> NDArray[np.float32]:
    """Flat islands with steep shores."""
    return np.asarray(np.tanh(3 * noise) / np.float32(0.86), np.float32)


FORMS: tuple[Callable[[NDArray[np.float32]], NDArray[np.float32]], ...] = (_network, _knobbly, _patchy)
"""From normal noise to a texture of about unit variance; as dark on bright or bright on dark."""


def texture(rng: np.random.Generator, view: FieldOfView, settings: TextureSettings) -> Iterator[Patch]:
    """Yield the texture, if there is one: its form, stronger here than there, and finer detail."""
    if rng.uniform() >= settings.probability:
        return
    part = extent(rng, view, draw(rng, settings.share))
    size_A, strength_A = draw_log(rng, settings.size_A), draw_log(rng, settings.strength_A)
    form = FORMS[rng.integers(len(FORMS))]
    relief = form(all_over(rng, view, size_A))
    relief *= np.exp(np.float32(UNSTEADY) * all_over(rng, view, 2 * size_A))
    relief *= np.float32(rng.choice([-1, 1]) / np.exp(UNSTEADY**2))
    relief += np.float32(DETAIL) * all_over(rng, view, size_A / 3)
    relief *= part * np.float32(strength_A / np.hypot(1, DETAIL))
    everywhere = slice(0, view.shape[0]), slice(0, view.shape[1])
    covered = part > 0.5 if strength_A >= HIDES_A else None
    yield Patch(*everywhere, np.zeros(view.shape, np.float32), relief, covered)
