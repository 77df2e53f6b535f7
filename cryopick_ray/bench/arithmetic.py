"""Operation counts of oneDNN convolutions, which torch's counter lacks."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from cryopick_ray.pickers.fused import can_fuse


def counter() -> FlopCounterMode:
    """Return a counter of the arithmetic in convolutions and matrix products, 2 a multiply-add."""
    known: dict[Any, Callable[..., int]] = {}
    if can_fuse(torch.device("cpu")):
        known = {
            torch.ops.mkldnn._convolution_pointwise: _of_convolution,
            torch.ops.mkldnn._convolution_pointwise_: _of_convolution_onto,
            torch.ops.aten.mkldnn_convolution: _of_convolution,
        }
    return FlopCounterMode(display=False, custom_mapping=known)


def _of_convolution(_x: Sequence[int], weight: Sequence[int], *_: object, out_shape: Sequence[int]) -> int:
    return 2 * prod(out_shape) * prod(weight[1:])


def _of_convolution_onto(_sums: object, x: Sequence[int], *others: Any, out_shape: Sequence[int]) -> int:
    return _of_convolution(x, *others, out_shape=out_shape)
