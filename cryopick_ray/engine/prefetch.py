"""Work done ahead of who needs it, in one thread beside."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def ahead(
    function: Callable[[T], R], items: Iterable[T], depth: int = 1
) -> Generator[Callable[[], R], None, None]:
    """Yield, in order, what gives ``function(item)``, while one thread works on the next items.

    Reading ahead: the thread reads item ``k + 1`` while the caller works on item ``k``. Writing
    behind: where ``items`` is a generator, it makes item ``k + 1`` in the caller's thread while
    ``function`` writes item ``k``. NumPy, SciPy, Blosc and files release the interpreter
    meanwhile.

    Close the iterator when leaving it early (:func:`contextlib.closing`): what was not started is
    dropped, what runs is waited for, and no thread is left.

    Parameters
    ----------
    function
        Called in the thread, for one item after another.
    items
        Drawn in the caller's thread, at most ``depth`` further than has been yielded.

    Yields
    ------
    A call without arguments that waits for the result, or raises what ``function`` raised.
    """
    thread = ThreadPoolExecutor(1, "ahead")
    begun: deque[Future[R]] = deque()
    try:
        for item in items:
            begun.append(thread.submit(function, item))
            if len(begun) > depth:
                yield begun.popleft().result
        while begun:
            yield begun.popleft().result
    finally:
        thread.shutdown(cancel_futures=True)
