"""What the network is taught: windows with a particle in their middle, and windows without one."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.optim import Adam, Optimizer

from cryopick_ray.pickers.patches import z_scored_micrograph
from cryopick_ray.training.data.labelled import LabelledMicrograph
from cryopick_ray.training.data.sampling import negative, positive
from cryopick_ray.training.data.windows import Window
from cryopick_ray.training.recipes.recipe import Example, Slot
from disc_network.picker import KERNEL_PX, DiscNetwork, DiscPicker


@dataclass(frozen=True)
class DiscRecipe:
    """Half of the windows show a particle. The fields are the options: ``options.kernels=16``."""

    kernels: int = 8
    particle_px: float = 12.0
    batch: int = 32
    learning_rate: float = 3e-3
    architecture: str = field(default="disc", init=False)
    normalisation: str = field(default=DiscPicker.normalisation, init=False)
    validation_chooses: bool = field(default=True, init=False)

    @property
    def parameters(self) -> dict[str, int]:
        """The numbers the network is built with."""
        return {"kernels": self.kernels}

    def build(self) -> nn.Module:
        """Return a fresh network."""
        return DiscNetwork(self.architecture, self.kernels)

    def prepare(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the grey values as the picker sees them."""
        return z_scored_micrograph(image)

    def example(self, micrograph: LabelledMicrograph, slot: Slot, rng: np.random.Generator) -> Example:
        """Draw a window and whether a particle is in its middle."""
        place = positive(micrograph, rng, jitter_px=1) if slot.falls_to(0.5) else None
        x, y = place or negative(micrograph, rng, distance_px=self.particle_px / 2)
        window = Window.oriented(x, y, KERNEL_PX, rng)
        return Example(window.cut(micrograph.image), np.array([place is not None], np.float32))

    def loss(self, answer: Tensor, target: Tensor, epoch: int) -> Tensor:
        """Return the cross-entropy at the middle of the window."""
        del epoch
        middle = KERNEL_PX // 2
        return binary_cross_entropy_with_logits(answer[:, 0, middle, middle], target[:, 0])

    def optimiser(self, network: nn.Module, learning_rate: float) -> Optimizer:
        """Return Adam."""
        return Adam(network.parameters(), learning_rate)

    def rate(self, epoch: float, epochs: int, validation: Sequence[float]) -> float:
        """Fall along a line to nothing."""
        del validation
        return 1 - epoch / epochs
