"""Class averages of a run's particles, kept or dropped by a person."""

import csv
import json
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import Any

import mrcfile
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, ValidationError

from cryopick_ray.errors import PicksError, brief
from cryopick_ray.page.levels import limits_of
from cryopick_ray.passes.bad_classes import HEAD, QUALITIES
from cryopick_ray.passes.decision_files import OF_CLASSES
from cryopick_ray.plain_data import read_json
from cryopick_ray.store.publish import published, write_whole

JSON, CSV = "classes.json", "classes.csv"
MOST_JSON_BYTES, MOST_STACK_BYTES = 16 << 20, 1 << 30
KEPT: tuple[str, ...] = QUALITIES[:2]
"""Qualities of classes that are picked unless a person drops them, as a table keeps them."""


class _Class(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    number: int
    quality: str
    likeness: float | None = None
    particles: int = 0
    resolution_A: float | None = None


class ClassAverages:
    """The classes that ``cryopick classify2d`` left in a folder, and which of them a person keeps.

    Parameters
    ----------
    folder
        Of the classification.
    curation, by
        Where choices are kept, and whose.

    Raises
    ------
    PicksError
        If the folder's files are damaged.
    """

    def __init__(self, folder: Path, curation: Path, by: str) -> None:
        self.folder = folder
        self.csv = curation / f"{by}{OF_CLASSES}"
        self._choices = self.csv.with_suffix(".json")
        self._lock = Lock()
        try:
            told = read_json(folder / JSON, MOST_JSON_BYTES)
            rows = [_Class(number=one["class"], **one) for one in told["classes"]]
            self._stack = folder / Path(str(told["averages"])).name
        except (OSError, KeyError, TypeError, ValueError, ValidationError) as error:
            raise PicksError(f"{folder / JSON} is damaged ({brief(error)}); classify again") from error
        self._classes = {row.number: row for row in rows if row.particles > 0}
        self._chosen = self._read_choices()

    @property
    def is_changed(self) -> bool:
        """Whether a person keeps or drops a class otherwise than its quality says."""
        return bool(self._chosen)

    def listed(self) -> list[dict[str, Any]]:
        """Return the classes as plain data, the likeliest first."""
        ordered = sorted(
            self._classes.values(), key=lambda class_: (-(class_.likeness or 0), -class_.particles)
        )
        return [
            {
                "number": one.number,
                "quality": one.likeness,
                "kind": one.quality,
                "count": one.particles,
                "resolution_A": one.resolution_A,
                "kept": self._is_kept(one),
            }
            for one in ordered
        ]

    def keep(self, number: int, *, keep: bool) -> None:
        """Keep or drop a class.

        Raises
        ------
        PicksError
            If there is no such class.
        """
        with self._lock:
            one = self._class(number)
            own = {name: value for name, value in self._chosen.items() if name != number}
            if keep != (one.quality in KEPT):
                own[number] = keep
            write_whole(self._choices, json.dumps({"kept": own}, indent=1) + "\n")
            self._chosen = own

    def picture(self, number: int) -> bytes:
        """Return a class average as a PNG."""
        self._class(number)
        try:
            if self._stack.stat().st_size > MOST_STACK_BYTES:
                raise ValueError("it is too large")
            with mrcfile.mmap(self._stack, mode="r", permissive=False) as mrc:
                image: NDArray[np.float32] = np.array(mrc.data[number - 1], np.float32)
        except (OSError, ValueError, IndexError, TypeError) as error:
            raise PicksError(f"{self._stack} is damaged ({brief(error)}); classify again") from error
        low, high = limits_of(np.nan_to_num(image))
        grey = np.clip((np.nan_to_num(image) - low) / max(high - low, 1e-30), 0, 1)
        file = BytesIO()
        Image.fromarray((255 * grey).round().astype(np.uint8)).save(file, "PNG")
        return file.getvalue()

    def write_csv(self) -> None:
        """Write the classes' particles with what a person makes of their qualities, for a table."""
        try:
            with (self.folder / CSV).open(encoding="utf-8", newline="") as found, published(self.csv) as file:
                rows, out = csv.reader(found), csv.writer(file, lineterminator="\n")
                if tuple(next(rows, [])) != HEAD:
                    raise ValueError(f"expected {','.join(HEAD)} as its first line")
                out.writerow(HEAD)
                for *place, number, quality in rows:
                    chosen = self._chosen.get(int(number))
                    said = quality if chosen is None else QUALITIES[0] if chosen else QUALITIES[-1]
                    out.writerow((*place, number, said))
        except (OSError, ValueError, csv.Error) as error:
            raise PicksError(
                f"{self.folder / CSV} cannot be used ({brief(error)}); classify again"
            ) from error

    def _class(self, number: int) -> _Class:
        if number not in self._classes:
            raise PicksError(f"there is no class {number}")
        return self._classes[number]

    def _is_kept(self, one: _Class) -> bool:
        return self._chosen.get(one.number, one.quality in KEPT)

    def _read_choices(self) -> dict[int, bool]:
        if not self._choices.is_file():
            return {}
        try:
            told = read_json(self._choices, MOST_JSON_BYTES)["kept"]
            return {int(number): bool(keep) for number, keep in told.items() if int(number) in self._classes}
        except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise PicksError(f"{self._choices} is damaged ({brief(error)}); remove it") from error
