"""Topaz's classifiers (Bepler et al. 2019, Nat. Methods 16:1153): one network, strided or dense.

Strided, a network answers for one patch in ``stride`` x ``stride`` pixels: what training needs.
Asked for a finer step, strides beyond that step become dilations of the layers after them
(shift-and-stitch without the stitching), and the same parameters answer for every pixel, or for every
second: ``finer[..., ::k, ::k]`` equals the output of the k times coarser step. All convolutions are valid:
an output belongs to the centre of its receptive field.
"""

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from cryopick_ray.errors import ModelError
from cryopick_ray.pickers.scoring import answered


@dataclass(frozen=True)
class TopazConv:
    """A convolution and its activation; ``width`` is in units of the network's ``units``."""

    kernel: int
    width: int
    stride: int = 1
    normalised: bool = False
    """Batch norm and PReLU (no convolution bias) instead of ReLU."""


@dataclass(frozen=True)
class Residual:
    """Two 3x3 convolutions and the centre-cropped skip; stride and dilation belong to the second."""

    width: int
    dilation: int = 1
    stride: int = 1


ARCHITECTURES: dict[str, tuple[TopazConv | Residual, ...]] = {
    "topaz-conv3": (
        TopazConv(7, 1, stride=2, normalised=True),
        TopazConv(5, 2, stride=2, normalised=True),
        TopazConv(5, 4, normalised=True),
    ),
    "topaz-resnet8": (
        TopazConv(7, 1, stride=2),
        Residual(1, dilation=2),
        Residual(2, dilation=2, stride=2),
        Residual(2, dilation=2),
        TopazConv(5, 4),
    ),
    "topaz-resnet16": (
        TopazConv(7, 1),
        Residual(1, stride=2),
        Residual(1),
        Residual(1),
        Residual(1),
        Residual(2, stride=2),
        Residual(2),
        Residual(2),
        TopazConv(5, 4),
    ),
}
"""The layers of each network; a 1x1 convolution to one logit follows."""

MAX_UNITS = 1024


class ConvLayer(nn.Module):
    """The module of a :class:`TopazConv`."""

    def __init__(self, layer: TopazConv, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.stride = layer.stride
        self.reach = layer.kernel - 1
        self.conv = nn.Conv2d(
            channels_in, channels_out, layer.kernel, layer.stride, bias=not layer.normalised
        )
        self.norm = nn.BatchNorm2d(channels_out) if layer.normalised else nn.Identity()
        self.activation = nn.PReLU() if layer.normalised else nn.ReLU(inplace=True)

    def forward(self, x: Tensor, spread: int, stride: int) -> Tensor:
        """Map ``(n, c, h, w)``; ``spread`` is how far apart neighbours lie."""
        activated: Tensor = self.activation(self.norm(_convolve(self.conv, x, spread, stride)))
        return activated


class ResidualLayer(nn.Module):
    """The module of a :class:`Residual`: relu(second(relu(first(x))) + project(crop(x)))."""

    def __init__(self, layer: Residual, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.stride = layer.stride
        self.reach = 2 * (1 + layer.dilation)
        self.first = nn.Conv2d(channels_in, channels_in, 3)
        self.second = nn.Conv2d(channels_in, channels_out, 3, layer.stride, dilation=layer.dilation)
        self.project = (
            nn.Conv2d(channels_in, channels_out, 1, bias=False) if channels_in != channels_out else None
        )

    def forward(self, x: Tensor, spread: int, stride: int) -> Tensor:
        """Map ``(n, c, h, w)``; ``spread`` is how far apart neighbours lie."""
        inner = functional.relu(_convolve(self.first, x, spread, 1), inplace=True)
        inner = _convolve(self.second, inner, spread, stride)
        crop = self.reach // 2 * spread
        skip = x[..., crop:-crop:stride, crop:-crop:stride]
        inner += skip if self.project is None else self.project(skip)
        return functional.relu(inner, inplace=True)


class TopazNetwork(nn.Module):
    """A Topaz classifier.

    Parameters
    ----------
    architecture
        A key of :data:`ARCHITECTURES`.
    units
        Channels of the first layer; the later ones have 2 and 4 times as many.

    Attributes
    ----------
    receptive_field_px
        Side of the patch that decides one output, odd.
    stride
        Distance in pixels between two outputs of the strided network.
    """

    def __init__(self, architecture: str, units: int) -> None:
        super().__init__()
        if architecture not in ARCHITECTURES:
            raise ModelError(f"unknown architecture {architecture!r}; expected one of {list(ARCHITECTURES)}")
        if not 1 <= units <= MAX_UNITS:
            raise ModelError(f"{architecture} with {units} units; expected 1 to {MAX_UNITS}")
        self.layers = nn.ModuleList()
        self.spreads = [1]  # how far apart a layer's inputs lie in the image; last: the outputs
        reach, channels_in = 0, 1
        for layer in ARCHITECTURES[architecture]:
            channels_out = layer.width * units
            module = (
                ConvLayer(layer, channels_in, channels_out)
                if isinstance(layer, TopazConv)
                else ResidualLayer(layer, channels_in, channels_out)
            )
            self.layers.append(module)
            reach += module.reach * self.spreads[-1]
            self.spreads.append(self.spreads[-1] * module.stride)
            channels_in = channels_out
        self.receptive_field_px, self.stride = reach + 1, self.spreads[-1]
        self.classifier = nn.Conv2d(channels_in, 1, 1)

    def forward(self, images: Tensor, *, step: int | None = None) -> Tensor:
        """Return logits: positive means particle.

        Parameters
        ----------
        images
            ``(n, 1, h, w)``, both sides at least ``receptive_field_px``.
        step
            Answer for every ``step``-th pixel, a divisor of ``stride``: ``(n, ceil((h - reach) / step),
            ceil((w - reach) / step))`` with ``reach = receptive_field_px - 1``; ``None`` for ``stride``.
        """
        x, reached, wanted = images, 1, step or self.stride
        for layer, (spread, after) in zip(self.layers, pairwise(self.spreads), strict=True):
            stride = after // spread if reached * after // spread <= wanted else 1
            x = layer(x, spread // reached, stride)
            reached *= stride
        return answered(self.classifier, x)[:, 0]


def _convolve(conv: nn.Conv2d, x: Tensor, spread: int, stride: int) -> Tensor:
    """Apply ``conv`` with its taps ``spread`` times further apart."""
    dilation = spread * int(conv.dilation[0])
    return functional.conv2d(x, conv.weight, conv.bias, stride=stride, dilation=dilation)
