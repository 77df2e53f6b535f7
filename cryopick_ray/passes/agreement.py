"""How often pickers agree -> a table of pairs and patterns for people and programs."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cryopick_ray.passes.patterns import Patterns


@dataclass(frozen=True)
class PickerPair:
    """What one picker has in common with another.

    Attributes
    ----------
    picker, other
        Their names.
    shared
        Places that both have.
    share
        Of the picker's places those that the other has, too; ``None`` if it has no places.
    jaccard
        Of the places that either has those that both have; ``None`` if neither has any.
    """

    picker: str
    other: str
    shared: int
    share: float | None
    jaccard: float | None


@dataclass(frozen=True)
class Together:
    """Groups that exactly these pickers have places in."""

    pickers: tuple[str, ...]
    count: int


@dataclass(frozen=True)
class PickerAgreement:
    """Who agrees with whom.

    Attributes
    ----------
    names
        Pickers, sorted.
    places
        Of each picker, by its name.
    pairs
        Each picker with each other, both ways round.
    together
        Groups by who has them, the most frequent first, of equal ones those of more pickers.
    """

    names: tuple[str, ...]
    places: dict[str, int]
    pairs: tuple[PickerPair, ...]
    together: tuple[Together, ...]

    def rows(self) -> list[dict[str, Any]]:
        """Return the pairs as plain rows of a table."""
        return [asdict(pair) for pair in self.pairs]

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists, numbers and words, ready for JSON."""
        return asdict(self)


def agreement(agreed: Patterns) -> PickerAgreement:
    """Return who agrees with whom in a whole data set."""
    names, shared = agreed.names, agreed.shared.tolist()
    places = [shared[at][at] for at in range(len(names))]
    pairs = []
    for one, name in enumerate(names):
        for other in range(len(names)):
            if other != one:
                both = shared[one][other]
                either = places[one] + places[other] - both
                share = both / places[one] if places[one] else None
                pairs.append(PickerPair(name, names[other], both, share, both / either if either else None))
    has, which = np.unique(agreed.level > 0, axis=0, return_inverse=True)
    counts = np.bincount(which.ravel(), agreed.count, len(has)).astype(np.int64)
    together = [
        Together(tuple(name for name, there in zip(names, row, strict=True) if there), count)
        for row, count in zip(has.tolist(), counts.tolist(), strict=True)
    ]
    together.sort(key=lambda one: (-one.count, -len(one.pickers), one.pickers))
    return PickerAgreement(names, dict(zip(names, places, strict=True)), tuple(pairs), tuple(together))
