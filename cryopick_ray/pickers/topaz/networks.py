"""Topaz's classifiers (Bepler et al. 2019, Nat. Methods 16:1153): one network, strided or dense.

Strided, a network answers for one patch in ``stride`` x ``stride`` pixels: what training needs.
Dense, every stride becomes a dilation of the layers after it (shift-and-stitch without the
stitching), and the same parameters answer for every pixel: ``dense[..., ::stride, ::stride]`` equals
the strided output. All convolutions are valid: an output belongs to the centre of its receptive field.
"""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from cryopick_ray.errors import ModelError


@dataclass(frozen=True)
class Conv:
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


ARCHITECTURES: dict[str, tuple[Conv | Residual, ...]] = {
    "topaz-conv3": (
        Conv(7, 1, stride=2, normalised=True),
        Conv(5, 2, stride=2, normalised=True),
        Conv(5, 4, normalised=True),
    ),
    "topaz-resnet8": (
        Conv(7, 1, stride=2),
        Residual(1, dilation=2),
        Residual(2, dilation=2, stride=2),
        Residual(2, dilation=2),
        Conv(5, 4),
    ),
    "topaz-resnet16": (
        Conv(7, 1),
        Residual(1, stride=2),
        Residual(1),
        Residual(1),
        Residual(1),
        Residual(2, stride=2),
        Residual(2),
        Residual(2),
        Conv(5, 4),
    ),
}
"""The layers of each network; a 1x1 convolution to one logit follows."""

MAX_UNITS = 1024


class ConvLayer(nn.Module):
    """The module of a :class:`Conv`."""

    def __init__(self, layer: Conv, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.stride = layer.stride
        self.reach = layer.kernel - 1
        self.conv = nn.Conv2d(
            channels_in, channels_out, layer.kernel, layer.stride, bias=not layer.normalised
        )
        self.norm = nn.BatchNorm2d(channels_out) if layer.normalised else nn.Identity()
        self.activation = nn.PReLU() if layer.normalised else nn.ReLU(inplace=True)

    def forward(self, x: Tensor, spread: int | None) -> Tensor:
        """Map ``(n, c, h, w)``; ``spread`` is how far apart neighbours lie (None: strided)."""
        activated: Tensor = self.activation(self.norm(_convolve(self.conv, x, spread)))
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

    def forward(self, x: Tensor, spread: int | None) -> Tensor:
        """Map ``(n, c, h, w)``; ``spread`` is how far apart neighbours lie (None: strided)."""
        inner = functional.relu(_convolve(self.first, x, spread), inplace=True)
        inner = _convolve(self.second, inner, spread)
        crop, step = self.reach // 2 * (spread or 1), self.stride if spread is None else 1
        skip = x[..., crop:-crop:step, crop:-crop:step]
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
                if isinstance(layer, Conv)
                else ResidualLayer(layer, channels_in, channels_out)
            )
            self.layers.append(module)
            reach += module.reach * self.spreads[-1]
            self.spreads.append(self.spreads[-1] * module.stride)
            channels_in = channels_out
        self.receptive_field_px, self.stride = reach + 1, self.spreads[-1]
        self.classifier = nn.Conv2d(channels_in, 1, 1)

    def forward(self, images: Tensor, *, dense: bool = False) -> Tensor:
        """Return logits: positive means particle.

        Parameters
        ----------
        images
            ``(n, 1, h, w)``, both sides at least ``receptive_field_px``.
        dense
            Answer for every pixel: ``(n, h - reach, w - reach)`` with
            ``reach = receptive_field_px - 1``; else for every ``stride``-th of them.
        """
        x = images
        for layer, spread in zip(self.layers, self.spreads, strict=False):
            x = layer(x, spread if dense else None)
        logits: Tensor = self.classifier(x)
        return logits[:, 0]


def _convolve(conv: nn.Conv2d, x: Tensor, spread: int | None) -> Tensor:
    """Apply ``conv`` as it is, or densely: its stride left out, its taps ``spread`` times further apart."""
    if spread is None:
        convolved: Tensor = conv(x)
        return convolved
    dilation = spread * int(conv.dilation[0])
    return functional.conv2d(x, conv.weight, conv.bias, dilation=dilation)
