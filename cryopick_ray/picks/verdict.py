"""Facts of a micrograph -> what it is worth, and why."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Literal, get_args

from cryopick_ray.micrographs.image_facts import ImageFacts

Kind = Literal["not a micrograph", "bad", "empty", "doubtful", "good"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""What should be looked at first comes first."""
NO_MICROGRAPH: Kind = "not a micrograph"

TURNED, NOISELESS = 0.5, 0.01
"""Correlation with itself turned, and noise as a part of all contrast, that no micrograph has."""
FEWEST_HOLES, HOLE_DIAMETERS = 2, 2.0
"""Holes of one size that no micrograph shows, and how many particles wide they are at least."""
UNLIKE = 5.0
"""Counts that differ by this factor from the usual one are told."""
COMPARED = 5
"""Micrographs of a data set from which on there is a usual count."""
SPARSE = 0.01
"""Part of the particles that would fit side by side; a field with fewer is called empty."""
FAINT = 0.1
"""Part of them that score just below the cut from which on a field holds faint particles, not none."""
MOSTLY, PARTLY = 0.5, 0.2
"""Parts of a micrograph's area that are most of it, and much of it."""
FEWEST_ON_JUNK = 5


@dataclass(frozen=True)
class Facts:
    """What is known of one micrograph once it is picked.

    Attributes
    ----------
    candidates, picked
        How many.
    room
        Particles of its diameter that would fit into it side by side.
    mean_score
        Of the picks; ``None`` if there are none.
    just_below
        Candidates that score from half the cut up to the cut; ``None`` where scores are no probabilities
        and half of one means nothing.
    on_junk
        Candidates at or above the cut that are not picked as they lie on junk.
    junk_share
        Part of the area that each kind of junk has that keeps picks out.
    no_data
        Part of the area without a picture.
    strange
        Why it is no micrograph at all; empty if it is one.
    """

    candidates: int
    picked: int
    room: float
    mean_score: float | None = None
    just_below: int | None = None
    on_junk: int = 0
    junk_share: Mapping[str, float] = field(default_factory=dict)
    no_data: float = 0.0
    strange: str = ""


@dataclass(frozen=True)
class Verdict:
    """What a micrograph is worth, and why: texts with the numbers that speak for it, none for a good one."""

    kind: Kind
    reasons: tuple[str, ...] = ()


def judge(facts: Facts, usual: float | None = None) -> Verdict:
    """Return the verdict on one micrograph.

    It is bad if most of it is spoilt, empty if next to nothing was picked, doubtful if one thing speaks
    against it, and bad again if several do.

    Parameters
    ----------
    usual
        Count of picks that is usual in its data set; ``None`` if that is not known.
    """
    if facts.strange:
        return Verdict(NO_MICROGRAPH, (facts.strange,))
    doubts = _doubts(facts, usual)
    if spoilt := _spoilt(facts):
        return Verdict("bad", (*spoilt, *doubts))
    if facts.picked <= SPARSE * facts.room and (facts.just_below or 0) < FAINT * facts.room:
        few = f"{_count(facts.picked)} where {facts.room:.0f} particles would fit side by side"
        return Verdict("empty", (few,))
    return Verdict("good" if not doubts else "doubtful" if len(doubts) == 1 else "bad", doubts)


def strangeness(looks: ImageFacts, view_A: float, diameter_A: float, *, inverted: bool = False) -> str:
    """Return why an image is no micrograph of particles; empty if it may be one.

    Parameters
    ----------
    view_A
        Longer side of the image in angstroms.
    inverted
        Whether its particles are bright: then balls of ice are, too, and look like holes.
    """
    if looks.half_turn >= TURNED:
        return (
            f"it is the same turned by half a turn (correlation {looks.half_turn:.2f}) like a power spectrum"
        )
    if looks.noise < NOISELESS:
        return f"it has no noise ({looks.noise:.4f} of its contrast) like a drawing"
    if looks.windows:
        return "it shows bright windows in black like an overview of a grid"
    hole_A = looks.hole_part * view_A
    if looks.holes >= FEWEST_HOLES and not inverted and hole_A >= HOLE_DIAMETERS * diameter_A:
        return f"it shows {looks.holes} round holes of one size ({hole_A:.0f} A) like an overview of a film"
    return ""


def _spoilt(facts: Facts) -> tuple[str, ...]:
    """Return what spoils most of a micrograph."""
    found = []
    if sum(facts.junk_share.values()) >= MOSTLY:
        found.append(_junk(facts))
    if facts.on_junk >= FEWEST_ON_JUNK and facts.on_junk > facts.picked:
        above = facts.on_junk + facts.picked
        found.append(f"{facts.on_junk} of {above} candidates above the cut lie on junk")
    if facts.no_data >= MOSTLY:
        found.append(f"{facts.no_data:.0%} of it holds no picture")
    return tuple(found)


def _doubts(facts: Facts, usual: float | None) -> tuple[str, ...]:
    """Return what speaks against a micrograph, each thing once."""
    found = []
    if usual is not None and is_unlike(facts.picked, usual):
        found.append(f"{_count(facts.picked)} where {usual:g} are usual")
    if facts.just_below is not None and facts.just_below > facts.picked:
        found.append(f"{facts.just_below} candidates just below the cut and {_count(facts.picked)}")
    if PARTLY <= sum(facts.junk_share.values()) < MOSTLY:
        found.append(_junk(facts))
    return tuple(found)


def usual_count(facts: Iterable[Facts]) -> float | None:
    """Return the median count of those micrographs of a data set that are good by themselves.

    ``None`` if they are fewer than five: spoilt ones tell nothing of what is usual.
    """
    counts = [fact.picked for fact in facts if judge(fact).kind == "good"]
    return median(counts) if len(counts) >= COMPARED else None


def is_unlike(count: int, usual: float) -> bool:
    """Tell whether a count differs from the usual one more than five-fold."""
    return not usual / UNLIKE <= count <= usual * UNLIKE


def _junk(facts: Facts) -> str:
    each = sorted(facts.junk_share.items(), key=lambda item: (-item[1], item[0]))
    kinds = ", ".join(f"{kind} {part:.0%}" for kind, part in each)
    return f"{sum(facts.junk_share.values()):.0%} of its area is junk ({kinds})"


def _count(picked: int) -> str:
    return f"{picked} pick" if picked == 1 else f"{picked} picks"
