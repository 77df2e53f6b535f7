"""What calibrated scores say of a run's picks."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ExpectedParticles:
    """How many of the candidates are particles, by their scores: a share s of those of score s.

    Attributes
    ----------
    true, precision
        Particles among the picks, the sum of their scores, and their share; ``None`` without picks.
    missed
        Particles among the candidates below the cut. Those that are no candidate at all nobody knows of.
    """

    true: float
    precision: float | None
    missed: float

    @classmethod
    def of(cls, picked: int, picked_score: float, other_score: float) -> "ExpectedParticles":
        """Return what is to be expected of so many picks, given sums of scores of picks and of others."""
        return cls(picked_score, picked_score / picked if picked else None, other_score)

    def text(self) -> str:
        """Return it in words."""
        share = "" if self.precision is None else f" (precision {self.precision:.2f})"
        return (
            f"about {self.true:,.0f} of the picks are particles{share}; about {self.missed:,.0f} more lie "
            "below the cut"
        )
