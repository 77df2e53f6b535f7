"""The micrographs of several runs, side by side: which are the same, and the picks of each at once."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from cryopick_ray.errors import PicksError
from cryopick_ray.formats.known_micrographs import MicrographNames, shared_folders
from cryopick_ray.picks.schema import MicrographPicks

Names = Mapping[str, str]
"""What the micrographs of a run are called when it is compared, by their ids in it."""
Entries = list[MicrographPicks | None]
"""A micrograph's picks by run; ``None`` where a run does not have it."""


def common_names(runs: Sequence[Sequence[str]]) -> list[Names]:
    """Return what each run's micrographs are called: as in the first run that has them.

    Equal ids are one micrograph; of others those alike are, as
    :class:`~cryopick_ray.formats.known_micrographs.MicrographNames` says, folders deciding between several.

    Raises
    ------
    PicksError
        Two are equally alike.
    """
    found: list[Names] = []
    known: dict[str, None] = {}
    for ids in runs:
        own = {one: one for one in ids if one in known}
        alike = _alike([one for one in ids if one not in known], [one for one in known if one not in own])
        names = {one: own.get(one) or alike.get(one) or one for one in ids}
        known.update(dict.fromkeys(names.values()))
        found.append(names)
    return found


def _alike(ids: Sequence[str], known: Sequence[str]) -> dict[str, str]:
    """Return the known names that ids not among them mean, each at most once."""
    names = MicrographNames(known)
    claims: defaultdict[str, list[str]] = defaultdict(list)
    for one in ids:
        meant = names.find(one)
        if len(meant) > 1:
            raise _unclear(one, meant)
        for name in meant:
            claims[name].append(one)
    found = {}
    for name, claimed in claims.items():
        depth = [shared_folders(name, one) for one in claimed]
        best = [one for one, shared in zip(claimed, depth, strict=True) if shared == max(depth)]
        if len(best) > 1:
            raise _unclear(name, best)
        found[best[0]] = name
    return found


def _unclear(name: str, meant: Sequence[str]) -> PicksError:
    return PicksError(
        f"micrograph {name!r} of one run may be {meant[0]!r} or {meant[1]!r} of another; "
        "give both the same folders"
    )


def side_by_side(
    runs: Sequence[Iterable[MicrographPicks]], names: Sequence[Names]
) -> Iterator[tuple[str, Entries]]:
    """Yield each micrograph's common name and its picks in all runs; those without a name are left out.

    What is read ahead is small where the runs have their micrographs in one order, as tables do: the run
    that lags behind is read first.
    """
    holders = Counter(name for some in names for name in some.values())
    pending: dict[str, Entries] = {}
    streams = [iter(run) for run in runs]
    reached = dict.fromkeys(range(len(runs)), "")
    while reached:
        number = min(reached, key=lambda n: (reached[n], n))
        one = next(streams[number], None)
        if one is None:
            del reached[number]
            continue
        name = names[number].get(one.micrograph.micrograph_id)
        if name is None:
            continue
        reached[number] = name
        beside = pending.setdefault(name, [None] * len(runs))
        beside[number] = one
        if sum(entry is not None for entry in beside) == holders[name]:
            yield name, pending.pop(name)
