"""What came of marks: which model is kept, and by what evidence."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Kept = Literal["taught", "threshold", "as it was"]
SAID = {
    "taught": "the model learned from the marks, and is kept",
    "threshold": "what was learned does not tell held-back marks apart better, and is not kept: the model is "
    "as it was, at another threshold that fits the marks",
    "as it was": "neither learning nor another threshold tells held-back marks apart better: the model is as "
    "it was",
}


@dataclass(frozen=True)
class ShownMarks:
    """Picks of a micrograph that somebody looks at, before and after."""

    micrograph_id: str
    before: int
    after: int


@dataclass(frozen=True)
class TeachResult:
    """A teaching in numbers.

    Attributes
    ----------
    model, table
        Where the kept model is, and its candidates of the micrographs that are shown.
    kept
        What it is.
    particles, wrong, micrographs
        Marks of either kind, and in how many micrographs.
    threshold_before, threshold
        Scores from which a candidate is picked.
    right_before, right
        Marks on their side of the threshold, before and, each held back while others taught, after.
    in_order_before, in_order
        Share of pairs of a particle and a wrong place in which the particle scores higher, likewise.
    unlikeliness_before, unlikeliness_at_threshold, unlikeliness_taught
        Minus the logarithm of how likely the marks are, in nats: as it was, at the threshold that they
        suggest, and taught, likewise held back, at its threshold.
    kept_share
        Share of the picks before, but for wrong ones, that a taught model still finds.
    shown
        The micrographs that are shown.
    notes, doubts
        What was left out, and what to look at.
    seconds
        By stage.
    """

    model: str
    table: str
    kept: Kept
    particles: int
    wrong: int
    micrographs: int
    threshold_before: float
    threshold: float
    right_before: int
    right: int
    in_order_before: float
    in_order: float
    unlikeliness_before: float
    unlikeliness_at_threshold: float
    unlikeliness_taught: float
    kept_share: float
    shown: tuple[ShownMarks, ...]
    notes: tuple[str, ...]
    doubts: tuple[str, ...]
    seconds: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)

    def text(self) -> str:
        """Return what a person wants to know."""
        marks = self.particles + self.wrong
        unseen = " (marks that were held back)" if self.kept == "taught" else ""
        lines = [
            f"{SAID[self.kept]}",
            f"marks: {self.particles} particles, {self.wrong} wrong places in {self.micrographs} micrographs",
            f"on their side of the threshold {self.right_before} of {marks} marks before, {self.right} now; "
            f"a particle scores above a wrong place in {self.in_order_before:.0%} of pairs before, "
            f"{self.in_order:.0%} now{unseen}",
            f"threshold {self.threshold_before:.3f} -> {self.threshold:.3f}; of the picks before that nobody "
            f"called wrong, {self.kept_share:.0%} are found still",
            *(f"{one.micrograph_id}: {one.before} picks -> {one.after}" for one in self.shown),
            *(f"warning: {doubt}" for doubt in self.doubts),
            f"picks  {self.table}",
            f"model  {self.model}",
        ]
        return "\n".join(lines)
