"""The vocabulary of the engines: units in, reports out."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, Generic, Protocol, TypeVar


class Item(Protocol):
    """What a unit lists: a micrograph by its id, with a few numbers, never with pixels."""

    @property
    def micrograph_id(self) -> str:
        """The micrograph's id."""
        ...


AnyT = TypeVar("AnyT")
ItemT = TypeVar("ItemT", bound=Item)
ItemT_contra = TypeVar("ItemT_contra", bound=Item, contravariant=True)


@dataclass(frozen=True)
class WorkUnit(Generic[ItemT]):
    """A few micrographs, seconds to minutes of work."""

    items: tuple[ItemT, ...]


@dataclass(frozen=True)
class UnitReport:
    """What one unit came to.

    Attributes
    ----------
    complete
        Micrographs that went well.
    failures
        Micrograph ids and reasons of the others.
    damaged
        Ids of micrographs whose stored pixels are damaged, and how: nothing was published of them.
    undone
        Positions of the items not begun, because the worker was told to leave.
    candidates
        Candidates found.
    seconds
        Time spent by stage.
    notes
        What a person should know of how the work is run.
    remarks
        Ids of micrographs, and what was guessed or doubted of each.
    made
        What the next stage, or the driver, gets of it.
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
    """Tell a worker that it may go on."""
    return False


def until_leaving(leaving: Callable[[], bool], items: Iterable[AnyT]) -> Iterator[AnyT]:
    """Yield items as long as the worker may begin another."""
    return takewhile(lambda _: not leaving(), items)


class Worker(Protocol[ItemT_contra]):
    """Does units one after another; a plain class that knows nothing of who runs it.

    ``process`` publishes what it made before it returns and may be called again with the same
    items, at the same time on another machine, too: whoever publishes first wins. A micrograph that fails is
    reported, not raised. An error that is raised ends the run (a full disk, say), unless it is the
    machine's own (:attr:`~cryopick_ray.errors.CryoPickError.elsewhere`): then the unit is done elsewhere.
    """

    def process(self, items: Sequence[ItemT_contra], leaving: Callable[[], bool] = never_leave) -> UnitReport:
        """Do the work and publish it; begin no further micrograph once ``leaving`` is true."""
        ...

    def give_up(self, items: Sequence[ItemT_contra], reason: str) -> UnitReport:
        """Publish that the items failed, without touching them."""
        ...
