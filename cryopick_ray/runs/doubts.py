"""What looks wrong in the picks of a run as a whole: told from the verdicts on its micrographs."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import median

from cryopick_ray.errors import few
from cryopick_ray.picks.schema import PickedMicrograph
from cryopick_ray.picks.verdict import COMPARED, NO_MICROGRAPH, UNLIKE, is_unlike

Judged = Sequence[PickedMicrograph]


def of_verdicts(micrographs: Judged) -> list[str]:
    """Return what a person should look at.

    Parameters
    ----------
    micrographs
        All of a run; those that were not judged say nothing.
    """
    found = list(_strange([micrograph for micrograph in micrographs if micrograph.verdict == NO_MICROGRAPH]))
    sets: defaultdict[str, list[PickedMicrograph]] = defaultdict(list)
    for micrograph in micrographs:
        if micrograph.verdict and micrograph.verdict != NO_MICROGRAPH:
            sets[micrograph.dataset].append(micrograph)
    for name, own in sets.items():
        where = f" of {name}" if len(sets) > 1 else ""
        found += [*_unlike(own, where), *_mostly(own, where), *_cut(own, where), *_on_junk(own, where)]
    return found


def _strange(some: Judged) -> Iterator[str]:
    if some:
        which = few([f"{one.micrograph_id}: {one.reasons}" for one in some], 3)
        yield (
            f"{len(some)} images look like no micrographs, and nothing in them is picked ({which}); leave "
            "them out with `exclude`, or pick them with `any_image`"
        )


def _unlike(some: Judged, where: str) -> Iterator[str]:
    """Yield which counts differ from the usual more than five-fold, the worst first."""
    if len(some) < COMPARED:
        return
    good = [one for one in some if one.verdict == "good"]
    usual = median(_picks(one) for one in (good if len(good) >= COMPARED else some))
    unlike = [one for one in some if is_unlike(_picks(one), usual)]
    if unlike:
        unlike.sort(key=lambda one: (-_factor(_picks(one), usual), one.micrograph_id))
        which = few([f"{one.micrograph_id} {_picks(one)}" for one in unlike])
        yield (
            f"in {len(unlike)} of {len(some)} micrographs{where} picks differ more than {UNLIKE:g}-fold from "
            f"the usual {usual:g}: {which}"
        )


def _mostly(some: Judged, where: str) -> Iterator[str]:
    """Yield that most micrographs are bad or empty."""
    bad, empty = (sum(one.verdict == kind for one in some) for kind in ("bad", "empty"))
    if len(some) >= COMPARED and 2 * (bad + empty) > len(some) and any(map(_picks, some)):
        yield (
            f"most micrographs{where} are bad or empty: {bad} bad and {empty} empty of {len(some)}; check "
            "`diameter_A`, `pixel_size_A` and `invert`"
        )


def _cut(some: Judged, where: str) -> Iterator[str]:
    """Yield that the cut goes through the bulk of the candidates, or that nothing stands out of it."""
    if any(one.just_below is None for one in some):
        return
    below, picked = sum(one.just_below or 0 for one in some), sum(map(_picks, some))
    if below > picked:
        yield (
            f"{below} candidates{where} lie just below the cut and {picked} above it, as in a field without "
            "particles or with faint ones: look at the pictures, and choose another `threshold`"
        )


def _on_junk(some: Judged, where: str) -> Iterator[str]:
    on_junk, picked = sum(one.on_junk or 0 for one in some), sum(map(_picks, some))
    if on_junk > picked:
        yield (
            f"{on_junk} of {on_junk + picked} candidates{where} above the cut lie on junk and are not picked"
        )


def _picks(micrograph: PickedMicrograph) -> int:
    return micrograph.picks or 0


def _factor(count: float, usual: float) -> float:
    low, high = sorted((max(count, 0.5), max(usual, 0.5)))
    return high / low
