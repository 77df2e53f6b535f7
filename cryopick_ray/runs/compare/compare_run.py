"""``cryopick compare``: picks of runs, tables and other programs, compared in numbers and pictures."""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import CryoPickError, UsageError
from cryopick_ray.evaluation.alike import Names, common_names, side_by_side
from cryopick_ray.evaluation.compare import compare as count
from cryopick_ray.evaluation.compare import micrograph_in_runs
from cryopick_ray.evaluation.comparison import Comparison, letter
from cryopick_ray.evaluation.truth import read_truth
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.report.compared_page import Picture, picture_of, render_compared
from cryopick_ray.runs.compare.compared_run import ComparedRun, differing, filled, open_compared
from cryopick_ray.store.claim import local_folder
from cryopick_ray.store.manifest import ManifestRow, read_manifest
from cryopick_ray.store.publish import check_folder, write_whole
from cryopick_ray.store.store import MicrographStore

MOST_RUNS = 26
"""Runs are labelled with letters."""
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
    """Compare the picks of two or more runs: shared picks, differences, and their reasons.

    Parameters
    ----------
    runs
        Runs, tables, or files or folders of coordinates of any program; micrographs go together by name.
    truth
        Coordinates of any format, a run or a table.
    out
        Folder for ``compare.html``, a page with pictures, and ``compare.json``, all numbers.
    pixel_size_A, diameter_A
        Pixel size of the micrographs and diameter of the particles, where no run knows them.

    Raises
    ------
    UsageError
        If there are fewer than two runs or more than 26, or no two have a micrograph in common.
    """
    if not 2 <= len(runs) <= MOST_RUNS:
        raise UsageError(
            f"{len(runs)} of what can be compared is given; expected 2 to {MOST_RUNS} runs or files"
        )
    truth_coordinates = None if truth is None else read_truth(truth)
    folder = None if out is None else local_folder(str(out))
    opened = [open_compared(where) for where in runs]
    names = common_names([run.ids for run in opened])
    known_diameter_A = next((run.diameter_A for run in opened if run.diameter_A), diameter_A)
    if known_diameter_A is None:
        raise UsageError("no run says how large its particles are, expected angstroms: give `diameter_A`")
    ready = filled(opened, names, pixel_size_A=pixel_size_A, diameter_A=known_diameter_A)
    comparison = count(
        side_by_side(ready, names),
        [run.name for run in opened],
        diameter_A=known_diameter_A,
        truth=truth_coordinates,
        settings=differing(opened),
    )
    run_notes = [f"{letter(number)}: {note}" for number, run in enumerate(opened) for note in run.notes]
    comparison = replace(comparison, notes=(*comparison.notes, *run_notes))
    if folder is not None:
        check_folder(folder)
        folder.mkdir(parents=True, exist_ok=True)
        pictures = _pictures(comparison, opened, ready, names)
        write_whole(folder / NUMBERS, json.dumps(comparison.to_dict(), indent=1, allow_nan=False))
        write_whole(folder / PAGE, render_compared(comparison, pictures))
    return comparison


def _pictures(
    comparison: Comparison,
    runs: Sequence[ComparedRun],
    ready: Sequence[Iterable[MicrographPicks]],
    names: Sequence[Names],
) -> list[Picture]:
    """Return pictures of the most different micrographs of the two most different runs, in that order."""
    pair = comparison.pairs[comparison.widest]
    ranked = sorted(comparison.micrographs, key=lambda micrograph: -micrograph.differing(comparison.widest))
    shown = [
        micrograph.micrograph_id
        for micrograph in ranked[:MOST_PICTURES]
        if micrograph.differing(comparison.widest)
    ]
    wanted = [
        {own_name: name for own_name, name in run_names.items() if name in shown} for run_names in names
    ]
    images = _Images(runs, wanted)
    pictures = {}
    for name, entries in side_by_side(ready, wanted):
        first, second = entries[pair.first], entries[pair.second]
        if first is not None and second is not None:
            beside = micrograph_in_runs(name, entries, 2 * comparison.radius_A)
            pictures[name] = picture_of(beside, first, second, images.read(name))
    return [pictures[name] for name in shown]


class _Images:
    """Stored micrographs, each from the first run whose store holds it."""

    def __init__(self, runs: Sequence[ComparedRun], names: Sequence[Names]) -> None:
        self._stores: list[tuple[MicrographStore, Mapping[str, ManifestRow]]] = []
        for run, run_names in zip(runs, names, strict=True):
            with suppress(CryoPickError):  # without a store the page has no pictures
                if run.store:
                    store = MicrographStore(run.store)
                    rows = read_manifest(store.place)
                    self._stores.append(
                        (
                            store,
                            {
                                name: rows[own_name]
                                for own_name, name in run_names.items()
                                if own_name in rows
                            },
                        )
                    )

    def read(self, name: str) -> NDArray[np.float32] | None:
        for store, rows in self._stores:
            with suppress(CryoPickError):
                if name in rows:
                    return store.read(rows[name])
        return None
