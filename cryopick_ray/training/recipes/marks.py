"""A heat-map network learns a few marks of a person, and is held to what it said before everywhere else."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import AdamW, Optimizer

from cryopick_ray.micrographs.junk import Junk
from cryopick_ray.pickers.heatmap.networks import CENTRE, JUNK, MOST, NEAR, SIZE, STRIDE, HeatmapNetwork
from cryopick_ray.pickers.heatmap.picker import NORMALISATION
from cryopick_ray.training.data.labelled import LabelledMicrograph
from cryopick_ray.training.data.sampling import anywhere
from cryopick_ray.training.data.windows import Window
from cryopick_ray.training.recipes.heatmap import REACH, HeatmapRecipe, near_loss
from cryopick_ray.training.recipes.learning_rates import half_cosine
from cryopick_ray.training.recipes.painted_peaks import SIGMA, focal_loss, paint, paint_discs
from cryopick_ray.training.recipes.recipe import Example, Slot

MARK_SHARE = 0.75
"""Part of the crops that show a mark, a particle as often as a wrong place; the others lie anywhere."""
OFF_CENTRE = 0.4
"""How far from a crop's middle its mark lies at most, in sides of the crop."""
MARKED = 0.5
"""Diameters around a mark within which the mark counts and not what was said before."""
WARM_UP = 0.1
"""Part of the training in which the learning rate rises."""
HELD_WEIGHT, SIZE_WEIGHT, JUNK_WEIGHT = 4.0, 0.5, 0.5
"""Of what was said before of centres and nearness, of sizes and of junk."""
STUDENT, TEACHER = "student", "teacher"


class HeldNetwork(nn.Module):
    """A network that learns, and the one that it was: both answer, ``(n, 2 * answers, h / 2, w / 2)``.

    Statistics of batch norm stay what they were: a few crops of two micrographs are too few for others.

    Parameters
    ----------
    build
        Makes a network.
    """

    def __init__(self, build: HeatmapNetwork) -> None:
        super().__init__()
        self.student = build
        self.teacher = deepcopy(build).requires_grad_(requires_grad=False)

    def train(self, mode: bool = True) -> Self:
        """Learn, or answer, with the statistics of batch norm as they are."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Return the answers of the student, then those of the teacher."""
        with torch.no_grad():
            before = self.teacher(images)
        return torch.cat([self.student(images), before], dim=1)


def doubled(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of a :class:`HeldNetwork` that begins as a model is."""
    return {f"{part}.{name}": value for part in (STUDENT, TEACHER) for name, value in weights.items()}


def learnt(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the student's weights of those of a :class:`HeldNetwork`."""
    start = f"{STUDENT}."
    return {name.removeprefix(start): value for name, value in weights.items() if name.startswith(start)}


@dataclass(frozen=True)
class MarksRecipe:
    """How marks are taught.

    Parameters
    ----------
    base, particle_px
        As of a :class:`~cryopick_ray.training.recipes.heatmap.HeatmapRecipe`.
    crop_px
        Side of a crop, a multiple of 16.
    hold
        Weight of what the network said before where nobody marked anything, beside what is marked.
    """

    base: int
    particle_px: float
    crop_px: int = 128
    batch: int = 6
    learning_rate: float = 3e-4
    hold: float = 3.0
    architecture: str = field(default="heatmap", init=False)
    normalisation: str = field(default=NORMALISATION, init=False)
    validation_chooses: bool = field(default=False, init=False)

    @property
    def _whole(self) -> HeatmapRecipe:
        return HeatmapRecipe(base=self.base, particle_px=self.particle_px, crop_px=self.crop_px)

    @property
    def parameters(self) -> dict[str, int]:
        """The numbers the network is built with."""
        return self._whole.parameters

    def build(self) -> nn.Module:
        """Return a fresh network, twice."""
        return HeldNetwork(HeatmapNetwork(self.architecture, self.base, MOST))

    def prepare(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the grey values as the picker sees them."""
        return self._whole.prepare(image)

    def example(self, micrograph: LabelledMicrograph, slot: Slot, rng: np.random.Generator) -> Example:
        """Draw a crop, most often with a mark in it.

        The target is ``(4, s / 2, s / 2)``: peaks, whether a marked particle is near, whether a wrong place
        is, and whether anything is judged.
        """
        x, y = self._middle(micrograph, slot, rng)
        height, width = micrograph.image.shape
        window = Window.oriented(
            _within(x, width, self.crop_px), _within(y, height, self.crop_px), self.crop_px, rng
        )
        cells_px = np.arange(self.crop_px // STRIDE, dtype=np.float64) * STRIDE + (STRIDE - 1) / 2
        particles, false = window.locate(micrograph.particles), window.locate(micrograph.false)
        peaks = paint(particles, cells_px, SIGMA * self.particle_px)
        near = paint_discs(particles, cells_px, REACH * self.particle_px)
        marked = paint_discs(particles, cells_px, MARKED * self.particle_px)
        wrong = paint_discs(false, cells_px, MARKED * self.particle_px) & ~marked
        judged = window.cells_within((height, width), STRIDE)
        target = np.stack([peaks, near, marked + 2.0 * wrong, judged]).astype(np.float32)
        return Example(window.cut(micrograph.image), target)

    def _middle(
        self, micrograph: LabelledMicrograph, slot: Slot, rng: np.random.Generator
    ) -> tuple[float, float]:
        """Return where a crop lies: about a mark of either kind, or anywhere."""
        kinds = [one for one in (micrograph.particles, micrograph.false) if len(one)]
        if not (kinds and slot.falls_to(MARK_SHARE)):
            x, y = anywhere(micrograph, rng, 1)[0]
            return float(x), float(y)
        own = kinds[rng.integers(len(kinds))]
        x, y = own[rng.integers(len(own))] + rng.uniform(-1, 1, 2) * OFF_CENTRE * self.crop_px
        return float(x), float(y)

    def loss(self, answer: Tensor, target: Tensor, epoch: int) -> Tensor:
        """Return how far the answers are from the marks, and from what was said before elsewhere."""
        del epoch
        student, teacher = answer.chunk(2, dim=1)
        peaks, near, kind, judged = target.unbind(1)
        marked, wrong = (kind == 1) * judged, (kind == 2) * judged
        loss = near_loss(student[:, NEAR], near, near * marked)
        loss = loss + near_loss(student[:, NEAR], torch.zeros_like(near), wrong)
        loss = loss + focal_loss(student[:, CENTRE], peaks, marked + wrong)
        loss = loss + JUNK_WEIGHT * _clear_loss(student[:, JUNK:], near * marked)
        return loss + self.hold * held_loss(student, teacher, (kind == 0) * judged)

    def optimiser(self, network: nn.Module, learning_rate: float) -> Optimizer:
        """Return Adam; nothing but the hold draws weights anywhere."""
        own = [parameter for parameter in network.parameters() if parameter.requires_grad]
        return AdamW(own, learning_rate, weight_decay=0.0)

    def rate(self, epoch: float, epochs: int, validation: Sequence[float]) -> float:
        """Rise, then fall along a half cosine to nothing."""
        del validation
        return min(1.0, (epoch / epochs + 1e-3) / WARM_UP) * half_cosine(epoch, epochs)


def held_loss(student: Tensor, teacher: Tensor, weights: Tensor) -> Tensor:
    """Return how far ``(n, answers, h, w)`` answers are from those before, where ``(n, h, w)`` weights say.

    Centres and nearness by the cross entropy of probabilities (Hinton et al. 2015, arXiv:1503.02531), junk
    likewise, sizes by their logarithms.
    """
    total = weights.sum().clamp(min=1)
    apart = sum(
        functional.binary_cross_entropy_with_logits(
            student[:, at], torch.sigmoid(teacher[:, at]), reduction="none"
        )
        for at in (CENTRE, NEAR)
    )
    junk = -(torch.softmax(teacher[:, JUNK:], 1) * torch.log_softmax(student[:, JUNK:], 1)).sum(1)
    sizes = (student[:, SIZE] - teacher[:, SIZE]).abs()
    each = HELD_WEIGHT * apart + SIZE_WEIGHT * sizes + JUNK_WEIGHT * junk
    return (each * weights).sum() / total


def _clear_loss(junk: Tensor, weights: Tensor) -> Tensor:
    """Return how surely ``(n, kinds, h, w)`` answers call junk what is a particle."""
    loss = -torch.log_softmax(junk, 1)[:, Junk.NONE]
    return (loss * weights).sum() / weights.sum().clamp(min=1)


def _within(at: float, side: int, seen_px: int) -> float:
    """Return the middle of a crop moved into a micrograph's side, if that is large enough."""
    half = (seen_px - 1) / 2
    return min(max(at, half), side - 1 - half) if side > seen_px else (side - 1) / 2
