"""Averages of movies, kept where a run's coordinates refer to them."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryopick_ray.store.place import Place, is_bucket
from cryopick_ray.store.publish import below, whole

if TYPE_CHECKING:
    from cryopick_ray.micrographs.movies.average import Average


@dataclass(frozen=True)
class MovieAverages:
    """A folder or bucket of averages.

    Attributes
    ----------
    url
        Where they are kept.
    relion_name
        What RELION calls that place.
    """

    url: str
    relion_name: str

    def keep(self, micrograph_id: str, average: "Average") -> str:
        """Write the average of a movie, whole; return what RELION calls it."""
        from cryopick_ray.micrographs.exposure import average_name
        from cryopick_ray.micrographs.movies.write_average import write_average

        name = average_name(micrograph_id)
        if is_bucket(self.url):
            with tempfile.TemporaryDirectory(prefix="cryopick-") as folder:
                path = Path(folder) / "average.mrc"
                write_average(path, average)
                Place(self.url).put_file(name, path)
        else:
            with whole(below(Path(self.url), name)) as path:
                write_average(path, average)
        return f"{self.relion_name}/{name}"


def beside(store_url: str, url: str | None, relion_project: Path) -> MovieAverages:
    """Return the place asked for, else ``micrographs`` beside a store."""
    from cryopick_ray.micrographs.sources import relion_name

    where = url or f"{store_url.rstrip('/').rpartition('/')[0] or '.'}/micrographs"
    if is_bucket(where):
        return MovieAverages(where, where)
    path = Path(os.path.abspath(where))
    return MovieAverages(str(path), relion_name(path, Path(os.path.abspath(relion_project))))
