"""DeepEM's classifiers (Zhu, Ouyang and Mao 2017, BMC Bioinformatics 18:348, table 1)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cryopick_ray.errors import ModelError
from cryopick_ray.pickers.fragments import slide

MIN_BOX_PX, MAX_BOX_PX = 24, 512
CHANNELS = (6, 12, 12)
SHARES = (1 / 8, 1 / 16, 1 / 40)
"""Kernels of the three convolutions as parts of the box, as in the paper's network for 19S."""
POOLS = (3, 2, 2)


@dataclass(frozen=True)
class LayerPlan:
    """Sides of the box and of the three kernels, in pixels of their own layers."""

    box_px: int
    kernels: tuple[int, ...]

    def sides(self) -> tuple[int, ...]:
        """Return the side after each convolution and each pooling: C1, S2, C3, S4, C5, S6."""
        sides, side = [], self.box_px
        for kernel, pool in zip(self.kernels, POOLS, strict=True):
            sides += [side - kernel + 1, (side - kernel + 1) // pool]
            side = sides[-1]
        return tuple(sides)


KLH, PROTEASOME_19S = LayerPlan(272, (51, 21, 10)), LayerPlan(160, (20, 10, 4))
FIXED = {"deepem-klh": KLH, "deepem-19s": PROTEASOME_19S}
GENERAL = "deepem"


def plan_for(architecture: str, box_px: int) -> LayerPlan:
    """Return the layers of a network.

    The general one, ``deepem``, takes kernels in proportion to the 19S network: of those of at least
    2 px that leave a side the pooling divides, the nearest to 1/8, 1/16 and 1/40 of the box, the
    smaller of two equally near. At 160 px that is the 19S network itself; at 64 px the kernels are
    8, 4 and 3.

    Raises
    ------
    ModelError
        If there is no such architecture or its box is another.
    """
    if architecture in FIXED:
        plan = FIXED[architecture]
        if box_px != plan.box_px:
            raise ModelError(f"{architecture} with box_px {box_px}; expected {plan.box_px}, or {GENERAL!r}")
        return plan
    if architecture != GENERAL:
        raise ModelError(f"unknown architecture {architecture!r}; expected one of {[*FIXED, GENERAL]}")
    if not MIN_BOX_PX <= box_px <= MAX_BOX_PX:
        raise ModelError(f"{architecture} with box_px {box_px}; expected {MIN_BOX_PX} to {MAX_BOX_PX}")
    kernels, side = [], box_px
    for share, pool in zip(SHARES, POOLS, strict=True):
        whole = [kernel for kernel in range(2, side) if (side - kernel + 1) % pool == 0]
        kernels.append(min(whole, key=lambda kernel: abs(kernel - share * box_px)))
        side = (side - kernels[-1] + 1) // pool
    return LayerPlan(box_px, tuple(kernels))


class DeepEMNetwork(nn.Module):
    """Three convolutions, each with sigmoid and mean pooling, and one sigmoid unit: particle or not.

    Parameters
    ----------
    architecture
        ``deepem-klh`` (box 272), ``deepem-19s`` (box 160) or ``deepem`` (any box, see :func:`plan_for`).
    box_px
        Side of the box in pixels.
    relu
        1 for the authors' variant with ReLU after the convolutions, slightly worse in the paper.
    """

    def __init__(self, architecture: str, box_px: int, relu: int = 0) -> None:
        super().__init__()
        if relu not in (0, 1):
            raise ModelError(f"{architecture} with relu {relu}; expected 0 or 1")
        plan = plan_for(architecture, box_px)
        self.box_px = box_px
        layers: list[nn.Module] = []
        channels_in = 1
        for channels_out, kernel, pool in zip(CHANNELS, plan.kernels, POOLS, strict=True):
            activation = nn.ReLU() if relu else nn.Sigmoid()
            layers += [nn.Conv2d(channels_in, channels_out, kernel), activation, nn.AvgPool2d(pool)]
            channels_in = channels_out
        self.convolutions = nn.Sequential(*layers)
        self.output = nn.Linear(channels_in * plan.sides()[-1] ** 2, 1)

    def forward(self, boxes: Tensor, *, step_px: int | None = None) -> Tensor:
        """Return values in 0..1, 1 for a particle.

        Parameters
        ----------
        boxes
            ``(n, 1, box_px, box_px)``: the answer is ``(n, 1)``.
        step_px
            Given that, ``(n, 1, h, w)`` are images, and the answer ``(n, 1, gh, gw)`` is about all of their
            boxes that begin so far apart.
        """
        if step_px is None:
            logits = self.output(torch.flatten(self.convolutions(boxes), 1))
        else:
            layers = [*self.convolutions, self.output]
            logits = slide(layers, boxes, size_px=self.box_px, step_px=step_px)
        return torch.sigmoid(logits.float())  # in bfloat16 it is 1 from 6.3 up, and learns no more
