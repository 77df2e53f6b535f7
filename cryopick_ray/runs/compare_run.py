"""Runs, tables and coordinates of any program, compared: numbers, and a page with pictures."""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import CryoPickError, UsageError
from cryopick_ray.evaluation.alike import Names, common_names, side_by_side
from cryopick_ray.evaluation.compare import beside_of
from cryopick_ray.evaluation.compare import compare as count
from cryopick_ray.evaluation.comparison import Comparison, letter
from cryopick_ray.evaluation.truth import read_truth
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.report.compared_page import Picture, picture_of, render_compared
from cryopick_ray.runs.compared_run import ComparedRun, differing, filled, open_compared
from cryopick_ray.store.claim import local_folder
from cryopick_ray.store.manifest import ManifestRow, read_manifest
from cryopick_ray.store.publish import check_folder, write_whole
from cryopick_ray.store.store import MicrographStore

MOST_RUNS = 26
"""As many as there are letters."""
MOST_PICTURES = 6
PAGE, NUMBERS = "compare.html", "compare.json"


def compare(
    runs: Sequence[str | Path],
    *,
    truth: str | Path | None = None,
    out: str | Path | None = None,
    pixel_size_A: float | None = None,
    diameter_A: float | None = None,
) -> Comparison:
    """Compare what two or more runs picked: what they share, where they differ, and why.

    Parameters
    ----------
    runs
        Runs, tables, or files or folders of coordinates of any program; micrographs go together by name.
    truth
        Coordinates of any format, a run or a table.
    out
        Folder for ``compare.html``, a page with pictures, and ``compare.json``, all numbers.
    pixel_size_A, diameter_A
        Of micrographs and particles, where none of the runs says it.

    Raises
    ------
    UsageError
        If there are fewer than two runs or more than 26, or no two have a micrograph in common.
    """
    if not 2 <= len(runs) <= MOST_RUNS:
        raise UsageError(
            f"{len(runs)} of what can be compared is given; expected 2 to {MOST_RUNS} runs or files"
        )
    known = None if truth is None else read_truth(truth)
    folder = None if out is None else local_folder(str(out))
    opened = [open_compared(where) for where in runs]
    names = common_names([one.ids for one in opened])
    across_A = next((one.diameter_A for one in opened if one.diameter_A), diameter_A)
    if across_A is None:
        raise UsageError("no run says how large its particles are, expected angstroms: give `diameter_A`")
    ready = filled(opened, names, pixel_size_A=pixel_size_A, diameter_A=across_A)
    found = count(
        side_by_side(ready, names),
        [one.name for one in opened],
        diameter_A=across_A,
        truth=known,
        settings=differing(opened),
    )
    read = [f"{letter(number)}: {note}" for number, one in enumerate(opened) for note in one.notes]
    found = replace(found, notes=(*found.notes, *read))
    if folder is not None:
        check_folder(folder)
        folder.mkdir(parents=True, exist_ok=True)
        pictures = _pictures(found, opened, ready, names)
        write_whole(folder / NUMBERS, json.dumps(found.to_dict(), indent=1, allow_nan=False))
        write_whole(folder / PAGE, render_compared(found, pictures))
    return found


def _pictures(
    found: Comparison,
    runs: Sequence[ComparedRun],
    ready: Sequence[Iterable[MicrographPicks]],
    names: Sequence[Names],
) -> list[Picture]:
    """Return the most different micrographs of the two runs that differ most, in that order."""
    pair = found.pairs[found.widest]
    ranked = sorted(found.micrographs, key=lambda micrograph: -micrograph.differing(found.widest))
    shown = [one.micrograph_id for one in ranked[:MOST_PICTURES] if one.differing(found.widest)]
    wanted = [{own: name for own, name in some.items() if name in shown} for some in names]
    images = _Images(runs, wanted)
    made = {}
    for name, entries in side_by_side(ready, wanted):
        first, second = entries[pair.first], entries[pair.second]
        if first is not None and second is not None:
            beside = beside_of(name, entries, 2 * found.radius_A)
            made[name] = picture_of(beside, first, second, images.read(name))
    return [made[name] for name in shown]


class _Images:
    """Micrographs as the first run that kept them has them."""

    def __init__(self, runs: Sequence[ComparedRun], names: Sequence[Names]) -> None:
        self._stores: list[tuple[MicrographStore, Mapping[str, ManifestRow]]] = []
        for run, own in zip(runs, names, strict=True):
            with suppress(CryoPickError):  # no store costs the pictures, not the page
                if run.store:
                    store = MicrographStore(run.store)
                    rows = read_manifest(store.place)
                    self._stores.append(
                        (store, {name: rows[one] for one, name in own.items() if one in rows})
                    )

    def read(self, name: str) -> NDArray[np.float32] | None:
        for store, rows in self._stores:
            with suppress(CryoPickError):
                if name in rows:
                    return store.read(rows[name])
        return None
