"""Settings of an iteration, and the record that a resumed one is checked against."""

from pathlib import Path

from pydantic import Field

from cryopick_ray.errors import UsageError
from cryopick_ray.picks.table import open_table
from cryopick_ray.settings.base import Settings
from cryopick_ray.settings.config import checked
from cryopick_ray.store.claim import kept_settings

FREE = {"rounds"}
"""Settings that may change on resuming."""


class IterateSettings(Settings):
    """Settings of ``cryopick iterate``.

    Attributes
    ----------
    rounds
        Maximum number of training rounds.
    classes
        Number of 2-D classes; ``None``: chosen by the number of picks.
    assignments
        ``NAME=VALUE`` of the training, as for ``self-train``.
    """

    rounds: int = Field(default=2, ge=1)
    classes: int | None = Field(default=None, ge=1)
    assignments: tuple[str, ...] = ()


class IterationRecord(IterateSettings):
    """The settings with the run that an iteration began with, and the digest of its pick table."""

    run: str
    picks: str

    @classmethod
    def of(cls, settings: IterateSettings, run: Path) -> "IterationRecord":
        """Return the record of an iteration that begins with ``run``."""
        return cls(**settings.model_dump(), run=str(run), picks=open_table(run).digest)

    def changes(self, out: Path) -> list[str]:
        """Return the differences to the iteration in a folder, as ``name: old -> new``.

        Raises
        ------
        UsageError
            The run's table has changed since.
        """
        if not (out / "config.yaml").is_file():
            return []
        old = checked(IterationRecord, kept_settings(out, "iteration"), of="iteration")
        if old.run == self.run and old.picks != self.picks:
            raise UsageError(
                f"the picks of {self.run} have changed since {out} began to learn from them (table "
                f"{old.picks[:12]}, now {self.picks[:12]}): make the table as it was, or choose another `out`"
            )
        before, after = (record.model_dump(mode="json", exclude=FREE) for record in (old, self))
        return [f"{name}: {before[name]} -> {after[name]}" for name in after if before[name] != after[name]]
