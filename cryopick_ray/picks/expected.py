"""Expected numbers of particles among picks and candidates, from calibrated scores."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ExpectedParticles:
    """Expected numbers of particles: of candidates of score s a share s are particles.

    Attributes
    ----------
    true, precision
        Particles among the picks, the sum of their scores, and their share; ``None`` without picks.
    missed
        Particles among the candidates below the cut; particles that are no candidate are not counted.
    """

    true: float
    precision: float | None
    missed: float

    @classmethod
    def of(cls, picked: int, picked_score: float, other_score: float) -> "ExpectedParticles":
        """Return the expectation for ``picked`` picks, given the sums of scores of picks and of others."""
        return cls(picked_score, picked_score / picked if picked else None, other_score)

    def text(self) -> str:
        """Return it in words."""
        share = "" if self.precision is None else f" (precision {self.precision:.2f})"
        return (
            f"about {self.true:,.0f} of the picks are particles{share}; about {self.missed:,.0f} more lie "
            "below the cut"
        )
