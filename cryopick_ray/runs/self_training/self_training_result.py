"""What came of a self-training: which model is kept, and by what evidence."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Taught:
    """A self-training in numbers.

    Attributes
    ----------
    teacher
        Whose picks were the labels: a model's name or file, or ``self``.
    measure
        What the evidence is: ``agreement`` with another teacher's picks, or ``steadiness`` under noise.
    held_back
        Micrographs that it was measured on, from which nothing was learned; 0 if there are too few for any.
    before, rounds
        The evidence of the model that began, and of the student after each round.
    kept
        The round whose student is kept, from 1; 0 for the model that began.
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
        """Whether no student was better than the model that began."""
        return not self.kept

    def text(self) -> str:
        """Return a line for a terminal and the report."""
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
