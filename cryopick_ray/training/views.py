"""How a micrograph is seen in an epoch: larger or smaller, with other grey values."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.training.augment import general_chain

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
    """

    scale: float = 1.0
    vary: Callable[[Image], Image] = unvaried


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
        :func:`~cryopick_ray.training.augment.general_chain`.
    """

    scales: tuple[float, float] = (1.0, 1.0)
    general: bool = False

    @property
    def differ(self) -> bool:
        """Whether there is more than one."""
        return self.general or self.scales[0] < self.scales[1]

    def draw(self, rng: np.random.Generator) -> View:
        """Draw one; all that is random comes from the generator."""
        low, high = np.log(self.scales)
        scale = float(np.exp(rng.uniform(low, high))) if low < high else self.scales[0]
        return View(scale, (lambda image: general_chain(image, rng)) if self.general else unvaried)


ONE_VIEW = Views()
