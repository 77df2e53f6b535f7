"""Warnings about a run's picks as a whole, derived from the verdicts on its micrographs."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import median

from cryopick_ray.errors import few
from cryopick_ray.picks.schema import PickedMicrograph
from cryopick_ray.picks.verdict import COMPARED, NO_MICROGRAPH, UNLIKE, is_unlike

Judged = Sequence[PickedMicrograph]


def verdict_warnings(micrographs: Judged) -> list[str]:
    """Return warnings about what a person should check.

    Parameters
    ----------
    micrographs
        All micrographs of a run; those without a verdict are ignored.
    """
    doubts = list(_strange([micrograph for micrograph in micrographs if micrograph.verdict == NO_MICROGRAPH]))
    sets: defaultdict[str, list[PickedMicrograph]] = defaultdict(list)
    for micrograph in micrographs:
        if micrograph.verdict and micrograph.verdict != NO_MICROGRAPH:
            sets[micrograph.dataset].append(micrograph)
    for name, micrographs_of_set in sets.items():
        where = f" of {name}" if len(sets) > 1 else ""
        doubts += [
            *_unlike(micrographs_of_set, where),
            *_mostly(micrographs_of_set, where),
            *_cut(micrographs_of_set, where),
            *_on_junk(micrographs_of_set, where),
        ]
    return doubts


def _strange(micrographs: Judged) -> Iterator[str]:
    if micrographs:
        which = few([f"{micrograph.micrograph_id}: {micrograph.reasons}" for micrograph in micrographs], 3)
        yield (
            f"{len(micrographs)} images look like no micrographs, and nothing in them is picked ({which}); "
            "leave them out with `exclude`, or pick them with `any_image`"
        )


def _unlike(micrographs: Judged, where: str) -> Iterator[str]:
    """Warn of micrographs whose counts differ more than five-fold from the median, the worst first."""
    if len(micrographs) < COMPARED:
        return
    good = [micrograph for micrograph in micrographs if micrograph.verdict == "good"]
    usual = median(_picks(micrograph) for micrograph in (good if len(good) >= COMPARED else micrographs))
    unlike = [micrograph for micrograph in micrographs if is_unlike(_picks(micrograph), usual)]
    if unlike:
        unlike.sort(key=lambda micrograph: (-_factor(_picks(micrograph), usual), micrograph.micrograph_id))
        which = few([f"{micrograph.micrograph_id} {_picks(micrograph)}" for micrograph in unlike])
        yield (
            f"in {len(unlike)} of {len(micrographs)} micrographs{where} picks differ more than "
            f"{UNLIKE:g}-fold from the usual {usual:g}: {which}"
        )


def _mostly(micrographs: Judged, where: str) -> Iterator[str]:
    """Warn if most micrographs are bad or empty."""
    bad, empty = (sum(micrograph.verdict == kind for micrograph in micrographs) for kind in ("bad", "empty"))
    if (
        len(micrographs) >= COMPARED
        and 2 * (bad + empty) > len(micrographs)
        and any(map(_picks, micrographs))
    ):
        yield (
            f"most micrographs{where} are bad or empty: {bad} bad and {empty} empty of {len(micrographs)}; "
            "check `diameter_A`, `pixel_size_A` and `invert`"
        )


def _cut(micrographs: Judged, where: str) -> Iterator[str]:
    """Warn if the threshold cuts through the bulk of the candidates' scores."""
    if any(micrograph.just_below is None for micrograph in micrographs):
        return
    below, picked = (
        sum(micrograph.just_below or 0 for micrograph in micrographs),
        sum(map(_picks, micrographs)),
    )
    if below > picked:
        yield (
            f"{below} candidates{where} lie just below the cut and {picked} above it, as in a field without "
            "particles or with faint ones: look at the pictures, and choose another `threshold`"
        )


def _on_junk(micrographs: Judged, where: str) -> Iterator[str]:
    on_junk, picked = (
        sum(micrograph.on_junk or 0 for micrograph in micrographs),
        sum(map(_picks, micrographs)),
    )
    if on_junk > picked:
        yield (
            f"{on_junk} of {on_junk + picked} candidates{where} above the cut lie on junk and are not picked"
        )


def _picks(micrograph: PickedMicrograph) -> int:
    return micrograph.picks or 0


def _factor(count: float, usual: float) -> float:
    low, high = sorted((max(count, 0.5), max(usual, 0.5)))
    return high / low
