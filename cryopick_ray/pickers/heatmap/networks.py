"""The heat-map network: a U-Net at half resolution, about a million parameters.

The first layer folds 2 x 2 pixels into channels, so nothing is lost and every later layer costs a
quarter; four resolutions see about nine particle diameters, enough to tell a particle from an edge of
carbon or a clump (Ronneberger et al. 2015, arXiv:1505.04597, for the shape of the network).
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from cryopick_ray.errors import ModelError
from cryopick_ray.pickers.pooling import MaxPool2
from cryopick_ray.pickers.scoring import answered

STRIDE = 2
"""Pixels of the image to one of the heat map."""
WIDTHS = (1, 2, 4, 8)
"""Channels at each resolution, in units of ``base``."""
MULTIPLE = STRIDE * 2 ** (len(WIDTHS) - 1)
"""Sides of an image must be multiples of this many pixels."""
REACH_PX = 96
"""How far beyond a block of :data:`MULTIPLE` pixels those lie that decide its answers (92), rounded up."""
MAX_BASE = 256
PRIOR_LOGIT = -4.0
"""Bias of the centres' answer: at the start almost nothing is a particle, as in a micrograph."""


class HeatmapNetwork(nn.Module):
    """A U-Net from ``(n, 1, h, w)`` images to ``(n, 2, h / 2, w / 2)`` answers.

    The first is the logit of a particle's centre; the second, where there is one, the natural logarithm of
    the particle's size relative to the one that images are scaled for.

    Parameters
    ----------
    architecture
        ``heatmap``.
    base
        Channels at the finest resolution: 24 make 1.1 million parameters.
    """

    def __init__(self, architecture: str, base: int) -> None:
        super().__init__()
        if architecture != "heatmap":
            raise ModelError(f"unknown architecture {architecture!r}; expected 'heatmap'")
        if not 1 <= base <= MAX_BASE:
            raise ModelError(f"heatmap with {base} base channels; expected 1 to {MAX_BASE}")
        widths = [base * width for width in WIDTHS]
        incoming = [STRIDE * STRIDE, *widths[:-1]]
        self.down = nn.ModuleList(Pair(*ends) for ends in zip(incoming, widths, strict=True))
        joined = [(fine + coarse, fine) for fine, coarse in pairwise(widths)]
        self.up = nn.ModuleList(Pair(*ends) for ends in joined)
        self.pool = MaxPool2()
        self.head = nn.Conv2d(base, 2, 1)
        nn.init.zeros_(self.head.weight)
        self.head.bias = nn.Parameter(torch.tensor([PRIOR_LOGIT, 0.0]))

    def forward(self, images: Tensor) -> Tensor:
        """Return both answers; sides of ``images`` must be multiples of :data:`MULTIPLE`."""
        x = functional.pixel_unshuffle(images, STRIDE)
        skips = []
        for level, pair in enumerate(self.down):
            x = pair(self.pool(x) if level else x)
            skips.append(x)
        for pair, skip in zip(reversed(self.up), reversed(skips[:-1]), strict=True):
            x = pair(torch.cat([skip, functional.interpolate(x, scale_factor=2.0)], dim=1))
        return answered(self.head, x)


class Pair(nn.Sequential):
    """Two 3x3 convolutions, each with batch norm and ReLU."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        layers: list[nn.Module] = []
        for channels in (channels_in, channels_out):
            layers += [
                nn.Conv2d(channels, channels_out, 3, padding=1, bias=False),
                nn.BatchNorm2d(channels_out),
                nn.ReLU(inplace=True),
            ]
        super().__init__(*layers)
