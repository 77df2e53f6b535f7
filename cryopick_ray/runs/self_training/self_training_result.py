"""Result of a self-training: which model is kept, and the evidence for it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SelfTrainingResult:
    """Evidence by round, and the model that is kept.

    Attributes
    ----------
    teacher
        Source of the labels: a model's name or file, or ``self``.
    measure
        Kind of evidence: ``agreement`` with another teacher's picks, or ``steadiness`` under noise.
    held_back
        Number of held-back micrographs that it was measured on; 0 if there are too few for any.
    before, rounds
        Evidence of the starting model, and of the student after each round.
    kept
        Round whose student is kept, from 1; 0: the starting model.
    model
        The kept model's file.
    """

    teacher: str
    measure: str
    held_back: int
    before: float
    rounds: tuple[float, ...]
    kept: int
    model: str

    @property
    def is_refused(self) -> bool:
        """Whether no student was better than the starting model."""
        return not self.kept

    def text(self) -> str:
        """Return the result as a line of text."""
        of = f" with {self.teacher}" if self.measure == "agreement" else " under noise"
        where = (
            f"{self.held_back} held-back micrographs" if self.held_back else "the micrographs it learned from"
        )
        numbers = " -> ".join(f"{value:.3f}" for value in (self.before, *self.rounds))
        verdict = (
            "no student is better: the run keeps the model that it began with"
            if self.is_refused
            else f"the student of round {self.kept} is kept"
        )
        return f"{verdict}; {self.measure}{of} on {where} {numbers}"
