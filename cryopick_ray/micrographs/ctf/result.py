"""The result of a CTF fit, with its reliability and doubts."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CtfFit:
    """The defocus fitted to the rings of a power spectrum.

    Attributes
    ----------
    defocus_u_A, defocus_v_A
        rlnDefocusU, the larger one, and rlnDefocusV; positive is underfocus.
    defocus_angle_deg
        rlnDefocusAngle, 0 to 180: from the x axis (columns) to the direction of ``defocus_u_A``, towards the
        y axis (increasing rows).
    evidence
        Gain in log likelihood over a spectrum without rings.
    resolution_A
        To which rings and spectrum agree; ``None`` if they do nowhere.
    score
        Correlation of rings and spectrum as far as that, 0 to 1.
    ice_ring
        How much more power there is about 3.7 angstroms than beside, as a part of it; ``None`` where pixels
        are too coarse to tell.
    doubts
        Why the defocus may be wrong; empty if nothing speaks against it.
    """

    defocus_u_A: float
    defocus_v_A: float
    defocus_angle_deg: float
    evidence: float
    resolution_A: float | None
    score: float
    ice_ring: float | None
    doubts: tuple[str, ...] = ()

    @property
    def defocus_A(self) -> float:
        """Mean of the two."""
        return (self.defocus_u_A + self.defocus_v_A) / 2
