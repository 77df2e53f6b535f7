"""Other settings tried on a few micrographs: a small store of them, and what is picked there."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryopick_ray.errors import UsageError
from cryopick_ray.page.cut import said
from cryopick_ray.settings.run_settings import PickSettings, RunSettings
from cryopick_ray.store.layout import metadata_key, shard_key
from cryopick_ray.store.manifest import ManifestRow, publish_part
from cryopick_ray.store.store import MicrographStore

MOST_MICROGRAPHS, MOST_TRIED = 32, 6
PICK_OPTIONS = ("diameter_A", "model", "particle_px", "invert", "exact")
TABLE_OPTIONS = ("threshold", "keep_junk", "any_image")


@dataclass(frozen=True)
class Trial:
    """What is tried: ``None`` where it stays as in the run."""

    diameter_A: float | None = None
    model: str | None = None
    threshold: float | None = None

    @property
    def name(self) -> str:
        """What its picks are called on the page."""
        told = {"diameter": self.diameter_A, "model": self.model, "threshold": self.threshold}
        return (
            ", ".join(f"{name} {value}" for name, value in told.items() if value is not None) or "as it was"
        )

    def settings(self, run: RunSettings) -> RunSettings:
        """Return those of a run with what is tried.

        Another model has its own threshold and size of particles.

        Raises
        ------
        UsageError
            If a value is none that a run takes.
        """
        from cryopick_ray.settings.config import load_settings, over

        changes = {name: value for name, value in vars(self).items() if value is not None}
        if self.model is not None:
            changes = {"threshold": "auto", "precision": None, "expect": None, "particle_px": None} | changes
        if self.threshold is not None:
            changes = {"precision": None, "expect": None} | changes
        return load_settings(over(run.model_dump(mode="json"), changes))


def small_store(store: MicrographStore, rows: Sequence[ManifestRow], where: Path) -> None:
    """Copy a few micrographs into a store of their own.

    Raises
    ------
    UsageError
        If they are none, or too many.
    """
    there = [row for row in rows if row.status == "complete"]
    if not 1 <= len(there) <= MOST_MICROGRAPHS:
        raise UsageError(f"{len(there)} micrographs to try settings on, expected 1 to {MOST_MICROGRAPHS}")
    made = MicrographStore(str(where), create=True)
    for row in there:
        for key in (metadata_key(row.micrograph_id), shard_key(row.micrograph_id)):
            if (data := store.place.get(key)) is not None:
                made.place.put(key, data)
    publish_part(made.place, there)


def trial_commands(settings: RunSettings, store: Path, out: Path) -> list[list[str]]:
    """Return the commands that pick a small store and make a table of it, below ``out``."""
    default = RunSettings(inputs=settings.inputs)
    given = {name: getattr(settings, name) for name in (*PICK_OPTIONS, *TABLE_OPTIONS)}
    differ = {name: value for name, value in given.items() if value not in (None, getattr(default, name))}

    def words(names: Sequence[str]) -> list[str]:
        return [
            word
            for name in names
            if name in differ
            for word in said(name, None if differ[name] is True else differ[name])
        ]

    picks, here = out / "picks", ["serial"]
    assert set(PICK_OPTIONS) <= PickSettings.model_fields.keys()
    return [
        ["pick", *said("store", store), *said("out", picks), *words(PICK_OPTIONS), *said("engine", *here)],
        ["table", *said("store", store), *said("out", out / "table"), *words(TABLE_OPTIONS), str(picks)],
    ]
