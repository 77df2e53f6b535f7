"""The vocabulary of the engines: units in, reports out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar


class Item(Protocol):
    """What a unit lists: a micrograph by its id, with a few numbers, never with pixels."""

    @property
    def micrograph_id(self) -> str:
        """The micrograph's id."""
        ...


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
    candidates
        Candidates found.
    seconds
        Time spent by stage.
    """

    complete: int
    failures: tuple[tuple[str, str], ...] = ()
    candidates: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


class Worker(Protocol[ItemT_contra]):
    """Does units one after another; a plain class that knows nothing of who runs it.

    ``process`` publishes what it made before it returns and may be called again with the same
    items: whoever publishes first wins. A micrograph that fails is reported, not raised; an error
    that is raised (a full disk, say) ends the run.
    """

    def process(self, items: Sequence[ItemT_contra]) -> UnitReport:
        """Do the work and publish it."""
        ...

    def unpublished(self, items: Sequence[ItemT_contra]) -> list[int]:
        """Return the positions of the items that no dead worker published already."""
        ...

    def give_up(self, items: Sequence[ItemT_contra], reason: str) -> UnitReport:
        """Publish that the items failed, without touching them."""
        ...


class Engine(Protocol):
    """Runs units on workers, in any order."""

    @property
    def has_gpus(self) -> bool:
        """Whether there is a GPU where its workers run."""
        ...

    def run(
        self,
        units: Sequence[WorkUnit[ItemT]],
        make_worker: Callable[[], Worker[ItemT]],
        *,
        on_gpu: bool,
    ) -> Iterator[UnitReport]:
        """Yield a report for each unit as it ends."""
        ...
