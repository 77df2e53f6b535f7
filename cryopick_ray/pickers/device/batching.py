"""Batches of micrographs, made smaller when they do not fit into the device's memory."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from cryopick_ray.errors import DeviceError, MicrographError

ItemT = TypeVar("ItemT")
AnswerT = TypeVar("AnswerT")


def in_batches(
    ask: Callable[[Sequence[ItemT]], list[AnswerT]], items: Sequence[ItemT], size: int
) -> Iterator[AnswerT | Exception]:
    """Yield one answer per item, in order, calling ``ask`` with at most ``size`` items.

    Where a batch does not fit into the device's memory, its size is halved from there on. Where it
    fails otherwise, ``ask`` gets each of its items alone, and the answer for an item that fails alone is
    its error: one bad micrograph does not cost its neighbours.

    Parameters
    ----------
    ask
        From a slice of ``items`` to as many answers. Called again after a failure, so it must not have
        side effects.
    items
        The inputs.
    size
        The nominal batch, at least 1.

    Yields
    ------
    The answer, or the exception that the item alone raises; a :class:`MicrographError` if it alone does
    not fit into the memory.

    Raises
    ------
    DeviceError
        If the device itself fails.
    """
    start = 0
    while start < len(items):
        batch = items[start : start + size]
        answers = _attempt(ask, batch)
        if isinstance(answers, list):
            yield from answers
        elif len(batch) == 1:
            yield _out_of_memory() if isinstance(answers, torch.OutOfMemoryError) else answers
        elif isinstance(answers, torch.OutOfMemoryError):
            size = len(batch) // 2
            continue
        else:
            yield from in_batches(ask, batch, 1)
        start += len(batch)


def _attempt(
    ask: Callable[[Sequence[ItemT]], list[AnswerT]], batch: Sequence[ItemT]
) -> list[AnswerT] | Exception:
    try:
        return ask(batch)
    except torch.AcceleratorError as error:
        raise DeviceError(f"the worker's GPU failed: {str(error).partition(chr(10))[0]}") from error
    except Exception as error:  # noqa: BLE001 - the caller decides what becomes of the items
        failure = error.with_traceback(None)  # its frames would keep their tensors alive
    if isinstance(failure, torch.OutOfMemoryError) and torch.cuda.is_available():
        torch.cuda.empty_cache()
    return failure


def _out_of_memory() -> MicrographError:
    return MicrographError(
        "this micrograph alone does not fit into the device's free memory; leave more of it free or "
        "give `device` cpu"
    )
