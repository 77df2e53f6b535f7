"""crYOLO's networks (Wagner et al. 2019, Commun. Biol. 2:218, and its public manual).

A convolutional network reads the whole image at once; each cell of a grid, ``STRIDE`` pixels a side,
answers whether a particle's centre lies in it and with which box. Both networks are fully convolutional.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from cryopick_ray.errors import ModelError
from cryopick_ray.pickers.pooling import MaxPool2

STRIDE = 16
"""Side of a grid cell in pixels of the image."""
ANSWERS = 5
"""Numbers a cell answers: t_x, t_y, t_w, t_h and t_c, all raw (see ``boxes.decode``)."""
SLOPE = 0.1
DROPOUT = 0.2
MAX_WIDTH = 128


@dataclass(frozen=True)
class CryoloConv:
    """A convolution with batch norm (no bias) and leaky ReLU; ``width`` in widths of the first layer."""

    width: int
    kernel: int = 3


POOL = 2
"""A 2x2 max-pool."""
Layers = tuple[CryoloConv | int, ...]

TRUNK: Layers = (
    *(CryoloConv(1), POOL),
    *(CryoloConv(2), POOL),
    *(CryoloConv(4), CryoloConv(2, 1), CryoloConv(4), POOL),
    *(CryoloConv(8), CryoloConv(4, 1), CryoloConv(8), POOL),
    *(CryoloConv(16), CryoloConv(8, 1), CryoloConv(16), CryoloConv(8, 1), CryoloConv(16)),
)
"""What both networks begin with: 13 convolutions, down to a grid of 16 px."""


@dataclass(frozen=True)
class BlockPlan:
    """What follows the trunk.

    Attributes
    ----------
    head
        Layers after the trunk.
    skip, join
        Where the head goes on to 32 px, its result is enlarged twice and joined, channel by channel,
        with the ``skip`` convolution of the trunk's; ``join`` follows.
    """

    head: Layers
    skip: CryoloConv | None = None
    join: CryoloConv | None = None


ARCHITECTURES = {
    "cryolo-16": BlockPlan((CryoloConv(32), CryoloConv(16, 1), CryoloConv(32))),
    "cryolo-phosaurus": BlockPlan(
        (
            POOL,
            CryoloConv(32),
            CryoloConv(16, 1),
            CryoloConv(32),
            CryoloConv(16, 1),
            CryoloConv(32),
            CryoloConv(32),
            CryoloConv(32),
        ),
        skip=CryoloConv(8, 1),
        join=CryoloConv(32),
    ),
}
"""The paper's network (16 convolutions, 14.6 million parameters at width 32) and PhosaurusNet.

Of PhosaurusNet public sources give the size (50.6 million), the finest stride (32), the enlargement
and the 1x1 skip of 256 channels; the layers between are those of YOLOv2's head (Redmon & Farhadi 2017,
arXiv 1612.08242), which have that size.
"""


class CryoloNetwork(nn.Module):
    """A crYOLO network.

    Parameters
    ----------
    architecture
        A key of :data:`ARCHITECTURES`.
    width
        Channels of the first layer; all others in proportion. 32 is the paper's plan, a narrower one
        can be trained without a GPU.

    Attributes
    ----------
    multiple_px
        The image's sides are multiples of this.
    reach_px
        How far from a cell the pixels lie that decide its answer, rounded up to ``multiple_px``.
    """

    def __init__(self, architecture: str, width: int = 32) -> None:
        super().__init__()
        if architecture not in ARCHITECTURES:
            raise ModelError(f"unknown architecture {architecture!r}; expected one of {list(ARCHITECTURES)}")
        if not 1 <= width <= MAX_WIDTH:
            raise ModelError(f"{architecture} of width {width}; expected 1 to {MAX_WIDTH}")
        plan = ARCHITECTURES[architecture]
        inside, deep = _last_width(TRUNK), _last_width(plan.head)
        self.trunk = _sequence(TRUNK, 1, width)
        self.head = _sequence(plan.head, inside * width, width)
        self.skip = None if plan.skip is None else _convolution(plan.skip, inside * width, width)
        self.join = None
        if plan.skip is not None and plan.join is not None:
            self.join = _convolution(plan.join, (deep + plan.skip.width) * width, width)
            deep = plan.join.width
        self.dropout = nn.Dropout(DROPOUT)
        self.detection = nn.Conv2d(deep * width, ANSWERS, 1)
        self.multiple_px, self.reach_px = _geometry(plan)

    def forward(self, images: Tensor) -> Tensor:
        """Return the raw answers ``(n, 5, h / 16, w / 16)`` to ``(n, 1, h, w)`` images.

        Both sides must be multiples of ``multiple_px``.
        """
        trunk = self.trunk(images)
        deep = self.head(trunk)
        if self.skip is not None and self.join is not None:
            enlarged = functional.interpolate(deep, scale_factor=2.0, mode="nearest")
            deep = self.join(torch.cat([self.skip(trunk), enlarged], dim=1))
        answers: Tensor = self.detection(self.dropout(deep))
        return answers


def _convolution(conv: CryoloConv, channels_in: int, unit: int) -> nn.Sequential:
    channels = conv.width * unit
    return nn.Sequential(
        nn.Conv2d(channels_in, channels, conv.kernel, padding=conv.kernel // 2, bias=False),
        nn.BatchNorm2d(channels),
        _activation(),
    )


def _activation() -> nn.LeakyReLU:
    return nn.LeakyReLU(SLOPE, inplace=True)


def _sequence(layers: Layers, channels: int, unit: int) -> nn.Sequential:
    modules: list[nn.Module] = []
    for layer, following in zip(layers, (*layers[1:], None), strict=True):
        if isinstance(layer, CryoloConv):
            made = _convolution(layer, channels, unit)
            # the largest of four values is the same before and after an activation that rises, and
            # pooled values are a quarter of the work
            modules.append(made[:2] if following == POOL else made)
            channels = layer.width * unit
        else:
            modules.append(nn.Sequential(MaxPool2(), _activation()) if modules else MaxPool2())
    return nn.Sequential(*modules)


def _last_width(layers: Layers) -> int:
    return [layer.width for layer in layers if isinstance(layer, CryoloConv)][-1]


def _geometry(plan: BlockPlan) -> tuple[int, int]:
    """Return the coarsest stride, and how far an answer sees beyond its cell in multiples of it."""
    stride, reach = 1, 0
    for layer in (*TRUNK, *plan.head):
        if isinstance(layer, CryoloConv):
            reach += layer.kernel // 2 * stride
        else:
            stride *= layer
    if plan.join is not None:
        reach += plan.join.kernel // 2 * STRIDE + (stride - STRIDE)
    return stride, -(-reach // stride) * stride
