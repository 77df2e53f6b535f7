"""An estimated diameter of the particles, with its evidence."""

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class EstimatedDiameter:
    """A diameter estimated from micrographs, and the evidence for it.

    Attributes
    ----------
    diameter_A
        The particle's longest dimension in angstroms.
    tried_A, evidence
        ``(n,)`` diameters tried, and the evidence for each.
    particles
        Number of picks that it is based on.
    micrographs
        Ids of the micrographs searched.
    model
        The network used.
    is_sure
        Whether the evidence is sufficient.
    alternatives_A
        The next best diameters, best first.
    bright
        Number of micrographs with bright particles, of which the negatives were searched.
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
        """Return it from plain JSON; KeyError, TypeError or ValueError if that is something else."""
        estimate = cls(
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
        numbers = (estimate.diameter_A, *estimate.alternatives_A, *estimate.tried_A, *estimate.evidence)
        if len(estimate.tried_A) != len(estimate.evidence) or not all(map(math.isfinite, numbers)):
            raise ValueError("diameters tried and evidence are no curve")
        return estimate

    def text(self) -> str:
        """Return it in words, with the alternatives if it is a guess."""
        count = len(self.micrographs)
        bright = f", {self.bright} with bright particles" if self.bright else ""
        doubt = "" if self.is_sure else f", a guess: little was found{self.others()}"
        return f"{self.diameter_A:g} A, estimated from {count} micrograph{'s' * (count != 1)}{bright}{doubt}"

    def others(self) -> str:
        """Return the next best diameters as the end of a sentence; nothing if there are none."""
        listed = ", ".join(f"{other_A:g}" for other_A in self.alternatives_A)
        return f"; next best {listed} A" if listed else ""
