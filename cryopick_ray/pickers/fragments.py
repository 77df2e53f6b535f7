"""A classifier of windows applied to all windows of an image at once: shared results are computed once.

Convolutions of neighbouring windows are the same numbers. Pooling is not: a window that begins one pixel
further pools other blocks. So where the windows' step is finer than a pooling, the pooling is done at each
of its k x k offsets, and the results, "fragments", go on side by side as a batch (Masci et al. 2013,
arXiv:1302.1690).
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional


def slide(layers: Iterable[nn.Module], images: Tensor, *, size_px: int, step_px: int) -> Tensor:
    """Return the outputs for all windows of images, ``(n, c, gh, gw)``.

    Parameters
    ----------
    layers
        Valid convolutions of stride 1, poolings of stride k over k x k pixels that divide their inputs in
        a window, element-wise layers, and, last, linear layers: what maps ``(n, c, size_px, size_px)``
        windows to answers, with the flattening before the first linear layer left out.
    images
        ``(n, c, h, w)``, at least of a window's size.
    size_px, step_px
        Side of the windows, and how far apart they begin.
    """
    counts = [(side - size_px) // step_px + 1 for side in images.shape[-2:]]
    x, step = images, step_px
    splits: list[int] = []
    for layer in layers:
        if isinstance(layer, nn.MaxPool2d | nn.AvgPool2d):
            k = int(layer.kernel_size)  # type: ignore[arg-type]  # a pair in general, not here
            if splits or step % k:
                x = _fragments(x, k)
                splits.append(k)
            else:
                step //= k
        x = _everywhere(layer, x) if isinstance(layer, nn.Linear) else layer(x)
    for k in reversed(splits):
        x = _joined(x, k)
    return x[..., ::step, ::step][..., : counts[0], : counts[1]]


def _everywhere(layer: nn.Linear, x: Tensor) -> Tensor:
    """Apply a linear layer to every square of ``(n, c, h, w)`` maps that has as many numbers as it takes."""
    side = math.isqrt(layer.in_features // x.shape[1])
    kernels = layer.weight.view(-1, x.shape[1], side, side).contiguous(memory_format=torch.channels_last)
    return functional.conv2d(x, kernels, layer.bias)


def _fragments(x: Tensor, k: int) -> Tensor:
    """Return ``(k k n, c, h', w')``: the maps without their first 0 to k - 1 rows and columns.

    Each fragment holds whole blocks of k x k; the last ones, which would reach over the edge, hold zeros
    there, and the windows that they belong to are no windows of the image.
    """
    height, width = (side // k * k for side in x.shape[-2:])
    padded = functional.pad(x, (0, width + k - 1 - x.shape[-1], 0, height + k - 1 - x.shape[-2]))
    parts = [padded[..., y : y + height, z : z + width] for y in range(k) for z in range(k)]
    return torch.cat(parts).contiguous(memory_format=torch.channels_last)


def _joined(x: Tensor, k: int) -> Tensor:
    """Return ``(n, c, k h, k w)``: the reverse of :func:`_fragments`, after a pooling by ``k``."""
    _, channels, height, width = x.shape
    parts = x.view(k, k, -1, channels, height, width).permute(2, 3, 4, 0, 5, 1)
    return parts.reshape(-1, channels, k * height, k * width)
