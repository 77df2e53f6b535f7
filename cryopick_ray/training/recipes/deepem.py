"""What DeepEM is taught (Zhu, Ouyang and Mao 2017, BMC Bioinformatics 18:348, Methods)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from cryopick_ray.pickers.deepem.networks import GENERAL, DeepEMNetwork
from cryopick_ray.pickers.deepem.picker import BOX_DIAMETERS
from cryopick_ray.pickers.patches import NORMALISATION, z_scored_micrograph
from cryopick_ray.training.data.labelled import LabelledMicrograph
from cryopick_ray.training.recipes.learning_rates import half_cosine
from cryopick_ray.training.recipes.recipe import Example, Slot
from cryopick_ray.training.recipes.window_examples import check_ring, window_example


@dataclass(frozen=True)
class DeepEMRecipe:
    """Particles and places without one, in equal parts; squared error, plain SGD.

    Attributes
    ----------
    architecture, box_px, relu
        See :class:`~cryopick_ray.pickers.deepem.networks.DeepEMNetwork`.
    particle_px
        Pixels that a particle's diameter spans in the box; ``None`` for ``box_px`` / 1.5.
    jitter_px
        How far a particle may be off the box's middle; the paper has none.
    start
        How weights begin: ``glorot``, +-sqrt(6 / (fan_in + fan_out)) as in the authors' code, or
        ``positive``, uniform in (0, 1) as on their slides, which saturates every unit.
    ring_share
        Part of the places without a particle that lie beside one (a ring of .25 to .7 diameters around its
        centre); the paper has none.
    decay
        How the rate falls: ``paper``, not at all, or ``cosine``, along half a cosine to nothing; then the
        last epoch is kept.
    """

    architecture: str = GENERAL
    box_px: int = 64
    relu: int = 0
    particle_px: float = field(default=None)  # type: ignore[assignment]  # a number from the start on
    jitter_px: float = 0.0
    batch: int = 50
    learning_rate: float = 1.0
    start: Literal["glorot", "positive"] = "glorot"
    ring_share: float = 0.0
    decay: Literal["paper", "cosine"] = "paper"
    normalisation: str = field(default=NORMALISATION, init=False)

    def __post_init__(self) -> None:
        """Let the particle fill as much of the box as the picker counts on; refuse a share that is none."""
        check_ring(self.ring_share)
        if cast("float | None", self.particle_px) is None:
            object.__setattr__(self, "particle_px", self.box_px / BOX_DIAMETERS)

    @property
    def validation_chooses(self) -> bool:
        """Whether the best epoch is kept: not where the rate falls to nothing."""
        return self.decay == "paper"

    @property
    def parameters(self) -> dict[str, int]:
        """The numbers the network is built with."""
        return {"box_px": self.box_px, "relu": self.relu}

    def build(self) -> nn.Module:
        """Return a network with weights as ``start`` says, biases 0."""
        network = DeepEMNetwork(self.architecture, self.box_px, self.relu)
        for name, parameter in network.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif self.start == "glorot":
                nn.init.xavier_uniform_(parameter)
            else:
                nn.init.uniform_(parameter)
        return network

    def prepare(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the micrograph at mean 0 and standard deviation 1."""
        return z_scored_micrograph(image)

    def example(self, micrograph: LabelledMicrograph, slot: Slot, rng: np.random.Generator) -> Example:
        """Return a ``(box_px, box_px)`` box and ``(1,)``: 1 in half of the slots, a particle's, else 0."""
        return window_example(
            micrograph,
            rng,
            size_px=self.box_px,
            particle_px=self.particle_px,
            wanted=slot.falls_to(0.5),
            jitter_px=self.jitter_px,
            ring_share=self.ring_share,
        )

    def loss(self, answer: Tensor, target: Tensor, epoch: int) -> Tensor:
        """Return E = 1/(2N) sum (t - y)^2 of ``(n, 1)`` answers and targets."""
        return (target - answer).square().mean() / 2

    def optimiser(self, network: nn.Module, learning_rate: float) -> Optimizer:
        """Return plain SGD."""
        return SGD(network.parameters(), lr=learning_rate)

    def rate(self, epoch: float, epochs: int, validation: Sequence[float]) -> float:
        """Return 1, the rate stays, or what ``decay`` says."""
        return half_cosine(epoch, epochs) if self.decay == "cosine" else 1.0
