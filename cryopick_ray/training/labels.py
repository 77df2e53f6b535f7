"""Coordinate files -> labels of the micrographs in a store, checked before anything is learned."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import numpy as np

from cryopick_ray.errors import UsageError
from cryopick_ray.evaluation.truth import Truth, read_truth
from cryopick_ray.store.manifest import ManifestRow
from cryopick_ray.training.dataset import LabelledRow
from cryopick_ray.training.labelled import Centres, nowhere
from cryopick_ray.training.settings import DataSettings

NAMES_SHOWN = 3


def labelled_rows(
    settings: DataSettings, store_url: str, manifest: Mapping[str, ManifestRow]
) -> list[LabelledRow]:
    """Return the micrographs of a data set that have labels, in id order; excluded ones are left out.

    Raises
    ------
    UsageError
        If labels lie outside their micrograph or belong to none, or none of the micrographs has any.
    """
    truth = read_truth(settings.labels)
    false = read_truth(settings.false_labels) if settings.false_labels else None
    for one in (truth, false):
        if one is not None:
            _check_owners(one, manifest, settings)
    rows = []
    for name, row in manifest.items():
        known = truth.name_of(name)
        if row.status != "complete" or known is None or matches(name, settings.exclude):
            continue
        rows.append(
            LabelledRow(
                store_url=store_url,
                row=row,
                dataset=settings.name,
                diameter_A=settings.diameter_A,
                radius_A=settings.radius_A or settings.diameter_A / 2,
                sign=-1 if settings.invert else 1,
                particles=_inside(truth, known, row),
                false=_false(false, row),
                unsure=nowhere(),
            )
        )
    if not rows:
        raise UsageError(
            f"no micrograph of data set {settings.name} has labels in {settings.labels}, which knows "
            f"{_some(sorted(truth.particles))}; labels are files named after the micrographs"
        )
    return rows


def matches(micrograph_id: str, patterns: Sequence[str]) -> bool:
    """Tell whether a micrograph's id fits one of the globs."""
    return any(fnmatchcase(micrograph_id, pattern) for pattern in patterns)


def _check_owners(truth: Truth, manifest: Mapping[str, ManifestRow], settings: DataSettings) -> None:
    """Refuse labels of micrographs that are not there: they would be lost without a word."""
    owned = {truth.name_of(name) for name in manifest}
    if orphans := sorted(truth.particles.keys() - owned):
        raise UsageError(
            f"{truth.source} has labels of {_some(orphans)}, which data set {settings.name} has no "
            "micrograph for; add the micrographs, or take these labels away"
        )


def _inside(truth: Truth, name: str, row: ManifestRow) -> Centres:
    centres = truth.particles[name].astype(np.float32)
    height, width = row.source_shape
    x, y = centres.T
    outside = (x < -0.5) | (y < -0.5) | (x > width - 0.5) | (y > height - 0.5)
    if outside.any():
        first = centres[outside][0]
        raise UsageError(
            f"{int(outside.sum())} labels of {row.micrograph_id} in {truth.source} lie outside its "
            f"{width} x {height} pixels, the first at x {first[0]:g}, y {first[1]:g}; labels must be centres "
            "in pixels of the micrograph as it is, not binned"
        )
    return centres


def _false(truth: Truth | None, row: ManifestRow) -> Centres:
    name = truth.name_of(row.micrograph_id) if truth else None
    return _inside(truth, name, row) if truth and name else nowhere()


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more
