"""The cut chosen on a page: a score threshold and a range of sizes."""

from dataclasses import dataclass

from cryopick_ray.passes.sizes import InSize
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.picks.table import recut
from cryopick_ray.settings.leaf_settings import default_option


@dataclass(frozen=True)
class PageCut:
    """Threshold and size limits of picks; ``None``: unchanged."""

    threshold: float | None = None
    smallest_A: float | None = None
    largest_A: float | None = None

    def __call__(self, picks: MicrographPicks) -> MicrographPicks:
        """Return a micrograph's picks, cut anew."""
        if self.threshold is not None:
            (picks,) = recut([picks], self.threshold)
        return InSize(self.smallest_A, self.largest_A)(picks)

    def words(self) -> list[str]:
        """Return the cut as command-line options."""
        return [
            word
            for name, value in vars(self).items()
            if value is not None
            for word in option_words(name, value)
        ]


def option_words(name: str, value: object = None) -> list[str]:
    """Return a setting as command-line words; a switch without a value."""
    spelled = default_option(name)
    return [spelled] if value is None else [f"{spelled}={value}"]
