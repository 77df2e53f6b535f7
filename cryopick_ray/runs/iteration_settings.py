"""How a run is iterated, and what tells whether one that was stopped goes on with the same."""

from pathlib import Path

from pydantic import Field

from cryopick_ray.errors import UsageError
from cryopick_ray.picks.table import open_table
from cryopick_ray.settings.base import Settings
from cryopick_ray.settings.config import checked
from cryopick_ray.store.claim import kept_settings

FREE = {"rounds"}
"""How long it lasts may change."""


class IterateSettings(Settings):
    """How a run is iterated.

    Attributes
    ----------
    rounds
        How often it learns at most.
    classes
        Into which its picks go; ``None``: by their number.
    assignments
        ``NAME=VALUE`` of the training, as for ``self-train``.
    """

    rounds: int = Field(default=2, ge=1)
    classes: int | None = Field(default=None, ge=1)
    assignments: tuple[str, ...] = ()


class Iteration(IterateSettings):
    """The same, and what it began with: a run, and the digest of its table of picks."""

    run: str
    picks: str

    @classmethod
    def of(cls, settings: IterateSettings, run: Path) -> "Iteration":
        """Return what an iteration of a run begins with."""
        return cls(**settings.model_dump(), run=str(run), picks=open_table(run).digest)

    def changes(self, out: Path) -> list[str]:
        """Return what would change of the iteration that a folder holds, as ``name: old -> new``.

        Raises
        ------
        UsageError
            The run's table was made anew since.
        """
        if not (out / "config.yaml").is_file():
            return []
        old = checked(Iteration, kept_settings(out, "iteration"), of="iteration")
        if old.run == self.run and old.picks != self.picks:
            raise UsageError(
                f"the picks of {self.run} have changed since {out} began to learn from them (table "
                f"{old.picks[:12]}, now {self.picks[:12]}): make the table as it was, or choose another `out`"
            )
        before, after = (one.model_dump(mode="json", exclude=FREE) for one in (old, self))
        return [f"{name}: {before[name]} -> {after[name]}" for name in after if before[name] != after[name]]
