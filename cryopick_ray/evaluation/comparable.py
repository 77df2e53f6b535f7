"""Which micrographs of a run can be compared with truth, and what is told of the others."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

from cryopick_ray.errors import PicksError, UsageError, few
from cryopick_ray.evaluation.truth import Truth
from cryopick_ray.picks.schema import MicrographPicks


class Judged:
    """The micrographs that have truth, and notes of those that have none.

    Parameters
    ----------
    exclude
        Globs of micrograph ids to leave out.
    """

    def __init__(self, truth: Truth, exclude: Sequence[str]) -> None:
        self._truth, self._exclude = truth, exclude
        self._owner: dict[str, str] = {}
        self._told: defaultdict[str, list[str]] = defaultdict(list)

    def of(self, picks: Iterable[MicrographPicks]) -> Iterator[tuple[MicrographPicks, str]]:
        """Yield each micrograph that has truth, and its name there.

        An image left out for another of its exposure, which has the truth, is not meant.

        Raises
        ------
        UsageError
            If no micrograph has truth.
        PicksError
            If one truth fits two micrographs.
        """
        found, failed = 0, []
        for one in picks:
            micrograph_id = one.micrograph.micrograph_id
            if one.micrograph.status == "left out":
                continue
            name = self._claim(micrograph_id)
            if any(fnmatchcase(micrograph_id, pattern) for pattern in self._exclude):
                self._told["left out on request"].append(micrograph_id)
            elif name is None:
                self._told["left out for want of truth"].append(micrograph_id)
            else:
                found += 1
                if one.micrograph.status != "complete":
                    failed.append(micrograph_id)
                yield one, name
        if not found:
            known = few(sorted(self._truth.particles))
            raise UsageError(
                f"no micrograph left has truth in {self._truth.source}, which knows {known}; mend `truth`"
            )
        self._told["failed, so every particle counts as missed"] = failed
        unused = sorted(self._truth.particles.keys() - self._owner.keys())
        self._told["truth without a micrograph, not counted"] = unused

    def notes(self) -> tuple[str, ...]:
        """Return what a person should know of the rest, once all micrographs have been seen."""
        told = (f"{what}: {few(names)}" for what, names in self._told.items() if names)
        return (*self._truth.notes, *told)

    def _claim(self, micrograph_id: str) -> str | None:
        """Return the micrograph's name in the truth and remember that it is taken."""
        name = self._truth.name_of(micrograph_id)
        if name is not None and self._owner.setdefault(name, micrograph_id) != micrograph_id:
            raise PicksError(
                f"truth {name!r} in {self._truth.source} fits both {self._owner[name]!r} and "
                f"{micrograph_id!r}; give the truth the micrographs' folders"
            )
        return name
