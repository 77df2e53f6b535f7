"""What DeepPicker is taught (Wang et al. 2016, J. Struct. Biol. 195:325, section 2.3)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from cryopick_ray.pickers.deeppicker.networks import ARCHITECTURE, PATCH_PX, DeepPickerNetwork
from cryopick_ray.pickers.deeppicker.picker import PARTICLE_PX
from cryopick_ray.pickers.patches import NORMALISATION, z_scored_micrograph
from cryopick_ray.training.data.labelled import LabelledMicrograph
from cryopick_ray.training.recipes.learning_rates import half_cosine
from cryopick_ray.training.recipes.objectives import two_class_cross_entropy
from cryopick_ray.training.recipes.recipe import Example, Slot
from cryopick_ray.training.recipes.window_examples import check_ring, window_example

INIT_STD = 0.05
DECAY, DECAY_EPOCHS = 0.95, 10


@dataclass(frozen=True)
class DeepPickerRecipe:
    """Particles and places without one, in equal parts; cross-entropy, SGD with momentum.

    Attributes
    ----------
    hidden
        Width of the first fully connected layer.
    particle_px
        Pixels that a particle's diameter spans in the 64 px patch.
    jitter_px
        How far a particle may be off the patch's middle; the paper has none.
    weight_decay
        L2 on the weights of the fully connected layers.
    ring_share
        Part of the places without a particle that lie beside one (a ring of .25 to .7 diameters around its
        centre); the paper has none. Unless it sees them, the network takes a wall for a centre.
    decay
        How the rate falls: ``paper``, by 0.95 every ten epochs, or ``cosine``, along half a cosine to
        nothing; then the last epoch is kept.
    """

    hidden: int = 256
    architecture: str = ARCHITECTURE
    particle_px: float = PARTICLE_PX
    jitter_px: float = 0.0
    batch: int = 100
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 5e-4
    ring_share: float = 0.0
    decay: Literal["paper", "cosine"] = "paper"
    normalisation: str = field(default=NORMALISATION, init=False)

    def __post_init__(self) -> None:
        """Refuse a share that is none."""
        check_ring(self.ring_share)

    @property
    def validation_chooses(self) -> bool:
        """Whether the best epoch is kept: not where the rate falls to nothing."""
        return self.decay == "paper"

    @property
    def parameters(self) -> dict[str, int]:
        """The numbers the network is built with."""
        return {"hidden": self.hidden}

    def build(self) -> nn.Module:
        """Return a network with weights from a normal distribution cut at two sigma, biases 0."""
        network = DeepPickerNetwork(self.architecture, self.hidden)
        for name, parameter in network.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            else:
                nn.init.trunc_normal_(parameter, std=INIT_STD, a=-2 * INIT_STD, b=2 * INIT_STD)
        return network

    def prepare(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the micrograph at mean 0 and standard deviation 1."""
        return z_scored_micrograph(image)

    def example(self, micrograph: LabelledMicrograph, slot: Slot, rng: np.random.Generator) -> Example:
        """Return a ``(64, 64)`` patch and ``(1,)``: 1 in half of the slots, a particle's, else 0."""
        return window_example(
            micrograph,
            rng,
            size_px=PATCH_PX,
            particle_px=self.particle_px,
            wanted=slot.falls_to(0.5),
            jitter_px=self.jitter_px,
            ring_share=self.ring_share,
        )

    def loss(self, answer: Tensor, target: Tensor, epoch: int) -> Tensor:
        """Return the mean cross-entropy of ``(n, 2)`` logits against ``(n, 1)`` zeros and ones."""
        return two_class_cross_entropy(answer, target)

    def optimiser(self, network: nn.Module, learning_rate: float) -> Optimizer:
        """Return SGD with momentum; only the fully connected weights decay."""
        decaying: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for name, parameter in network.named_parameters():
            weight = name.startswith("classifier") and name.endswith("weight")
            (decaying if weight else others).append(parameter)
        groups: list[dict[str, Any]] = [
            {"params": decaying, "weight_decay": self.weight_decay},
            {"params": others},
        ]
        return SGD(groups, lr=learning_rate, momentum=self.momentum)

    def rate(self, epoch: float, epochs: int, validation: Sequence[float]) -> float:
        """Return 0.95 to the number of tens of epochs that are over, or what ``decay`` says."""
        if self.decay == "cosine":
            return half_cosine(epoch, epochs)
        return float(DECAY ** (epoch // DECAY_EPOCHS))
