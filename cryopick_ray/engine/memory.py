"""Settings of glibc's allocator: whether freed memory goes back to the system."""

import ctypes
from collections.abc import Callable

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
KEPT_BYTES = (2**30, 2**25)
"""Thresholds to try, largest first; older versions accept no more than the second."""


def keep_freed_memory() -> bool:
    """Let this process keep what it frees, for the next layer of a network; tell whether that is possible.

    By default glibc returns each large array to the system, which hands the pages out anew, zeroed, for
    the next one: a sixth of a network's time on a CPU. Other C libraries are left as they are.
    """
    mallopt = _glibc("mallopt")
    if mallopt is None:
        return False
    accepted = [
        any(mallopt(parameter, threshold) == 1 for threshold in KEPT_BYTES)
        for parameter in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD)
    ]
    return all(accepted)


def return_freed_memory() -> None:
    """Return freed memory to the system, once; does nothing without glibc."""
    if malloc_trim := _glibc("malloc_trim"):
        malloc_trim(0)


def _glibc(name: str) -> Callable[..., int] | None:
    function: Callable[..., int] | None = getattr(ctypes.CDLL(None), name, None)
    return function
