"""Units of work and their reports, and the interface of a worker."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, Generic, Protocol, TypeVar


class Item(Protocol):
    """An item of a unit: a micrograph by its id, with a few numbers, never with pixels."""

    @property
    def micrograph_id(self) -> str:
        """The micrograph's id."""
        ...


AnyT = TypeVar("AnyT")
ItemT = TypeVar("ItemT", bound=Item)
ItemT_contra = TypeVar("ItemT_contra", bound=Item, contravariant=True)


@dataclass(frozen=True)
class WorkUnit(Generic[ItemT]):
    """A few micrographs: seconds to minutes of work."""

    items: tuple[ItemT, ...]


@dataclass(frozen=True)
class UnitReport:
    """The outcome of one unit.

    Attributes
    ----------
    complete
        Number of micrographs that succeeded.
    failures
        Micrograph ids and reasons of the others.
    damaged
        Ids of micrographs whose stored pixels are damaged, and how: nothing was published of them.
    undone
        Positions of the items not begun because the worker was asked to leave.
    candidates
        Number of candidates found.
    seconds
        Time spent by stage.
    notes
        Notes for the user on how the work is run.
    remarks
        Ids of micrographs, and a guess or doubt about each.
    made
        Results for the next stage or the driver.
    """

    complete: int
    failures: tuple[tuple[str, str], ...] = ()
    damaged: tuple[tuple[str, str], ...] = ()
    undone: tuple[int, ...] = ()
    candidates: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    remarks: tuple[tuple[str, str], ...] = ()
    made: tuple[Any, ...] = ()


def never_leave() -> bool:
    """Return false: the worker need not leave."""
    return False


def until_leaving(leaving: Callable[[], bool], items: Iterable[AnyT]) -> Iterator[AnyT]:
    """Yield items until the worker is asked to leave."""
    return takewhile(lambda _: not leaving(), items)


class Worker(Protocol[ItemT_contra]):
    """Processes units one after another; a plain class, independent of the engine.

    ``process`` publishes what it made before it returns and may be called again with the same
    items, at the same time on another machine, too: whoever publishes first wins. A micrograph that fails is
    reported, not raised. An error that is raised ends the run (a full disk, say), unless it is the
    machine's own (:attr:`~cryopick_ray.errors.CryoPickError.elsewhere`): then the unit is done elsewhere.
    """

    def process(self, items: Sequence[ItemT_contra], leaving: Callable[[], bool] = never_leave) -> UnitReport:
        """Process and publish the items; begin no further one once ``leaving()`` is true."""
        ...

    def give_up(self, items: Sequence[ItemT_contra], reason: str) -> UnitReport:
        """Publish that the items failed, without touching them."""
        ...
