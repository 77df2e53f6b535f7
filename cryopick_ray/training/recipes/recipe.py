"""What a recipe is: one network's examples, loss and optimiser."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from cryopick_ray.training.data.labelled import LabelledMicrograph


@dataclass(frozen=True)
class Slot:
    """A place in the batch: which one, of how many in the whole batch over all workers.

    It moves on by one every step (:meth:`~cryopick_ray.training.data.batch_plan.BatchPlan.turn`).
    """

    index: int
    of: int

    def falls_to(self, share: float) -> bool:
        """Tell whether this slot belongs to the ``share`` of all slots, spread evenly over the batch."""
        return int((self.index + 1) * share) > int(self.index * share)


@dataclass(frozen=True)
class Example:
    """What the network sees at one place of the batch, and what it should answer.

    Attributes
    ----------
    image
        ``(s, s)`` float32.
    target
        float32 of the recipe's own shape.
    """

    image: NDArray[np.float32]
    target: NDArray[np.float32]


class Recipe(Protocol):
    """How one network is taught. Pure: everything random comes from the generator it is given."""

    @property
    def architecture(self) -> str:
        """The network's name, as on its card."""
        ...

    @property
    def parameters(self) -> dict[str, int]:
        """The numbers the network is built with, as on its card."""
        ...

    @property
    def particle_px(self) -> float:
        """Pixels that a particle's diameter spans in the images of examples."""
        ...

    @property
    def normalisation(self) -> str:
        """Name of what :meth:`prepare` does, as on the card."""
        ...

    @property
    def batch(self) -> int:
        """Examples of a batch, over all workers."""
        ...

    @property
    def learning_rate(self) -> float:
        """At the start, before the schedule."""
        ...

    @property
    def validation_chooses(self) -> bool:
        """Whether the epoch with the best validation loss is kept; else the last, where the rate is 0."""
        ...

    def build(self) -> nn.Module:
        """Return a fresh network; its weights come from torch's global generator."""
        ...

    def prepare(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a whole micrograph's grey values as the picker of this network normalises them."""
        ...

    def example(self, micrograph: LabelledMicrograph, slot: Slot, rng: np.random.Generator) -> Example:
        """Draw one augmented example; shapes are the same for all examples."""
        ...

    def loss(self, answer: Tensor, target: Tensor, epoch: int) -> Tensor:
        """Return the scalar loss of a batch, a mean over its examples where the paper allows.

        Parameters
        ----------
        answer
            What the network returned for ``(n, 1, s, s)`` images, in float32.
        target
            ``(n, ...)`` stacked targets.
        epoch
            How many epochs are over, for losses that warm up.
        """
        ...

    def optimiser(self, network: nn.Module, learning_rate: float) -> Optimizer:
        """Return the optimiser with its weight decays."""
        ...

    def rate(self, epoch: float, epochs: int, validation: Sequence[float]) -> float:
        """Return the factor on the learning rate.

        Parameters
        ----------
        epoch, epochs
            Epochs done, with fraction, and to be done.
        validation
            Validation losses of the finished epochs.
        """
        ...


class UnlabelledRecipe(Recipe, Protocol):
    """A recipe that may take places without label for what they are: unlabelled, not empty."""

    @property
    def radius_px(self) -> float:
        """Places this close to a particle's centre are positive."""
        ...

    @property
    def needs_share(self) -> bool:
        """Whether it must know the share of particles among all places."""
        ...

    @property
    def draws_negatives(self) -> bool:
        """Whether it draws places that are known to be empty."""
        ...
