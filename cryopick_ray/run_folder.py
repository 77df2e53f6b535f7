"""The folder of a run: what lies where, and who may work in it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryopick_ray.config import RunSettings, differences, load_settings
from cryopick_ray.errors import UsageError
from cryopick_ray.folder import claimed, kept_settings


class RunFolder:
    """A run's ``DIR``: config.yaml store.zarr picks/ table/ coordinates/ report.html summary.json.

    And diameter.json, where the diameter was not given.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.abspath(path))
        self.config = self.path / "config.yaml"
        self.diameter = self.path / "diameter.json"
        self.store = str(self.path / "store.zarr")
        self.picks = str(self.path / "picks")
        self.table = self.path / "table"
        self.coordinates = self.path / "coordinates"
        self.report = self.path / "report.html"
        self.summary = self.path / "summary.json"

    def settings(self) -> RunSettings:
        """Return the settings of the run that the folder holds.

        Raises
        ------
        UsageError
            If it holds none, or a training.
        """
        if not self.config.is_file():
            raise UsageError(f"{self.path} holds no run (no {self.config.name})")
        return load_settings(kept_settings(self.path, "run"))

    @contextmanager
    def claim(self, settings: RunSettings, *, resume: bool) -> Iterator[None]:
        """Take the folder for a run with ``settings`` and hold it against other runs.

        Raises
        ------
        UsageError
            If the folder holds a run and ``resume`` is not asked for, or the settings would change
            what the run picks, or another run is at work in it.
        """
        changed = differences(self.settings(), settings) if self.config.exists() else []
        with claimed(self.path, settings, changed, resume=resume):
            yield
