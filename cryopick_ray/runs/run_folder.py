"""The folder of a run: what lies where, and who may work in it."""

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryopick_ray.errors import UsageError
from cryopick_ray.picks.index import INDEX
from cryopick_ray.settings.config import load_settings, to_yaml
from cryopick_ray.settings.leaves import differences
from cryopick_ray.settings.run_settings import RunSettings
from cryopick_ray.stages.averages import MovieAverages, beside
from cryopick_ray.store.claim import DOWNLOAD, check_free, check_goes_on, claimed, kept_settings
from cryopick_ray.store.copies import fetch_folder, publish_folder
from cryopick_ray.store.place import Place, is_bucket
from cryopick_ray.store.publish import write_whole

SMALL = ("config.yaml", "diameter.json", "summary.json")
SMALL_BYTES = 64 << 20
"""The largest of these files that is brought here: a summary lists every failure."""


class RunFolder:
    """A run's ``DIR``: config.yaml store.zarr picks/ table/ coordinates/ report.html summary.json.

    And diameter.json, where the diameter was not given; micrographs/, the averages of movies; download/, the
    files of an archive; pictures/ of the micrographs; curation/, what people decided, a file each.

    Parameters
    ----------
    where
        A folder, or a bucket's URL. Of a run in a bucket the store and the picks are read and written
        there; its other files are made in ``path``, a private local folder that vanishes with this object,
        and published, so that any machine can go on with it.
    """

    def __init__(self, where: str | Path) -> None:
        self.where = str(where).rstrip("/") if is_bucket(str(where)) else os.path.abspath(where)
        self._place = Place(self.where) if is_bucket(self.where) else None
        self.path = Path(self.where) if self._place is None else self._private(self._place)
        self.config = self.path / "config.yaml"
        self.diameter = self.path / "diameter.json"
        self.store = f"{self.where}/store.zarr"
        self.picks = f"{self.where}/picks"
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
        with self.named():
            plain = self.plain_settings()
            try:
                return load_settings(plain)
            except UsageError as error:
                raise UsageError(f"{self.config}: {error}") from error

    def plain_settings(self) -> dict[str, Any]:
        """Return the same as they stand in the file."""
        if not self.config.is_file():
            raise UsageError(f"{self.where} holds no run (no {self.config.name})")
        with self.named():
            return kept_settings(self.path, "run")

    @property
    def shares_store(self) -> bool:
        """Whether the store is that of another run, which this one only reads."""
        return self._place is None and Path(self.store).is_symlink()

    def relion_project(self, settings: RunSettings) -> Path:
        """Return what the coordinates' own paths are relative to: of a run in a bucket, the run itself."""
        return settings.project if self._place is None else self.path

    @property
    def download(self) -> Path | None:
        """Where files of an archive go; ``None`` in a bucket."""
        return self.path / DOWNLOAD if self._place is None else None

    def averages(self, relion_project: Path) -> MovieAverages:
        """Return where the averages of movies are kept."""
        return beside(self.store, None, relion_project)

    def check_free(self, *, resume: bool) -> None:
        """Refuse a folder that no run can begin in, nor go on in if ``resume``.

        Raises
        ------
        UsageError
            If it holds a run and ``resume`` is not asked for, or something else.
        """
        if self._place is None:
            check_free(self.path, resume=resume)
        elif self.config.exists():
            check_goes_on(self.where, [], resume=resume)
        elif self._place.names():
            raise UsageError(
                f"{self.where} is not empty and holds no run (no config.yaml); choose another `out`"
            )

    @contextmanager
    def claim(self, settings: RunSettings, *, resume: bool) -> Iterator[None]:
        """Take the folder for a run with ``settings`` and hold it against other runs.

        A bucket cannot be held: of runs that begin there at once the first wins, and those that go on at
        once repeat each other's work, of which the first published counts.

        Raises
        ------
        UsageError
            If the folder holds a run and ``resume`` is not asked for, or the settings would change
            what the run picks, or another run is at work in it.
        """
        changed = differences(self.settings(), settings) if self.config.exists() else []
        if self._place is None:
            with claimed(self.path, settings, changed, resume=resume):
                yield
            return
        self.check_free(resume=resume)
        check_goes_on(self.where, changed, resume=True)
        text, name = to_yaml(settings).encode(), self.config.name
        if self.config.exists():
            self._place.put(name, text)
        elif not self._place.put_new(name, text) and self._place.get(name) != text:
            raise UsageError(f"another run has begun in {self.where}; choose another `out`")
        write_whole(self.config, text)
        yield

    def publish(self) -> None:
        """Put what was made of a run into its bucket, the summary last."""
        if self._place is None:
            return
        if self.table.exists():
            publish_folder(self.table, f"{self.where}/{self.table.name}", index=INDEX)
        if self.coordinates.exists():
            publish_folder(self.coordinates, f"{self.where}/{self.coordinates.name}")
        for path in (self.diameter, self.report, self.summary):
            if path.exists():
                self.publish_file(path)

    def publish_file(self, path: Path) -> None:
        """Put one of the files directly below ``path`` into the run's bucket."""
        if self._place is not None:
            self._place.put_file(path.name, path)

    def forget_diameter(self) -> None:
        """Remove the estimate of a diameter that is given now."""
        self.diameter.unlink(missing_ok=True)
        if self._place is not None:
            self._place.delete(self.diameter.name)

    def fetch_table(self) -> None:
        """Bring the table of a run in a bucket here."""
        if self._place is not None:
            fetch_folder(f"{self.where}/{self.table.name}", self.table)

    @contextmanager
    def named(self) -> Iterator[None]:
        """Let what people are told in the block speak of the bucket, not of the private folder."""
        try:
            yield
        except UsageError as error:
            raise type(error)(str(error).replace(str(self.path), self.where)) from error

    def _private(self, place: Place) -> Path:
        """Return a new private folder with the small files of a bucket's run."""
        path = Path(tempfile.mkdtemp(prefix="cryopick-"))
        weakref.finalize(self, shutil.rmtree, path, ignore_errors=True)
        for name in SMALL:
            data = place.get(name, at_most=SMALL_BYTES)
            if data is None and name == "config.yaml":
                break
            if data is not None:
                write_whole(path / name, data)
        return path
