"""Coordinate files -> labels of the micrographs in a store, checked before anything is learned."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from cryopick_ray.errors import UsageError, few, spelled
from cryopick_ray.evaluation.frame import check_inside, corner_factor
from cryopick_ray.evaluation.truth import Truth, read_truth
from cryopick_ray.formats.reading import is_table
from cryopick_ray.store.manifest import ManifestRow
from cryopick_ray.training.data.examples import LabelledRow
from cryopick_ray.training.data.labelled import Centres, nowhere
from cryopick_ray.training.data.table_labels import read_table_labels
from cryopick_ray.training.training_settings import DataSettings

OWN_NAMES = {
    "inputs": "micrographs",
    "particle_px": "options.particle_px",
    "relion_project": "the folder that the training was started in",
}
"""What a training's settings call those of other commands, where not the same."""
SIMULATED = {"molecules"}
"""Settings of a simulation that a group of simulated molecules has itself, not among its ``settings``."""


@dataclass(frozen=True)
class Labels:
    """The labels of a data set, before anything is known of its micrographs but their ids.

    Attributes
    ----------
    particles, false, unsure
        Places by micrograph.
    names
        What the labels call each labelled micrograph, by id; excluded ones are left out.
    """

    particles: Truth
    false: Truth | None
    names: Mapping[str, str]
    unsure: Truth | None = None


def read_labels(settings: DataSettings, micrograph_ids: Collection[str]) -> Labels:
    """Read the labels of a data set's micrographs.

    Raises
    ------
    UsageError
        If there are none, labels belong to no micrograph, or no micrograph has any.
    PicksError
        If a file cannot be read or it is not clear whose labels it holds.
    """
    unsure, excluded = None, frozenset[str]()
    if is_table(settings.labels):
        own = read_table_labels(settings.labels, settings.chosen)
        particles, false, unsure, excluded = own.particles, own.false, own.unsure, own.excluded
    elif settings.chosen is not None:
        raise UsageError(f"labels {settings.labels} is no table of ours: leave `chosen` out")
    else:
        particles, false = _read(settings.labels, "labels"), None
    if settings.false_labels:
        false = _read(settings.false_labels, "false_labels")
    for one in (particles, false):
        if one is not None:
            _check_owners(one, micrograph_ids, settings)
    known = {name: particles.name_of(name) for name in micrograph_ids if not matches(name, settings.exclude)}
    names = {name: own for name, own in known.items() if own is not None and own not in excluded}
    if not names:
        raise UsageError(
            f"no micrograph of data set {settings.name} has labels in {settings.labels}, which knows "
            f"{few(sorted(particles.particles))}; labels are files named after the micrographs"
        )
    return Labels(particles, false, names, unsure)


def labelled_rows(
    settings: DataSettings, labels: Labels, store_url: str, manifest: Mapping[str, ManifestRow]
) -> list[LabelledRow]:
    """Return the micrographs of a data set that have labels, in the manifest's order.

    Raises
    ------
    UsageError
        If labels lie outside their micrograph, or no labelled micrograph could be read.
    """
    rows = []
    for name, row in manifest.items():
        if row.status != "complete" or name not in labels.names:
            continue
        rows.append(
            LabelledRow(
                store_url=store_url,
                row=row,
                dataset=settings.name,
                diameter_A=settings.diameter_A,
                radius_A=settings.radius_A or settings.diameter_A / 2,
                sign=-1 if settings.invert else 1,
                particles=_inside(labels.particles, labels.names[name], row),
                false=_optional(labels.false, row),
                unsure=_optional(labels.unsure, row),
                molecule=settings.molecule,
                simulated=settings.simulated,
                junk=_junk(settings, name),
                filaments=tuple(labels.particles.traces(labels.names[name], row.source_shape)),
            )
        )
    if not rows:
        first = next((row for name, row in manifest.items() if name in labels.names), None)
        raise UsageError(
            f"none of the {len(labels.names)} labelled micrographs of data set {settings.name} could be read"
            + (f"; {first.micrograph_id}: {in_settings(first.reason)}" if first else "")
        )
    if factor := corner_factor((row.particles, row.row.source_shape) for row in rows):
        raise UsageError(
            f"all labels of data set {settings.name} lie in the first corner of their micrographs, as if of "
            f"images binned by {factor}; convert them with `binning` {factor}, or take these labels away"
        )
    return rows


def in_settings(text: str, group: str | None = None) -> str:
    """Return what went wrong in words of a training's settings.

    Parameters
    ----------
    group
        Where the simulated molecules stand that it is about, such as ``simulated.0``; ``None`` if it is not
        about a simulation.
    """
    if group is None:
        return spelled(text, lambda name: OWN_NAMES.get(name, name))
    return spelled(text, lambda name: f"{group}.{name if name in SIMULATED else f'settings.{name}'}")


def matches(micrograph_id: str, patterns: Sequence[str]) -> bool:
    """Tell whether a micrograph's id fits one of the globs."""
    return any(fnmatchcase(micrograph_id, pattern) for pattern in patterns)


def _read(source: Path, setting: str) -> Truth:
    try:
        return read_truth(source)
    except UsageError as error:
        raise UsageError(spelled(str(error), lambda name: setting if name == "truth" else name)) from error


def _check_owners(truth: Truth, micrograph_ids: Collection[str], settings: DataSettings) -> None:
    """Refuse labels of micrographs that are not there: they would be lost without a word."""
    owned = {truth.name_of(name) for name in micrograph_ids}
    if orphans := sorted(truth.particles.keys() - owned):
        raise UsageError(
            f"{truth.source} has labels of {few(orphans)}, which data set {settings.name} has no "
            "micrograph for; add the micrographs, or take these labels away"
        )


def _inside(truth: Truth, name: str, row: ManifestRow) -> Centres:
    centres = truth.centres(name, row.source_shape).astype(np.float32)
    check_inside(centres, row.source_shape, f"labels of {row.micrograph_id} in {truth.source}")
    return centres


def _junk(settings: DataSettings, name: str) -> Path | None:
    """Return the file that says what lies where in a micrograph; ``None`` if nobody said."""
    if settings.junk is None:
        return None
    if not (path := settings.junk / Path(name).with_suffix(".mrc")).is_file():
        raise UsageError(
            f"{path} is not there; expected one for each labelled micrograph of data set {settings.name} "
            "(`junk`)"
        )
    return path


def _optional(truth: Truth | None, row: ManifestRow) -> Centres:
    name = truth.name_of(row.micrograph_id) if truth else None
    return _inside(truth, name, row) if truth and name else nowhere()
