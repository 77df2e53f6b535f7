"""Micrographs of several runs side by side: equal ones are found, and their picks read together."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from cryopick_ray.errors import PicksError
from cryopick_ray.formats.known_micrographs import MicrographNames, shared_folders
from cryopick_ray.picks.schema import MicrographPicks

Names = Mapping[str, str]
"""Common names of a run's micrographs in a comparison, by their ids in the run."""
Entries = list[MicrographPicks | None]
"""A micrograph's picks by run; ``None`` where a run does not have it."""


def common_names(runs: Sequence[Sequence[str]]) -> list[Names]:
    """Return the common names of each run's micrographs: their ids in the first run that has them.

    Equal ids are one micrograph; of others those alike are, as
    :class:`~cryopick_ray.formats.known_micrographs.MicrographNames` says, folders deciding between several.

    Raises
    ------
    PicksError
        Two ids are equally similar.
    """
    names_of_runs: list[Names] = []
    seen: dict[str, None] = {}
    for ids in runs:
        equal = {id_ for id_ in ids if id_ in seen}
        alike = _alike([id_ for id_ in ids if id_ not in equal], [name for name in seen if name not in equal])
        names = {id_: alike.get(id_, id_) for id_ in ids}
        seen.update(dict.fromkeys(names.values()))
        names_of_runs.append(names)
    return names_of_runs


def _alike(ids: Sequence[str], known: Sequence[str]) -> dict[str, str]:
    """Return the known names that ids not among them mean, each at most once."""
    names = MicrographNames(known)
    claims: defaultdict[str, list[str]] = defaultdict(list)
    for id_ in ids:
        matches = names.find(id_)
        if len(matches) > 1:
            raise _ambiguous(id_, matches)
        for name in matches:
            claims[name].append(id_)
    name_by_id = {}
    for name, claimants in claims.items():
        depths = [shared_folders(name, id_) for id_ in claimants]
        best = [id_ for id_, depth in zip(claimants, depths, strict=True) if depth == max(depths)]
        if len(best) > 1:
            raise _ambiguous(name, best)
        name_by_id[best[0]] = name
    return name_by_id


def _ambiguous(name: str, matches: Sequence[str]) -> PicksError:
    return PicksError(
        f"micrograph {name!r} of one run may be {matches[0]!r} or {matches[1]!r} of another; "
        "give both the same folders"
    )


def side_by_side(
    runs: Sequence[Iterable[MicrographPicks]], names: Sequence[Names]
) -> Iterator[tuple[str, Entries]]:
    """Yield each micrograph's common name and its picks in all runs; those without a name are left out.

    Few micrographs are held in memory where the runs have them in one order, as tables do: the run that lags
    behind is read first.
    """
    holders = Counter(name for names_of_run in names for name in names_of_run.values())
    pending: dict[str, Entries] = {}
    streams = [iter(run) for run in runs]
    reached = dict.fromkeys(range(len(runs)), "")
    while reached:
        number = min(reached, key=lambda n: (reached[n], n))
        picks = next(streams[number], None)
        if picks is None:
            del reached[number]
            continue
        name = names[number].get(picks.micrograph.micrograph_id)
        if name is None:
            continue
        reached[number] = name
        entries = pending.setdefault(name, [None] * len(runs))
        entries[number] = picks
        if sum(entry is not None for entry in entries) == holders[name]:
            yield name, pending.pop(name)
