"""What lies on carbon, bad ice or in masks of the user is not picked."""

from dataclasses import dataclass

from cryopick_ray.micrographs.junk import kept_out
from cryopick_ray.picks.reasons import Why
from cryopick_ray.picks.schema import MicrographPicks


@dataclass(frozen=True)
class OnJunk:
    """Marks candidates that lie on junk.

    Attributes
    ----------
    keep_junk
        Whether what a model takes for junk keeps nothing out, and only masks of the user do.
    """

    keep_junk: bool = False

    def __call__(self, picks: MicrographPicks) -> MicrographPicks:
        """Return the picks of a micrograph, marked."""
        if picks.junk is None:
            return picks
        return picks.marked(Why.ON_JUNK, kept_out(picks.junk, keep_junk=self.keep_junk))
