"""Images to the device: a copy under way while the next batch is laid out."""

from collections.abc import Sequence
from itertools import cycle
from math import prod
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor


class Upload:
    """Takes images of one shape to a device, as float32.

    To a GPU they go through page-locked memory and on a stream of their own, so that the call returns
    before they have arrived: what is done with them next on the caller's stream waits for them, what
    was begun before goes on meanwhile. Two buffers take turns and grow with the largest batch. Call it
    for the next batch before fetching the results of the last one, or from the thread that reads.

    Parameters
    ----------
    device
        Where to; on the CPU it only stacks and converts.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            self._buffers = cycle([_Buffer(), _Buffer()])

    def __call__(self, images: Sequence[NDArray[Any]]) -> Tensor:
        """Return ``(h, w)`` images of one shape and number type as ``(n, h, w)`` float32 on the device.

        Raises
        ------
        ValueError
            If there are none, or their shapes or types differ.
        """
        ((shape, _dtype),) = {(image.shape, image.dtype) for image in images}
        if self._device.type != "cuda":
            return _filled(torch.empty(len(images), *shape), images)
        buffer = next(self._buffers)
        staged = _filled(buffer.room((len(images), *shape), torch.from_numpy(images[0]).dtype), images)
        user = torch.cuda.current_stream(self._device)
        with torch.cuda.stream(self._stream):
            arrived = staged.to(self._device, non_blocking=True)
            buffer.left.record()
            batch = arrived.float()
        user.wait_stream(self._stream)
        batch.record_stream(user)  # its memory is not given away before the user is done with it
        return batch


class _Buffer:
    """Page-locked memory, and when its last content had left it."""

    def __init__(self) -> None:
        self.left = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._bytes = torch.empty(0, dtype=torch.uint8)

    def room(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Return an array to fill, once what was in it has left."""
        self.left.synchronize()
        needed = prod(shape) * dtype.itemsize
        if len(self._bytes) < needed:  # kept: locking pages takes longer than a copy
            self._bytes = torch.empty(needed, dtype=torch.uint8, pin_memory=True)
        return self._bytes[:needed].view(dtype).view(shape)


def _filled(batch: Tensor, images: Sequence[NDArray[Any]]) -> Tensor:
    for place, image in zip(batch, images, strict=True):
        place.copy_(torch.from_numpy(image))  # converts on the way; faster than numpy from half precision
    return batch
