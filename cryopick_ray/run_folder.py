"""The folder of a run: what lies where, and who may work in it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryopick_ray.config import RunSettings, differences, load_settings, read_yaml, to_yaml
from cryopick_ray.errors import UsageError

OWN = (".lock", "config.partial")
"""What a run that was killed in its first instant leaves."""


class RunFolder:
    """A run's ``DIR``: config.yaml store.zarr picks/ table/ coordinates/ report.html summary.json."""

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.abspath(path))
        self.config = self.path / "config.yaml"
        self.store = str(self.path / "store.zarr")
        self.picks = str(self.path / "picks")
        self.table = self.path / "table"
        self.coordinates = self.path / "coordinates"
        self.report = self.path / "report.html"
        self.summary = self.path / "summary.json"

    def settings(self) -> RunSettings:
        """Return the settings of the run that the folder holds."""
        if not self.config.is_file():
            raise UsageError(f"{self.path} holds no run (no {self.config.name})")
        return load_settings(read_yaml(self.config))

    @contextmanager
    def claim(self, settings: RunSettings, *, resume: bool) -> Iterator[None]:
        """Take the folder for a run with ``settings`` and hold it against other runs.

        Raises
        ------
        UsageError
            If the folder holds a run and ``resume`` is not asked for, or the settings would change
            what the run picks, or another run is at work in it.
        """
        if self.config.exists():
            if not resume:
                raise UsageError(
                    f"{self.path} holds a run; go on with it by --resume, or choose another --out"
                )
            if changed := differences(self.settings(), settings):
                raise UsageError(
                    f"{self.path} holds a run with other settings ({'; '.join(changed)}); "
                    "resume with the old ones or choose another --out"
                )
        elif self.path.is_dir() and any(path.name not in OWN for path in self.path.iterdir()):
            raise UsageError(f"{self.path} is not empty and holds no run; choose another --out")
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UsageError(
                    f"another run is at work in {self.path}; wait for it or choose another --out"
                ) from error
            aside = self.config.with_suffix(".partial")
            aside.write_text(to_yaml(settings))
            aside.replace(self.config)
            yield
