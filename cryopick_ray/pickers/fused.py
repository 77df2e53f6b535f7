"""Convolutions and what follows them in one pass over memory, as oneDNN does it on a CPU."""

from itertools import pairwise
from typing import Any, Protocol, TypeGuard, runtime_checkable

import torch
from torch import Tensor, nn

ACTIVATIONS: dict[type[nn.Module], str] = {nn.ReLU: "relu", nn.LeakyReLU: "leaky_relu"}
"""Layers that a convolution takes with it, by oneDNN's names."""


@runtime_checkable
class Foldable(Protocol):
    """A module of which there is a quicker one that only answers, equal but for rounding."""

    def folded(self) -> nn.Module:
        """Return it, batch norm being folded in already."""


def can_fuse(device: torch.device, dtype: torch.dtype = torch.float32) -> bool:
    """Tell whether this machine's torch has such convolutions for a device and a precision."""
    if device.type != "cpu" or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return dtype == torch.float32 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def fuse(network: nn.Module) -> None:
    """Make a network, batch norm folded in, answer in fewer passes over memory; it learns no more.

    Modules that can be folded are, and in sequences an activation is done by the convolution before it.
    """
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, Foldable):
                setattr(module, name, child.folded())
    for module in [module for module in network.modules() if isinstance(module, nn.Sequential)]:
        layers = [one for one in module.named_children() if not isinstance(one[1], nn.Identity)]
        for (name, conv), (next_name, after) in pairwise(layers):
            if type(after) in ACTIVATIONS and _is_plain(conv):
                setattr(module, name, FusedConv(conv, after))
                setattr(module, next_name, nn.Identity())


class FusedConv(nn.Conv2d):
    """A convolution and its activation, without learning.

    Parameters
    ----------
    conv
        Zeros beyond the edges. Its parameters are this one's.
    activation
        One of :data:`ACTIVATIONS`.
    """

    def __init__(self, conv: nn.Conv2d, activation: nn.Module | None = None) -> None:
        nn.Module.__init__(self)
        self.__dict__ |= conv.__dict__
        self._after: tuple[str, list[float]] = ("none", [])
        if activation is not None:
            slope = [activation.negative_slope] if isinstance(activation, nn.LeakyReLU) else []
            self._after = (ACTIVATIONS[type(activation)], slope)
        self._packed: tuple[torch.Size, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Return ``activation(conv(x))`` of ``(n, c, h, w)``, the numbers that one after the other gives."""
        answer: Tensor = torch.ops.mkldnn._convolution_pointwise(*self._arguments(x), *self._after, None)
        return answer

    def onto(self, sums: Tensor, x: Tensor) -> Tensor:
        """Return ``activation(sums + conv(x))`` in the place of ``sums``."""
        answer: Tensor = torch.ops.mkldnn._convolution_pointwise_(
            sums, *self._arguments(x), "add", None, *self._after, None
        )
        return answer

    def _arguments(self, x: Tensor) -> tuple[Any, ...]:
        how = (self.padding, self.stride, self.dilation, self.groups)
        if self._packed is None or self._packed[0] != x.shape:  # else oneDNN lays it out each time
            packed = torch.ops.mkldnn._reorder_convolution_weight(self.weight, *how, x.shape)
            self._packed = x.shape, packed
        return x.contiguous(memory_format=torch.channels_last), self._packed[1], self.bias, *how


def _is_plain(layer: nn.Module) -> TypeGuard[nn.Conv2d]:
    return type(layer) is nn.Conv2d and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
