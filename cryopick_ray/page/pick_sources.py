"""Sources of picks on a page: runs, tables, and coordinate files of any program."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np

from cryopick_ray.page.byte_cache import ByteCache
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
class SourceDescription:
    """Name, kind, model and threshold of a source.

    Attributes
    ----------
    threshold
        Score threshold; for files the lowest score.
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
        return [picks.micrograph for picks in self.picks.values()]

    def of(self, micrograph_ids: Iterable[str]) -> dict[str, MicrographPicks]:
        """Return some micrographs."""
        return {name: self.picks[name] for name in micrograph_ids if name in self.picks}

    def __iter__(self) -> Iterator[MicrographPicks]:
        """Yield all that have coordinates."""
        return iter(self.picks.values())

    @property
    def lowest(self) -> float:
        """The lowest score; 0 where there is none."""
        scores = [picks.score[np.isfinite(picks.score)] for picks in self.picks.values()]
        return float(min((finite.min() for finite in scores if len(finite)), default=0.0))


def table_threshold(table: PickTable) -> float:
    """Return the threshold of a table: the highest, where data sets have several."""
    cuts = [float(cut.get("value", 0.0)) for cut in table.made.thresholds.values()]
    return max(cuts, default=0.0)


class ShownPicks:
    """A source on the page, by the page's micrograph ids.

    Parameters
    ----------
    about
        Returns its description, which may change while a run goes on.
    own
        The source's ids by the page's ids; ``None`` if they are the same.
    """

    def __init__(
        self, about: Callable[[], SourceDescription], source: PickSource, own: Mapping[str, str] | None = None
    ) -> None:
        self._about, self.source, self._own = about, source, own
        self._page_ids = {name: key for key, name in (own or {}).items()}
        self._kept: ByteCache[str, MicrographPicks | None] = ByteCache(CANDIDATES_BYTES, _nbytes)

    @property
    def about(self) -> SourceDescription:
        """The current description."""
        return self._about()

    def picks(self, micrograph: PickedMicrograph) -> MicrographPicks | None:
        """Return a micrograph's candidates as the source has them; ``None`` if it does not have it."""
        candidates = self._kept.get(micrograph.micrograph_id, lambda: self._read(micrograph.micrograph_id))
        return None if candidates is None else replace(candidates, micrograph=micrograph)

    def some(self, micrographs: Sequence[PickedMicrograph]) -> dict[str, MicrographPicks]:
        """Return some micrographs' candidates, read at once, by the ids of the page."""
        id_map = (
            {micrograph.micrograph_id: micrograph.micrograph_id for micrograph in micrographs}
            if self._own is None
            else self._own
        )
        wanted = {
            micrograph.micrograph_id: id_map[micrograph.micrograph_id]
            for micrograph in micrographs
            if micrograph.micrograph_id in id_map
        }
        by_id = self.source.of(list(wanted.values()))
        return {
            micrograph.micrograph_id: replace(by_id[name], micrograph=micrograph)
            for micrograph in micrographs
            if (name := wanted.get(micrograph.micrograph_id)) in by_id
        }

    def every(self) -> Iterator[tuple[str, MicrographPicks]]:
        """Yield all micrographs that have candidates, by the ids of the page."""
        for picks in self.source:
            name = picks.micrograph.micrograph_id
            if self._own is None:
                yield name, picks
            elif name in self._page_ids:
                page_id = self._page_ids[name]
                yield page_id, replace(picks, micrograph=replace(picks.micrograph, micrograph_id=page_id))

    def called(self, own: Mapping[str, str]) -> "ShownPicks":
        """Return the source with other page ids."""
        return ShownPicks(self._about, self.source, own)

    def forget(self) -> None:
        """Clear the cache."""
        self._kept.forget()

    def _read(self, micrograph_id: str) -> MicrographPicks | None:
        name = micrograph_id if self._own is None else self._own.get(micrograph_id)
        return None if name is None else self.source.of([name]).get(name)


def _nbytes(picks: MicrographPicks | None) -> int:
    return 0 if picks is None else (40 + 16 * len(picks.more)) * len(picks)
