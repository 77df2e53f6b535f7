"""Preview of other settings on a few micrographs, copied into a small store and picked there."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryopick_ray.errors import UsageError
from cryopick_ray.page.page_cut import option_words
from cryopick_ray.settings.run_settings import PickSettings, RunSettings
from cryopick_ray.store.layout import metadata_key, shard_key
from cryopick_ray.store.manifest import ManifestRow, publish_part
from cryopick_ray.store.store import MicrographStore

MOST_MICROGRAPHS, MOST_TRIED = 32, 6
PICK_OPTIONS = ("diameter_A", "model", "particle_px", "invert", "exact")
TABLE_OPTIONS = ("threshold", "keep_junk", "any_image")


@dataclass(frozen=True)
class TrialSettings:
    """Settings of a preview; ``None``: as in the run."""

    diameter_A: float | None = None
    model: str | None = None
    threshold: float | None = None

    @property
    def name(self) -> str:
        """Name of its picks on the page."""
        changes = {"diameter": self.diameter_A, "model": self.model, "threshold": self.threshold}
        return (
            ", ".join(f"{name} {value}" for name, value in changes.items() if value is not None)
            or "as it was"
        )

    def settings(self, run: RunSettings) -> RunSettings:
        """Return a run's settings with these changes.

        Another model has its own threshold and size of particles.

        Raises
        ------
        UsageError
            If a value is none that a run takes.
        """
        from cryopick_ray.settings.config import load_settings, merged

        changes = {name: value for name, value in vars(self).items() if value is not None}
        if self.model is not None:
            changes = {"threshold": "auto", "precision": None, "expect": None, "particle_px": None} | changes
        if self.threshold is not None:
            changes = {"precision": None, "expect": None} | changes
        return load_settings(merged(run.model_dump(mode="json"), changes))


def small_store(store: MicrographStore, rows: Sequence[ManifestRow], where: Path) -> None:
    """Copy a few micrographs into a store of their own.

    Raises
    ------
    UsageError
        If there are none, or too many.
    """
    complete = [row for row in rows if row.status == "complete"]
    if not 1 <= len(complete) <= MOST_MICROGRAPHS:
        raise UsageError(f"{len(complete)} micrographs to try settings on, expected 1 to {MOST_MICROGRAPHS}")
    small = MicrographStore(str(where), create=True)
    for row in complete:
        for key in (metadata_key(row.micrograph_id), shard_key(row.micrograph_id)):
            if (data := store.place.get(key)) is not None:
                small.place.put(key, data)
    publish_part(small.place, complete)


def trial_commands(settings: RunSettings, store: Path, out: Path) -> list[list[str]]:
    """Return the commands that pick a small store and make a table of it, below ``out``."""
    default = RunSettings(inputs=settings.inputs)
    values = {name: getattr(settings, name) for name in (*PICK_OPTIONS, *TABLE_OPTIONS)}
    changed = {name: value for name, value in values.items() if value not in (None, getattr(default, name))}

    def words(names: Sequence[str]) -> list[str]:
        return [
            word
            for name in names
            if name in changed
            for word in option_words(name, None if changed[name] is True else changed[name])
        ]

    picks, here = out / "picks", ["serial"]
    assert set(PICK_OPTIONS) <= PickSettings.model_fields.keys()
    return [
        [
            "pick",
            *option_words("store", store),
            *option_words("out", picks),
            *words(PICK_OPTIONS),
            *option_words("engine", *here),
        ],
        [
            "table",
            *option_words("store", store),
            *option_words("out", out / "table"),
            *words(TABLE_OPTIONS),
            str(picks),
        ],
    ]
