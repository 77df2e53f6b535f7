"""A page's cut through the candidates: by score, and by size."""

from dataclasses import dataclass

from cryopick_ray.passes.sizes import InSize
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.picks.table import recut
from cryopick_ray.settings.leaves import option


@dataclass(frozen=True)
class Cut:
    """What counts as picked; ``None`` where it stays as it is."""

    threshold: float | None = None
    smallest_A: float | None = None
    largest_A: float | None = None

    def __call__(self, picks: MicrographPicks) -> MicrographPicks:
        """Return a micrograph's picks, cut anew."""
        if self.threshold is not None:
            (picks,) = recut([picks], self.threshold)
        return InSize(self.smallest_A, self.largest_A)(picks)

    def words(self) -> list[str]:
        """Return the same as the command line calls it."""
        return [word for name, value in vars(self).items() if value is not None for word in said(name, value)]


def said(name: str, value: object = None) -> list[str]:
    """Return a setting as words of a command; a switch without a value."""
    spelled = option(name)
    return [spelled] if value is None else [f"{spelled}={value}"]
