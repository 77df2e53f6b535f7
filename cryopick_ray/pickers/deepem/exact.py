"""DeepEM's answers about all boxes of an image, each z-scored by its own grey values, in little time.

A box's z-score is affine, so its first convolution is one of the image: conv((x - m) / s) equals
(conv(x) - m sum(k)) / s. It is done once for all boxes. What follows is done for many boxes side by side,
the box being the innermost axis of every array: each step is then a pass over long rows of memory, and a
convolution a matrix product with the boxes as its columns.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from cryopick_ray.pickers.deepem.networks import POOLS, DeepEMNetwork

BOXES = {"cpu": 400, "cuda": 16384}
"""Boxes side by side: on a CPU no more, so that they stay in a core's cache."""


class _Activation(NamedTuple):
    """f(z) = offset + gain * run(inner * z), with ``run`` in place."""

    run: Callable[[Tensor], Tensor]
    inner: float
    gain: float
    offset: float


RELU = _Activation(torch.relu_, 1.0, 1.0, 0.0)
SIGMOID = _Activation(torch.tanh_, 0.5, 0.5, 0.5)  # tanh takes three quarters of the time


class ExactScores:
    """Scores of the boxes on a grid.

    Parameters
    ----------
    network
        In float32.
    step_px
        Step of the grid, a multiple of the first pooling's.
    rows, columns
        How many boxes the grid has.
    """

    def __init__(self, network: DeepEMNetwork, step_px: int, rows: int, columns: int) -> None:
        self.network, self.step_px, self.shape = network, step_px, (rows, columns)
        self.first, second, third = (
            convolution for convolution in network.convolutions if isinstance(convolution, nn.Conv2d)
        )
        self.activation = RELU if isinstance(network.convolutions[1], nn.ReLU) else SIGMOID
        device = self.first.weight.device
        self.at_once = min(rows, max(1, BOXES[device.type] // columns))
        count = self.at_once * columns
        self.side = (network.box_px - self.first.kernel_size[0] + 1) // POOLS[0]
        self.whole, self.parts = -(-self.side * POOLS[0] // step_px), step_px // POOLS[0]
        channels, width = self.first.out_channels, (self.whole, self.parts)

        def buffer(*shape: int) -> Tensor:  # used again and again: fresh memory costs more than the sums
            return torch.empty(shape, device=device)

        self.activated = buffer(channels, POOLS[0], *width, POOLS[0], self.at_once, columns)
        self.summed = buffer(channels, *width, POOLS[0], self.at_once, columns)
        self.pooled = buffer(self.side, *width, channels, count)
        self.second = _Layer(second, self.side, self.whole * self.parts, count, self.activation, POOLS[:2])
        side = self.second.side
        self.third = _Layer(third, side, side, count, self.activation, POOLS[1:])

    def __call__(self, image: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        """Return the ``(rows, columns)`` outputs for one orientation.

        Parameters
        ----------
        image
            ``(h, w)``: all that the boxes see, and no more.
        mean, std
            ``(rows, columns)`` of each box's grey values.
        """
        first, step = self.first, self.step_px
        rows, columns = self.shape
        maps = functional.conv2d(image[None, None], first.weight)[0]
        width = columns + self.whole - 1
        maps = functional.pad(maps, (0, width * step - maps.shape[2]))
        # column v of box j is at [v % step, j + v // step]: that of all boxes is one row
        maps = maps.view(*maps.shape[:2], width, step).transpose(2, 3).contiguous()
        mean, scale = (
            mean.contiguous(),
            self.activation.inner / std.contiguous(),
        )  # rows of memory, if turned too
        weight = first.weight.sum((1, 2, 3))[:, None, None]
        shift = self.activation.inner * _bias(first)[:, None, None] - weight * (scale * mean)
        scores = torch.empty_like(mean)
        for start in range(0, rows, self.at_once):
            top = min(start, rows - self.at_once)
            some = slice(top, top + self.at_once)
            self._first(maps[:, top * step :], scale[some], shift[:, some])
            x = self.third(self.second(self.pooled.flatten(1, 2)))
            scores[some] = self._last(x).view(-1, columns)
        return scores

    def _first(self, maps: Tensor, scale: Tensor, shift: Tensor) -> None:
        """Fill ``pooled``, ``(side, side, c, boxes)``, from the first convolution."""
        channel, row, column, _ = maps.stride()
        pool, step = POOLS[0], self.step_px
        strides = (channel, row, 1, pool * column, column, step * row, 1)
        for y in range(self.side):
            of_boxes = maps.as_strided(self.activated.shape, strides, maps.storage_offset() + y * pool * row)
            self.activation.run(
                torch.addcmul(shift[:, None, None, None, None], of_boxes, scale, out=self.activated)
            )
            _sum(self.activated, 1, self.summed)
            _sum(self.summed, 3, self.pooled[y].permute(2, 0, 1, 3).view(self.summed[:, :, :, 0].shape))

    def _last(self, x: Tensor) -> Tensor:
        side, _, channels, count = x.shape
        output, activation = self.network.output, self.activation
        weight = output.weight.view(channels, side, side).permute(1, 2, 0).reshape(1, -1)
        bias = output.bias + activation.offset * weight.sum()
        return torch.sigmoid(activation.gain / POOLS[2] ** 2 * weight @ x.reshape(-1, count) + bias)


class _Layer:
    """A convolution, its activation and the sums of its pooling, of ``(y, x, c, boxes)`` maps."""

    def __init__(
        self,
        conv: nn.Conv2d,
        height: int,
        width: int,
        count: int,
        activation: _Activation,
        pools: tuple[int, ...],
    ) -> None:
        channels, kernel = conv.in_channels, conv.kernel_size[0]
        before, pool = pools
        self.pool, self.width, self.run = pool, height - kernel + 1, activation.run
        self.side = self.width // pool
        # the maps are sums of what ``run`` returned, where the network takes averages of activations
        gain = activation.inner * activation.gain / before**2
        taps = conv.weight.permute(2, 0, 3, 1).reshape(kernel, conv.out_channels, kernel * channels)
        self.taps = gain * taps
        self.bias = activation.inner * (_bias(conv) + activation.offset * conv.weight.sum((1, 2, 3)))[:, None]
        new = conv.weight.new_empty
        # one product for every place of the rows that are pooled together, one row after the other; those
        # near a row's end reach into the next, unused
        self.places = (pool - 1) * width + self.width
        self.convolved = new(pool * width, conv.out_channels, count)
        self.summed = new(self.width, conv.out_channels, count)
        self.pooled = new(self.side, self.side, conv.out_channels, count)

    def __call__(self, x: Tensor) -> Tensor:
        place, boxes, _ = x.stride()[1:]
        strides, width = (place, boxes, 1), x.shape[1]
        shape = (self.places, self.taps.shape[2], x.shape[3])
        out = self.convolved[: self.places]
        rows = self.convolved.view(self.pool, width, *out.shape[1:])[:, : self.width]
        columns = self.summed.view(self.side, self.pool, *out.shape[1:])
        for row in range(self.side):
            for y, taps in enumerate(self.taps):
                seen = x.as_strided(shape, strides, x.storage_offset() + (row * self.pool + y) * x.stride(0))
                torch.baddbmm(out if y else self.bias, taps.expand(self.places, -1, -1), seen, out=out)
            self.run(out)
            _sum(rows, 0, self.summed)
            _sum(columns, 1, self.pooled[row])
        return self.pooled


def _bias(conv: nn.Conv2d) -> Tensor:
    assert conv.bias is not None
    return conv.bias


def _sum(x: Tensor, axis: int, out: Tensor) -> None:
    """Write the sum over a short axis: of whole parts, many times as fast as torch's own sum here."""
    first, second, *others = x.unbind(axis)
    torch.add(first, second, out=out)
    for other in others:
        out.add_(other)
