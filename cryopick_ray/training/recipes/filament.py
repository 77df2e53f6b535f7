"""The filament network's recipe: ridges on the axes of filaments, their directions, which junk."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import AdamW, Optimizer

from cryopick_ray.micrographs.junk import Junk
from cryopick_ray.pickers.filament.networks import COS2, JUNK, RIDGE, FilamentNetwork
from cryopick_ray.pickers.heatmap.networks import STRIDE
from cryopick_ray.pickers.heatmap.picker import NORMALISATION, flatten
from cryopick_ray.training.data.labelled import LabelledMicrograph
from cryopick_ray.training.data.sampling import anywhere
from cryopick_ray.training.data.windows import Window
from cryopick_ray.training.recipes.heatmap import MAX_JITTER, UNKNOWN, check_crops, inside, junk_loss
from cryopick_ray.training.recipes.learning_rates import half_cosine
from cryopick_ray.training.recipes.painted_ridges import STEP_PX, paint_ridges
from cryopick_ray.training.recipes.recipe import Example, Slot

FILAMENT_SHARE = 0.75
"""Part of the crops that show a filament, where there are any; the others lie anywhere."""
ON_RIDGE = 0.3
"""Height of a ridge from which its direction is judged."""
WARM_UP = 0.05
"""Part of the training in which the learning rate rises."""
DIRECTION_WEIGHT, JUNK_WEIGHT = 0.5, 0.5
"""In the loss, beside the ridges."""
RIDGE_WEIGHT = 10.0
"""Of the loss of ridges, of which a cell of the map seldom has any."""


@dataclass(frozen=True)
class FilamentRecipe:
    """How the filament network is taught.

    Parameters
    ----------
    base
        Channels at the finest resolution.
    particle_px
        Pixels that a filament's width spans.
    crop_px
        Side of a crop, a multiple of 16.
    scale_jitter
        Half of the crops are enlarged or reduced by up to this factor: a width need not be exact. Crops
        without filaments by up to twice: what looks like one at any size is none.
    """

    base: int = 24
    particle_px: float = 10.0
    crop_px: int = 192
    batch: int = 8
    learning_rate: float = 2e-3
    scale_jitter: float = 1.15
    architecture: str = field(default="filament", init=False)
    normalisation: str = field(default=NORMALISATION, init=False)
    validation_chooses: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        """Refuse what no crop can have."""
        check_crops(self.crop_px, self.scale_jitter)

    @property
    def parameters(self) -> dict[str, int]:
        """The numbers the network is built with."""
        return {"base": self.base}

    def build(self) -> nn.Module:
        """Return a fresh network."""
        return FilamentNetwork(self.architecture, self.base)

    def prepare(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the grey values as the picker sees them."""
        flat: NDArray[np.float32] = flatten(torch.from_numpy(np.array(image))[None])[0].numpy()
        return flat

    def example(self, micrograph: LabelledMicrograph, slot: Slot, rng: np.random.Generator) -> Example:
        """Draw a crop, most often with a filament in it.

        The target is ``(5, s / 2, s / 2)``: ridges, ``cos 2a`` and ``sin 2a`` of their directions, whether
        answers are judged, and the kind of junk.
        """
        centre = None
        if micrograph.filaments and slot.falls_to(FILAMENT_SHARE):
            centre = _on_filament(micrograph, rng, self.crop_px / 3)
        if centre is None:
            x, y = anywhere(micrograph, rng, 1)[0]
            centre = float(x), float(y)
        jitter = self.scale_jitter if micrograph.filaments else MAX_JITTER
        zoom = math.exp(rng.uniform(-1, 1) * math.log(jitter)) if rng.integers(2) else 1.0
        x, y = inside(centre, micrograph.image.shape, math.ceil(self.crop_px / zoom))
        window = Window.oriented(x, y, self.crop_px, rng, zoom=zoom)
        cells_px = np.arange(self.crop_px // STRIDE, dtype=np.float64) * STRIDE + (STRIDE - 1) / 2
        axes = [
            window.locate(filament.dense(STEP_PX).astype(np.float32)) for filament in micrograph.filaments
        ]
        ridges = paint_ridges(axes, cells_px, self.particle_px * micrograph.scale * zoom)
        judged = window.cells_within(micrograph.image.shape, STRIDE)
        junk = np.where(ridges.height > ON_RIDGE, np.float32(Junk.NONE), np.float32(UNKNOWN))
        if micrograph.junk is not None:
            junk = window.codes(micrograph.junk)[::STRIDE, ::STRIDE].astype(np.float32)
        target = np.stack([ridges.height, ridges.cos2, ridges.sin2, judged, junk]).astype(np.float32)
        return Example(window.cut(micrograph.image), target)

    def loss(self, answer: Tensor, target: Tensor, epoch: int) -> Tensor:
        """Return the sum of the losses of ridges, directions and junk; see the functions of each."""
        del epoch
        height, cos2, sin2, judged, junk = target.unbind(1)
        loss = RIDGE_WEIGHT * ridge_loss(answer[:, RIDGE], height, judged)
        axis = torch.stack([cos2, sin2], dim=1)
        on_ridge = (height > ON_RIDGE) * judged
        loss = loss + DIRECTION_WEIGHT * direction_loss(answer[:, COS2:JUNK], axis, on_ridge)
        return loss + JUNK_WEIGHT * junk_loss(answer[:, JUNK:], junk, judged)

    def optimiser(self, network: nn.Module, learning_rate: float) -> Optimizer:
        """Return AdamW with a weight decay of 0.01."""
        return AdamW(network.parameters(), learning_rate, weight_decay=0.01)

    def rate(self, epoch: float, epochs: int, validation: Sequence[float]) -> float:
        """Rise, then fall along a half cosine to nothing."""
        del validation
        return min(1.0, (epoch / epochs + 1e-3) / WARM_UP) * half_cosine(epoch, epochs)


def _on_filament(
    micrograph: LabelledMicrograph, rng: np.random.Generator, jitter_px: float
) -> tuple[float, float]:
    """Return a place on a filament, long ones as often as they are long, off by up to ``jitter_px``."""
    lengths = np.array([filament.length_px for filament in micrograph.filaments])
    trace = micrograph.filaments[rng.choice(len(lengths), p=lengths / lengths.sum())]
    x, y = trace.at(rng.uniform(0, trace.length_px, 1))[0] + rng.uniform(-jitter_px, jitter_px, 2)
    return float(x), float(y)


def ridge_loss(logits: Tensor, height: Tensor, weights: Tensor) -> Tensor:
    """Return the mean logistic loss of ``(n, h, w)`` answers: least at the ridge that is expected there."""
    loss = functional.binary_cross_entropy_with_logits(logits, height, reduction="none")
    return (loss * weights).sum() / weights.sum().clamp(min=1)


def direction_loss(answers: Tensor, axis: Tensor, weights: Tensor) -> Tensor:
    """Return the mean squared distance of ``(n, 2, h, w)`` double-angle vectors on the ridges."""
    loss = ((answers - axis) ** 2).sum(dim=1)
    return (loss * weights).sum() / weights.sum().clamp(min=1)
