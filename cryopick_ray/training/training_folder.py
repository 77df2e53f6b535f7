"""The folder of a training: who may work in it, and with which settings."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cryopick_ray.errors import UsageError
from cryopick_ray.settings.base import Settings
from cryopick_ray.store.claim import claimed, kept_settings
from cryopick_ray.training.loop.checkpoint import CHECKPOINT


class TrainingFolder:
    """A training's ``DIR``: config.yaml stores/ checkpoints/ NAME.safetensors report.html summary.json."""

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.abspath(path))
        self.config = self.path / "config.yaml"

    @contextmanager
    def claim(self, settings: Settings, *, resume: bool) -> Iterator[None]:
        """Take the folder for a training with ``settings`` and hold it against others.

        How long it lasts may change; what is learned, from what and how may not, once there is a
        checkpoint.

        Raises
        ------
        UsageError
            As for :meth:`RunFolder.claim`, or if the folder holds other work than a training.
        """
        changes = self._changes(settings) if self.config.exists() else []
        began = any(self.path.rglob(CHECKPOINT))
        changed = changes if began else []
        with claimed(self.path, settings, changed, resume=resume or not began):
            yield

    def _changes(self, settings: Settings) -> list[str]:
        """Return what ``settings`` would change of the training, as ``name: old -> new`` lines."""
        try:
            old = type(settings).model_validate(kept_settings(self.path, "training"))
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"])) or "settings"
            raise UsageError(
                f"{self.path} holds a training of another kind ({name}: {first['msg']}); choose another `out`"
            ) from error
        return changed(old, settings)


def changed(old: Settings, new: Settings) -> list[str]:
    """Return how two trainings differ, but for how long they last, as ``name: old -> new`` lines."""
    free = {"epochs", "patience"}
    before, after = (dict(_flat(one.model_dump(mode="json", exclude=free))) for one in (old, new))
    names = dict.fromkeys([*before, *after])
    return [
        f"{name}: {before.get(name)} -> {after.get(name)}"
        for name in names
        if before.get(name) != after.get(name)
    ]


def _flat(data: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield nested values with their dotted names."""
    if isinstance(data, dict | list) and data:
        parts = data.items() if isinstance(data, dict) else enumerate(data)
        for key, value in parts:
            yield from _flat(value, f"{name}.{key}" if name else str(key))
    else:
        yield name, data
