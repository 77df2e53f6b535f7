"""How a run came by its particles' diameter, where nobody gave it: in words and numbers."""

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class EstimatedDiameter:
    """A diameter found in the micrographs, and what it was found from.

    Attributes
    ----------
    diameter_A
        The particle's longest dimension in angstroms.
    tried_A, evidence
        ``(n,)`` diameters that were tried, and what spoke for each.
    particles
        Picks that it rests on.
    micrographs
        Ids of the micrographs that were looked at.
    model
        The network that was asked.
    is_sure
        Whether it is more than a guess.
    alternatives_A
        The next best diameters, best first.
    bright
        How many of the micrographs have bright particles: of these the negatives were looked at.
    """

    diameter_A: float
    tried_A: tuple[float, ...]
    evidence: tuple[float, ...]
    particles: int
    micrographs: tuple[str, ...]
    model: str
    is_sure: bool = True
    alternatives_A: tuple[float, ...] = ()
    bright: int = 0

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "EstimatedDiameter":
        """Return what plain JSON holds of one; KeyError, TypeError or ValueError if it is another thing."""
        found = cls(
            diameter_A=float(data["diameter_A"]),
            tried_A=tuple(map(float, data["tried_A"])),
            evidence=tuple(map(float, data["evidence"])),
            particles=int(data["particles"]),
            micrographs=tuple(map(str, data["micrographs"])),
            model=str(data["model"]),
            is_sure=bool(data["is_sure"]),
            alternatives_A=tuple(map(float, data.get("alternatives_A", ()))),  # none in an older run's file
            bright=int(data.get("bright", 0)),
        )
        numbers = (found.diameter_A, *found.alternatives_A, *found.tried_A, *found.evidence)
        if len(found.tried_A) != len(found.evidence) or not all(map(math.isfinite, numbers)):
            raise ValueError("diameters tried and evidence are no curve")
        return found

    def text(self) -> str:
        """Return it as a few words; of a guess, what else it might be."""
        count = len(self.micrographs)
        bright = f", {self.bright} with bright particles" if self.bright else ""
        doubt = "" if self.is_sure else f", a guess: little was found{self.others()}"
        return f"{self.diameter_A:g} A, estimated from {count} micrograph{'s' * (count != 1)}{bright}{doubt}"

    def others(self) -> str:
        """Return the next best diameters as the end of a sentence; nothing if there are none."""
        listed = ", ".join(f"{other_A:g}" for other_A in self.alternatives_A)
        return f"; next best {listed} A" if listed else ""
