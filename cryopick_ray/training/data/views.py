"""How a micrograph is seen in an epoch: larger or smaller, with other grey values."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.training.data.augment import general_chain, scramble

Image = NDArray[np.float32]


def unvaried(image: Image) -> Image:
    """Return the image as it is."""
    return image


@dataclass(frozen=True)
class View:
    """One way to see a micrograph.

    Attributes
    ----------
    scale
        How many times larger than usual its particles appear.
    vary
        Changes the grey values of the whole ``(h, w)`` image before they are normalised.
    is_empty
        Whether nothing is left of the particles.
    """

    scale: float = 1.0
    vary: Callable[[Image], Image] = unvaried
    is_empty: bool = False


AS_IT_IS = View()


@dataclass(frozen=True)
class Views:
    """The ways in which a training shows its micrographs.

    Attributes
    ----------
    scales
        Least and most that particles are enlarged, even in the logarithm: a diameter is never quite right.
    general
        Whether grey values vary as between microscopes, by
        :func:`~cryopick_ray.training.data.augment.general_chain`.
    scrambled
        Part of the views that are noise with a micrograph's power spectrum and no particles
        (:func:`~cryopick_ray.training.data.augment.scramble`).
    """

    scales: tuple[float, float] = (1.0, 1.0)
    general: bool = False
    scrambled: float = 0.0

    @property
    def differ(self) -> bool:
        """Whether there is more than one."""
        return self.general or self.scrambled > 0 or self.scales[0] < self.scales[1]

    def draw(self, rng: np.random.Generator) -> View:
        """Draw one; all that is random comes from the generator."""
        low, high = np.log(self.scales)
        scale = float(np.exp(rng.uniform(low, high))) if low < high else self.scales[0]
        is_empty = self.scrambled > 0 and rng.uniform() < self.scrambled

        def vary(image: Image) -> Image:
            image = scramble(image, rng) if is_empty else image
            return general_chain(image, rng) if self.general else image

        return View(scale, vary, is_empty)


ONE_VIEW = Views()
