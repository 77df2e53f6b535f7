"""Our own recipe: a sharp peak on every particle, how large it is, whether one is near, which junk."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import AdamW, Optimizer

from cryopick_ray.errors import UsageError
from cryopick_ray.micrographs.junk import Junk
from cryopick_ray.pickers.heatmap.networks import (
    CENTRE,
    JUNK,
    KINDS,
    MOST,
    MULTIPLE,
    NEAR,
    SIZE,
    STRIDE,
    HeatmapNetwork,
)
from cryopick_ray.pickers.heatmap.picker import NORMALISATION, flatten
from cryopick_ray.training.data.labelled import LabelledMicrograph
from cryopick_ray.training.data.sampling import anywhere, positive
from cryopick_ray.training.data.windows import Window
from cryopick_ray.training.recipes.learning_rates import half_cosine
from cryopick_ray.training.recipes.painted_peaks import SIGMA, focal_loss, paint, paint_discs
from cryopick_ray.training.recipes.recipe import Example, Slot

REACH = 0.3
"""In diameters: so near a centre a place counts as near a particle. Picks count as hits within a half."""
PARTICLE_SHARE = 0.75
"""Part of the crops that are centred near a particle; the others lie anywhere."""
IGNORED = 0.5
"""Radius in diameters around an unsure place where answers are not judged."""
WARM_UP = 0.05
"""Part of the training in which the learning rate rises."""
MAX_JITTER = 2.0
"""Largest change of scale; beyond it a particle is no longer the size the network is for."""
SIZE_WEIGHT, NEAR_WEIGHT, JUNK_WEIGHT = 0.5, 2.0, 0.5
"""Of a particle's size, of nearness and of junk in the loss, beside its place."""
UNKNOWN = -1.0
"""Junk of micrographs of which nobody said where it lies, but where particles are labelled."""


@dataclass(frozen=True)
class HeatmapRecipe:
    """How the heat-map network is taught.

    Parameters
    ----------
    base
        Channels at the finest resolution.
    crop_px
        Side of a crop, a multiple of 16.
    scale_jitter
        Half of the crops are enlarged or reduced by up to this factor: a diameter need not be exact.
    answers
        As of a :class:`~cryopick_ray.pickers.heatmap.networks.HeatmapNetwork`.
    """

    base: int = 24
    particle_px: float = 20.0
    crop_px: int = 192
    batch: int = 8
    learning_rate: float = 2e-3
    scale_jitter: float = 1.1
    answers: int = MOST
    architecture: str = field(default="heatmap", init=False)
    normalisation: str = field(default=NORMALISATION, init=False)
    validation_chooses: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        """Refuse what no crop can have."""
        check_crops(self.crop_px, self.scale_jitter)

    @property
    def parameters(self) -> dict[str, int]:
        """The numbers the network is built with."""
        return {"base": self.base} | ({"answers": MOST} if self.answers == MOST else {})

    def build(self) -> nn.Module:
        """Return a fresh network."""
        return HeatmapNetwork(self.architecture, self.base, self.answers)

    def prepare(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the grey values as the picker sees them."""
        flat: NDArray[np.float32] = flatten(torch.from_numpy(np.array(image))[None])[0].numpy()
        return flat

    def example(self, micrograph: LabelledMicrograph, slot: Slot, rng: np.random.Generator) -> Example:
        """Draw a crop, most often with a particle in it.

        The target is ``(5, s / 2, s / 2)``: peaks, whether answers are judged, the logarithm of how many
        times larger than ``particle_px`` particles are, whether a particle is near, and the kind of junk.
        """
        centre = None
        if slot.falls_to(PARTICLE_SHARE):
            centre = positive(micrograph, rng, jitter_px=self.crop_px / 2)
        if centre is None:
            x, y = anywhere(micrograph, rng, 1)[0]
            centre = float(x), float(y)
        zoom = math.exp(rng.uniform(-1, 1) * math.log(self.scale_jitter)) if rng.integers(2) else 1.0
        x, y = inside(centre, micrograph.image.shape, math.ceil(self.crop_px / zoom))
        window = Window.oriented(x, y, self.crop_px, rng, zoom=zoom)
        image = window.cut(micrograph.image)
        size = micrograph.scale * zoom
        diameter_px = self.particle_px * size
        particles = window.locate(micrograph.particles)
        cells_px = np.arange(self.crop_px // STRIDE, dtype=np.float64) * STRIDE + (STRIDE - 1) / 2
        peaks = paint(particles, cells_px, SIGMA * diameter_px)
        near = paint_discs(particles, cells_px, REACH * diameter_px)
        near_unsure = paint_discs(window.locate(micrograph.unsure), cells_px, IGNORED * diameter_px)
        judged = window.cells_within(micrograph.image.shape, STRIDE) & ~near_unsure
        sizes = np.full_like(peaks, math.log(size))
        junk = np.where(near, np.float32(Junk.NONE), np.float32(UNKNOWN))  # what is labelled is no junk
        if micrograph.junk is not None:
            junk = window.codes(micrograph.junk)[::STRIDE, ::STRIDE].astype(np.float32)
        return Example(image, np.stack([peaks, judged, sizes, near, junk]).astype(np.float32))

    def loss(self, answer: Tensor, target: Tensor, epoch: int) -> Tensor:
        """Return the sum of the losses of all answers; see the functions of each."""
        del epoch
        peaks, judged, sizes, near, junk = target.unbind(1)
        loss = focal_loss(answer[:, CENTRE], peaks, judged)
        loss = loss + SIZE_WEIGHT * size_loss(answer[:, SIZE], sizes, (peaks == 1) * judged)
        if answer.shape[1] > NEAR:
            loss = loss + NEAR_WEIGHT * near_loss(answer[:, NEAR], near, judged)
            loss = loss + JUNK_WEIGHT * junk_loss(answer[:, JUNK:], junk, judged)
        return loss

    def optimiser(self, network: nn.Module, learning_rate: float) -> Optimizer:
        """Return AdamW with a weight decay of 0.01."""
        return AdamW(network.parameters(), learning_rate, weight_decay=0.01)

    def rate(self, epoch: float, epochs: int, validation: Sequence[float]) -> float:
        """Rise, then fall along a half cosine to nothing."""
        del validation
        return min(1.0, (epoch / epochs + 1e-3) / WARM_UP) * half_cosine(epoch, epochs)


def check_crops(crop_px: int, scale_jitter: float) -> None:
    """Refuse what no crop can have.

    Raises
    ------
    UsageError
        Its side is no multiple of what a U-Net takes, or it changes scale too much.
    """
    if crop_px < MULTIPLE or crop_px % MULTIPLE:
        raise UsageError(f"crop_px is {crop_px}; expected a multiple of {MULTIPLE}")
    if not 1 <= scale_jitter <= MAX_JITTER:
        raise UsageError(f"scale_jitter is {scale_jitter}; expected a factor from 1 to {MAX_JITTER}")


def inside(centre: tuple[float, float], shape: tuple[int, ...], seen_px: int) -> tuple[float, float]:
    """Return the centre moved so that ``seen_px`` around it lie in the micrograph, if it is large enough."""
    half = (seen_px - 1) / 2
    x, y = (
        min(max(at, half), side - 1 - half) if side > seen_px else (side - 1) / 2
        for at, side in zip(centre, reversed(shape), strict=True)
    )
    return x, y


def near_loss(logits: Tensor, near: Tensor, weights: Tensor) -> Tensor:
    """Return the mean logistic loss of ``(n, h, w)`` answers: a proper score, which makes probabilities."""
    loss = functional.binary_cross_entropy_with_logits(logits, near, reduction="none")
    return (loss * weights).sum() / weights.sum().clamp(min=1)


def junk_loss(logits: Tensor, junk: Tensor, weights: Tensor) -> Tensor:
    """Return the mean cross entropy of ``(n, kinds, h, w)`` answers where the ``(n, h, w)`` kind is known."""
    known = weights * ((junk >= 0) & (junk < KINDS))
    loss = functional.cross_entropy(logits, junk.clamp(0, KINDS - 1).long(), reduction="none")
    return (loss * known).sum() / known.sum().clamp(min=1)


def size_loss(answers: Tensor, sizes: Tensor, centres: Tensor) -> Tensor:
    """Return the mean absolute error of the logarithms of sizes at the centres; 0 without any.

    Parameters
    ----------
    answers, sizes, centres
        ``(n, h, w)``; ``centres`` is 1 where a particle is judged.
    """
    return ((answers - sizes).abs() * centres).sum() / centres.sum().clamp(min=1)
