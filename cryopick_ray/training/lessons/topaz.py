"""What Topaz is taught (Bepler et al. 2019, Nat. Methods 16:1153): few labels, the rest unlabelled."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from cryopick_ray.errors import UsageError
from cryopick_ray.pickers.topaz.networks import TopazNetwork
from cryopick_ray.pickers.topaz.normalise import normalise
from cryopick_ray.pickers.topaz.picker import NORMALISATION
from cryopick_ray.training.labelled import LabelledMicrograph
from cryopick_ray.training.lesson import Example, Slot
from cryopick_ray.training.objectives import NEED_PI, OBJECTIVES, SLACK
from cryopick_ray.training.sampling import anywhere, negative, positive
from cryopick_ray.training.windows import Window
from cryopick_ray.units import is_positive

POSITIVE_UNLABELLED = ("ge-binomial", "ge-kl", "nnpu")
"""Objectives that count on places without label being drawn evenly: pi of them are particles."""


@dataclass(frozen=True, kw_only=True)
class TopazLesson:
    """Patches of one receptive field each: labelled particles, and places not known to be any.

    Attributes
    ----------
    pi
        Share of particles among all places; see :func:`~cryopick_ray.training.prior.expected_pi`.
    architecture, units
        Which network; see :class:`~cryopick_ray.pickers.topaz.networks.TopazNetwork`.
    objective
        A key of :data:`~cryopick_ray.training.objectives.OBJECTIVES`.
    slack
        Weight of what the unlabelled must agree with: 1 for ``ge-binomial``, 10 for ``ge-kl`` in Topaz.
    radius_px
        Places this close to a particle's centre are positive, where particles are ``particle_px`` large.
    particle_px
        Pixels that a particle's diameter spans: well inside the receptive field.
    positive_share
        Part of the batch that shows labelled particles.
    batch, learning_rate
        Of Adam's updates.
    patch_px
        Side of an example: the network's receptive field.
    """

    pi: float
    architecture: str = "topaz-resnet8"
    units: int = 32
    objective: str = "ge-binomial"
    slack: float | None = None
    radius_px: float = 3.0
    particle_px: float = 24.0
    positive_share: float = 0.0625
    batch: int = 256
    learning_rate: float = 2e-4
    normalisation: str = field(default=NORMALISATION, init=False)
    validation_chooses: bool = field(default=True, init=False)
    patch_px: int = field(init=False)

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise UsageError(f"objective is {self.objective!r}; expected one of {', '.join(OBJECTIVES)}")
        for name in ("pi", "positive_share"):
            if not 0 < getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}; expected a share above 0 and below 1")
        for name in ("radius_px", "particle_px", "learning_rate"):
            if not is_positive(getattr(self, name)):
                raise UsageError(f"{name} is {getattr(self, name)}; expected a number above 0")
        if self.slack is not None and not is_positive(self.slack):
            raise UsageError(f"slack is {self.slack}; expected a number above 0")
        with torch.device("meta"):  # an architecture or units that are none are refused here
            size = TopazNetwork(self.architecture, self.units).receptive_field_px
        object.__setattr__(self, "patch_px", size)

    @property
    def parameters(self) -> dict[str, int]:
        """What the card calls the network's numbers."""
        return {"units": self.units}

    @property
    def needs_share(self) -> bool:
        """Whether the objective is told the share of particles."""
        return self.objective in NEED_PI

    @property
    def draws_negatives(self) -> bool:
        """Whether the objective is shown places that are no particle as far as labelled."""
        return self.objective not in POSITIVE_UNLABELLED

    def build(self) -> nn.Module:
        """Return a fresh network, its weights drawn as torch draws a convolution's."""
        return TopazNetwork(self.architecture, self.units)

    def prepare(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the micrograph with its ice at zero mean and unit standard deviation."""
        return normalise(image)

    def example(self, micrograph: LabelledMicrograph, slot: Slot, rng: np.random.Generator) -> Example:
        """Draw a patch around a particle or around another place, turned freely and flipped at random.

        Without particles in the micrograph every slot shows another place.
        """
        centre = None
        if slot.falls_to(self.positive_share):
            centre = positive(micrograph, rng, jitter_px=self.radius_px * micrograph.scale)
        labelled = centre is not None
        if centre is None:
            centre = self._elsewhere(micrograph, rng)
        window = Window.oriented(*centre, self.patch_px, rng, free=True)
        return Example(window.cut(micrograph.image), np.array([labelled], np.float32))

    def loss(self, answer: Tensor, target: Tensor, epoch: int) -> Tensor:
        """Return the objective; a patch as large as the receptive field has one answer."""
        del epoch
        slack = SLACK.get(self.objective, 1.0) if self.slack is None else self.slack
        return OBJECTIVES[self.objective](answer.flatten(), target.flatten(), self.pi, slack)

    def optimiser(self, network: nn.Module, learning_rate: float) -> Optimizer:
        """Return Adam without weight decay."""
        return torch.optim.Adam(network.parameters(), learning_rate)

    def rate(self, epoch: float, epochs: int, validation: Sequence[float]) -> float:
        """Fall along a line to nothing; Topaz keeps it, and needs many more updates."""
        del validation
        return 1 - epoch / epochs

    def _elsewhere(self, micrograph: LabelledMicrograph, rng: np.random.Generator) -> tuple[float, float]:
        """Return any place for objectives that know pi, else one that is no particle as far as labelled.

        pi is the share of particles among all places, so the unlabelled are drawn from all of them,
        those with a label included, however many labels there are.
        """
        if not self.draws_negatives:
            x, y = anywhere(micrograph, rng, 1)[0]
            return float(x), float(y)
        return negative(micrograph, rng, distance_px=self.radius_px * micrograph.scale)
