"""What Topaz is taught (Bepler et al. 2019, Nat. Methods 16:1153): few labels, the rest unlabelled."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from cryopick_ray.errors import UsageError
from cryopick_ray.pickers.topaz.mixture import normalise
from cryopick_ray.pickers.topaz.networks import TopazNetwork
from cryopick_ray.pickers.topaz.picker import NORMALISATION
from cryopick_ray.training.data.labelled import LabelledMicrograph
from cryopick_ray.training.data.sampling import anywhere, negative, positive
from cryopick_ray.training.data.windows import Window
from cryopick_ray.training.recipes.objectives import NEED_PI, OBJECTIVES, SLACK
from cryopick_ray.training.recipes.painted_peaks import SIGMA, focal_loss, paint, paint_discs
from cryopick_ray.training.recipes.recipe import Example, Slot
from cryopick_ray.units import is_positive

POSITIVE_UNLABELLED = ("ge-binomial", "ge-kl", "nnpu")
"""Objectives that count on places without label being drawn evenly: pi of them are particles."""
FOCAL = "focal"
"""The heat map's objective: peaks about centres, see :func:`~.peaks.focal_loss`. Not of Topaz's paper."""
IGNORED = 0.5
"""Radius in diameters around an unsure place where the answers about a crop are not judged."""
UNJUDGED = -1.0
"""Label of such answers, and of those beyond the micrograph."""


@dataclass(frozen=True, kw_only=True)
class TopazRecipe:
    """Patches of one receptive field each: labelled particles, and places not known to be any.

    So the paper has it. Larger crops are learnt from densely: the network answers for every ``stride``-th
    place, and each answer is judged by its own label, at a fraction of the arithmetic. Objectives that
    count on an even draw of the unlabelled judge the labelled places alone of crops aimed at particles,
    and take all of the others, drawn evenly, for unlabelled.

    Attributes
    ----------
    pi
        Share of particles among all places; see
        :func:`~cryopick_ray.training.recipes.particle_share.expected_pi`.
    architecture, units
        Which network; see :class:`~cryopick_ray.pickers.topaz.networks.TopazNetwork`.
    objective
        A key of :data:`~cryopick_ray.training.recipes.objectives.OBJECTIVES`, or ``focal``, for crops alone:
        the heat map's, a peak on every centre and no particle elsewhere, which is not the paper's.
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
    crop_px
        Side of an example: ``None`` for the network's receptive field, or a multiple of its stride more.
        131 px give resnet8 16 x 16 answers for 3.4 times the arithmetic of one.
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
    crop_px: int = field(default=None)  # type: ignore[assignment]  # a number from the start on
    normalisation: str = field(default=NORMALISATION, init=False)

    def __post_init__(self) -> None:
        if self.objective not in (known := (*OBJECTIVES, FOCAL)):
            raise UsageError(f"objective is {self.objective!r}; expected one of {', '.join(known)}")
        for name in ("pi", "positive_share"):
            if not 0 < getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}; expected a share above 0 and below 1")
        for name in ("radius_px", "particle_px", "learning_rate"):
            if not is_positive(getattr(self, name)):
                raise UsageError(f"{name} is {getattr(self, name)}; expected a number above 0")
        if self.slack is not None and not is_positive(self.slack):
            raise UsageError(f"slack is {self.slack}; expected a number above 0")
        with torch.device("meta"):  # an architecture or units that are none are refused here
            self.build()
        field_px, stride = _geometry(self.architecture)
        if cast("int | None", self.crop_px) is None:
            object.__setattr__(self, "crop_px", field_px)
        if self.crop_px < field_px or (self.crop_px - field_px) % stride:
            raise UsageError(
                f"crop_px is {self.crop_px}; expected {field_px}, what one answer of {self.architecture} "
                f"sees, or a multiple of {stride} more"
            )
        if self.objective == FOCAL and not self.is_dense:
            raise UsageError(
                f"objective is {FOCAL!r} and crop_px {self.crop_px}: one answer shows no peak; give a larger "
                f"crop_px, such as {field_px + 15 * stride}"
            )

    @property
    def parameters(self) -> dict[str, int]:
        """What the card calls the network's numbers."""
        return {"units": self.units}

    @property
    def validation_chooses(self) -> bool:
        """Whether the best epoch is kept; of peaks the last, as the heat map does."""
        return self.objective != FOCAL

    @property
    def is_dense(self) -> bool:
        """Whether an example has more than one answer."""
        return len(self.answers_px) > 1

    @property
    def answers_px(self) -> NDArray[np.float64]:
        """Where the strided network's answers lie along either axis of an example, in its pixels."""
        field_px, stride = _geometry(self.architecture)
        return (field_px - 1) / 2 + stride * np.arange((self.crop_px - field_px) // stride + 1.0)

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

        Without particles in the micrograph every slot shows another place. The target of a patch is
        ``(1,)``, that of a larger crop ``(n, n)``, the labels of its answers; a particle that a crop is
        aimed at lies anywhere among them.
        """
        spread_px = np.ptp(self.answers_px) / 2 if self.is_dense else self.radius_px * micrograph.scale
        aimed = slot.falls_to(self.positive_share)
        centre = positive(micrograph, rng, jitter_px=spread_px) if aimed else None
        aimed = centre is not None
        window = Window.oriented(*(centre or self._elsewhere(micrograph, rng)), self.crop_px, rng, free=True)
        labels = np.array([aimed], np.float32)
        if self.is_dense:
            labels = self._labels(micrograph, window, aimed=aimed)
        return Example(window.cut(micrograph.image), labels)

    def loss(self, answer: Tensor, target: Tensor, epoch: int) -> Tensor:
        """Return the objective over all answers that are judged."""
        del epoch
        answer, judged = answer.reshape(target.shape), target != UNJUDGED
        if self.objective == FOCAL:
            return focal_loss(answer, target.clamp(min=0), judged.to(answer))
        if not judged.any():
            return answer.sum() * 0
        slack = SLACK.get(self.objective, 1.0) if self.slack is None else self.slack
        return OBJECTIVES[self.objective](answer[judged], target[judged], self.pi, slack)

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

    def _labels(self, micrograph: LabelledMicrograph, window: Window, *, aimed: bool) -> NDArray[np.float32]:
        """Return what the ``(n, n)`` answers about a crop should be, or that they are not judged."""
        answers_px, diameter_px = self.answers_px, self.particle_px * micrograph.scale
        grid = np.stack(np.meshgrid(answers_px, answers_px), -1).reshape(-1, 2)
        places = window.places(grid.astype(np.float32))
        height, width = micrograph.image.shape
        within = ((places >= -0.5) & (places <= (width - 0.5, height - 0.5))).all(axis=1)
        judged = within.reshape(len(answers_px), -1)
        particles = window.locate(micrograph.particles)
        if self.objective == FOCAL:
            labels = paint(particles, answers_px, SIGMA * diameter_px)
        else:
            labels = paint_discs(particles, answers_px, self.radius_px * micrograph.scale).astype(np.float32)
        if self.draws_negatives:
            judged &= ~paint_discs(window.locate(micrograph.unsure), answers_px, IGNORED * diameter_px)
        elif aimed:
            judged &= labels > 0
        else:
            labels[:] = 0
        labels[~judged] = UNJUDGED
        return labels


@cache
def _geometry(architecture: str) -> tuple[int, int]:
    """Return how many pixels one answer of a network sees along an axis, and how far apart two lie."""
    with torch.device("meta"):
        network = TopazNetwork(architecture, 1)
    return network.receptive_field_px, network.stride
