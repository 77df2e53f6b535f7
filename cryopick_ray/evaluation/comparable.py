"""The micrographs of a run that can be compared with truth, and notes about the others."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

from cryopick_ray.errors import PicksError, UsageError, few
from cryopick_ray.evaluation.truth import Truth
from cryopick_ray.picks.schema import MicrographPicks


class ComparableMicrographs:
    """The micrographs that have truth, and notes of those that have none.

    Parameters
    ----------
    exclude
        Globs of micrograph ids to leave out.
    """

    def __init__(self, truth: Truth, exclude: Sequence[str]) -> None:
        self._truth, self._exclude = truth, exclude
        self._owner: dict[str, str] = {}
        self._remarks: defaultdict[str, list[str]] = defaultdict(list)

    def of(self, picks: Iterable[MicrographPicks]) -> Iterator[tuple[MicrographPicks, str]]:
        """Yield each micrograph that has truth, and its name there.

        Images left out for another one of their exposure are skipped.

        Raises
        ------
        UsageError
            If no micrograph has truth.
        PicksError
            If one truth fits two micrographs.
        """
        count, failed = 0, []
        for micrograph_picks in picks:
            micrograph_id = micrograph_picks.micrograph.micrograph_id
            if micrograph_picks.micrograph.status == "left out":
                continue
            name = self._claim(micrograph_id)
            if any(fnmatchcase(micrograph_id, pattern) for pattern in self._exclude):
                self._remarks["left out on request"].append(micrograph_id)
            elif name is None:
                self._remarks["left out for want of truth"].append(micrograph_id)
            else:
                count += 1
                if micrograph_picks.micrograph.status != "complete":
                    failed.append(micrograph_id)
                yield micrograph_picks, name
        if not count:
            names = few(sorted(self._truth.particles))
            raise UsageError(
                f"no micrograph left has truth in {self._truth.source}, which knows {names}; mend `truth`"
            )
        self._remarks["failed, so every particle counts as missed"] = failed
        unused = sorted(self._truth.particles.keys() - self._owner.keys())
        self._remarks["truth without a micrograph, not counted"] = unused

    def notes(self) -> tuple[str, ...]:
        """Return notes about the other micrographs, after all have been read."""
        lines = (f"{remark}: {few(names)}" for remark, names in self._remarks.items() if names)
        return (*self._truth.notes, *lines)

    def _claim(self, micrograph_id: str) -> str | None:
        """Return the micrograph's name in the truth, and refuse a second micrograph of that name."""
        name = self._truth.name_of(micrograph_id)
        if name is not None and self._owner.setdefault(name, micrograph_id) != micrograph_id:
            raise PicksError(
                f"truth {name!r} in {self._truth.source} fits both {self._owner[name]!r} and "
                f"{micrograph_id!r}; give the truth the micrographs' folders"
            )
        return name
