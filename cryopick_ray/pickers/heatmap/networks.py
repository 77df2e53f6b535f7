"""The heat-map network: a U-Net at half resolution, about a million parameters.

The first layer folds 2 x 2 pixels into channels, so nothing is lost and every later layer costs a
quarter; four resolutions see about nine particle diameters, enough to tell a particle from an edge of
carbon or a clump (Ronneberger et al. 2015, arXiv:1505.04597, for the shape of the network).
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from cryopick_ray.errors import ModelError
from cryopick_ray.pickers.heatmap.enlarging import FoldedUp
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
CENTRE, SIZE, NEAR, JUNK = range(4)
"""Places of the answers; from the last on one for each kind of junk, ``NONE`` first."""
KINDS = 6
"""Kinds of junk that are told apart: those below :attr:`~cryopick_ray.micrographs.junk.Junk.MASKED`."""
FEWEST, MOST = 2, JUNK + KINDS
"""Answers of the first models, which know centres and sizes alone, and of those that know all."""
CENTRE_LOGIT, NEAR_LOGIT, CLEAR_LOGIT = -4.0, -2.5, 4.0
"""Biases: at the start almost nothing is a particle or near one, or junk, as in a micrograph."""


class UNet(nn.Module):
    """From ``(n, 1, h, w)`` images to answers at every second pixel of either axis.

    Parameters
    ----------
    base
        Channels at the finest resolution: 24 make 1.1 million parameters.
    prior
        What it answers at the start, one number for each answer.
    """

    def __init__(self, base: int, prior: Sequence[float]) -> None:
        super().__init__()
        widths = [base * width for width in WIDTHS]
        incoming = [STRIDE * STRIDE, *widths[:-1]]
        self.down = nn.ModuleList(ConvPair(*ends) for ends in zip(incoming, widths, strict=True))
        joined = [(fine + coarse, fine) for fine, coarse in pairwise(widths)]
        self.up = nn.ModuleList(Up(*ends) for ends in joined)
        self.pool = MaxPool2()
        self.head = nn.Conv2d(base, len(prior), 1)
        nn.init.zeros_(self.head.weight)
        self.head.bias = nn.Parameter(torch.tensor(prior))

    def forward(self, images: Tensor) -> Tensor:
        """Return all answers; sides of ``images`` must be multiples of :data:`MULTIPLE`."""
        x = functional.pixel_unshuffle(images, STRIDE)
        skips = []
        for level, pair in enumerate(self.down):
            x = pair(self.pool(x) if level else x)
            skips.append(x)
        for pair, skip in zip(reversed(self.up), reversed(skips[:-1]), strict=True):
            x = pair(skip, x)
        return answered(self.head, x)


class HeatmapNetwork(UNet):
    """A U-Net from ``(n, 1, h, w)`` images to ``(n, answers, h / 2, w / 2)`` answers.

    The first is the logit of a particle's centre, sharp, for peaks; the second, where there is one, the
    natural logarithm of the particle's size relative to the one that images are scaled for; the third the
    logit of the probability that some particle's centre is near; the others, through a softmax, those of
    what lies there (:class:`~cryopick_ray.micrographs.junk.Junk`).

    Parameters
    ----------
    architecture
        ``heatmap``.
    base
        Channels at the finest resolution.
    answers
        9, or 2 for models that know neither nearness nor junk.
    """

    def __init__(self, architecture: str, base: int, answers: int = FEWEST) -> None:
        if architecture != "heatmap":
            raise ModelError(f"unknown architecture {architecture!r}; expected 'heatmap'")
        if not 1 <= base <= MAX_BASE:
            raise ModelError(f"heatmap with {base} base channels; expected 1 to {MAX_BASE}")
        if answers not in (FEWEST, MOST):
            raise ModelError(f"heatmap with {answers} answers; expected {FEWEST} or {MOST}")
        prior = [CENTRE_LOGIT, 0.0, NEAR_LOGIT, CLEAR_LOGIT, *[0.0] * (KINDS - 1)]
        super().__init__(base, prior[:answers])
        self.register_load_state_dict_pre_hook(_widened)  # type: ignore[no-untyped-call]  # as torch has it


def _widened(network: HeatmapNetwork, state: dict[str, Tensor], *_: object) -> None:
    """Let a network of all answers begin with the tensors of an older one, its own where that has none."""
    for name, own in network.head.state_dict(prefix="head.").items():
        given = state.get(name)
        if given is not None and len(given) == FEWEST < len(own):
            state[name] = torch.cat([given, own[FEWEST:].to(given)])


class ConvPair(nn.Sequential):
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


class Up(ConvPair):
    """A pair about a fine map and a coarse one, which is enlarged twice."""

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:  # type: ignore[override]  # a sequence takes one
        """Return ``(n, c, h, w)`` of fine maps of that shape and ``(n, k, h / 2, w / 2)`` coarse ones."""
        x = torch.cat([fine, functional.interpolate(coarse, scale_factor=2.0)], dim=1)
        for layer in self:
            x = layer(x)
        return x

    def folded(self) -> nn.Module:
        """Return the same for answering on a CPU."""
        first, second = (layer for layer in self if isinstance(layer, nn.Conv2d))
        return FoldedUp(first, second)
