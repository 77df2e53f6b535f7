"""What becomes of memory that a worker frees."""

import ctypes
from collections.abc import Callable

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
KEPT_BYTES = (2**30, 2**25)
"""Wanted; older ones take no more than the second."""


def keep_freed_memory() -> bool:
    """Let this process keep what it frees, for the next layer of a network; tell whether that is possible.

    By default glibc returns each large array to the system, which hands the pages out anew, zeroed, for
    the next one: a sixth of a network's time on a CPU. Other C libraries are left as they are.
    """
    mallopt = _glibc("mallopt")
    if mallopt is None:
        return False
    taken = [
        any(mallopt(parameter, wanted) == 1 for wanted in KEPT_BYTES)
        for parameter in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD)
    ]
    return all(taken)


def return_freed_memory() -> None:
    """Hand what was kept back to the system, once; nothing where the C library is another."""
    if malloc_trim := _glibc("malloc_trim"):
        malloc_trim(0)


def _glibc(name: str) -> Callable[..., int] | None:
    found: Callable[..., int] | None = getattr(ctypes.CDLL(None), name, None)
    return found
