"""What a page shows picks of: runs, tables, and coordinate files of any program."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np

from cryopick_ray.page.kept import Kept
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph
from cryopick_ray.picks.table import PickTable

Kind = Literal["run", "table", "files"]
CANDIDATES_BYTES = 64 << 20


class PickSource(Protocol):
    """Candidates of micrographs, by the ids that the source has for them."""

    @property
    def micrographs(self) -> Sequence[PickedMicrograph]:
        """All micrographs, in order."""
        ...

    def of(self, micrograph_ids: Iterable[str]) -> dict[str, MicrographPicks]:
        """Return some micrographs."""
        ...

    def __iter__(self) -> Iterator[MicrographPicks]:
        """Yield all that have candidates, in bounded memory."""
        ...


@dataclass(frozen=True)
class About:
    """What is told of a source.

    Attributes
    ----------
    threshold
        The cut through the scores; of files the lowest score.
    calibrated
        Whether scores are probabilities.
    """

    name: str
    kind: Kind
    model: str = ""
    threshold: float = 0.0
    calibrated: bool = False


@dataclass(frozen=True)
class PicksFile:
    """Coordinates of other programs, all of them in memory."""

    picks: Mapping[str, MicrographPicks]

    @property
    def micrographs(self) -> Sequence[PickedMicrograph]:
        """Those that have coordinates."""
        return [one.micrograph for one in self.picks.values()]

    def of(self, micrograph_ids: Iterable[str]) -> dict[str, MicrographPicks]:
        """Return some micrographs."""
        return {name: self.picks[name] for name in micrograph_ids if name in self.picks}

    def __iter__(self) -> Iterator[MicrographPicks]:
        """Yield all that have coordinates."""
        return iter(self.picks.values())

    @property
    def lowest(self) -> float:
        """The lowest score; 0 where there is none."""
        scores = [one.score[np.isfinite(one.score)] for one in self.picks.values()]
        return float(min((own.min() for own in scores if len(own)), default=0.0))


def table_threshold(table: PickTable) -> float:
    """Return where a table was cut: the highest cut, where data sets were cut at several."""
    cuts = [float(cut.get("value", 0.0)) for cut in table.made.thresholds.values()]
    return max(cuts, default=0.0)


class ShownPicks:
    """A source as it stands on the page.

    Parameters
    ----------
    about
        What is told of it, which may change while a run goes on.
    own
        What the source calls each micrograph; ``None`` where it is called the same.
    """

    def __init__(
        self, about: Callable[[], About], source: PickSource, own: Mapping[str, str] | None = None
    ) -> None:
        self._about, self.source, self._own = about, source, own
        self._page_ids = {name: key for key, name in (own or {}).items()}
        self._kept: Kept[str, MicrographPicks | None] = Kept(CANDIDATES_BYTES, _nbytes)

    @property
    def about(self) -> About:
        """What is told of it."""
        return self._about()

    def picks(self, micrograph: PickedMicrograph) -> MicrographPicks | None:
        """Return a micrograph's candidates as the source has them; ``None`` if it does not have it."""
        found = self._kept.get(micrograph.micrograph_id, lambda: self._read(micrograph.micrograph_id))
        return None if found is None else replace(found, micrograph=micrograph)

    def some(self, micrographs: Sequence[PickedMicrograph]) -> dict[str, MicrographPicks]:
        """Return some micrographs' candidates, read at once, by the ids of the page."""
        own = (
            {micrograph.micrograph_id: micrograph.micrograph_id for micrograph in micrographs}
            if self._own is None
            else self._own
        )
        wanted = {
            micrograph.micrograph_id: own[micrograph.micrograph_id]
            for micrograph in micrographs
            if micrograph.micrograph_id in own
        }
        found = self.source.of(list(wanted.values()))
        return {
            micrograph.micrograph_id: replace(found[name], micrograph=micrograph)
            for micrograph in micrographs
            if (name := wanted.get(micrograph.micrograph_id)) in found
        }

    def every(self) -> Iterator[tuple[str, MicrographPicks]]:
        """Yield all micrographs that have candidates, by the ids of the page."""
        for one in self.source:
            name = one.micrograph.micrograph_id
            if self._own is None:
                yield name, one
            elif name in self._page_ids:
                own = self._page_ids[name]
                yield own, replace(one, micrograph=replace(one.micrograph, micrograph_id=own))

    def called(self, own: Mapping[str, str]) -> "ShownPicks":
        """Return the same whose micrographs are called otherwise on the page."""
        return ShownPicks(self._about, self.source, own)

    def forget(self) -> None:
        """Read everything anew when it is asked for."""
        self._kept.forget()

    def _read(self, micrograph_id: str) -> MicrographPicks | None:
        name = micrograph_id if self._own is None else self._own.get(micrograph_id)
        return None if name is None else self.source.of([name]).get(name)


def _nbytes(one: MicrographPicks | None) -> int:
    return 0 if one is None else (40 + 16 * len(one.more)) * len(one)
