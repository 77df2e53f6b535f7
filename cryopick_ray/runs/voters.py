"""What each picker of a consensus found, and which of their micrographs are the same."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cryopick_ray.errors import UsageError, few
from cryopick_ray.evaluation.external_picks import as_picks
from cryopick_ray.evaluation.frame import check_inside
from cryopick_ray.formats.convert import CoordinateFrame
from cryopick_ray.formats.known import KnownMicrographs, NamesAlike
from cryopick_ray.formats.reading import is_table, read_coordinates
from cryopick_ray.passes.votes import VoteSource
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph
from cryopick_ray.picks.table import PickTable, open_table


@dataclass(frozen=True)
class VoterPicks:
    """Coordinates of other programs in memory, as picks by micrograph."""

    picks: Mapping[str, MicrographPicks]

    def of(self, micrograph_ids: Sequence[str]) -> dict[str, MicrographPicks]:
        """Return some of the micrographs, by id."""
        return {name: self.picks[name] for name in micrograph_ids if name in self.picks}


@dataclass(frozen=True)
class Renamed:
    """A source whose micrographs are called as in the consensus; ``own`` says what it calls each."""

    source: VoteSource
    own: Mapping[str, str]

    def of(self, micrograph_ids: Sequence[str]) -> dict[str, MicrographPicks]:
        """Return some of the micrographs, by id."""
        theirs = {name: self.own[name] for name in micrograph_ids if name in self.own}
        found = self.source.of(list(theirs.values()))
        return {name: found[own] for name, own in theirs.items() if own in found}


@dataclass(frozen=True)
class Input:
    """What one picker found.

    Attributes
    ----------
    name
        What it is called in the consensus.
    where
        The run, table, file or folder.
    sizes
        Its micrographs, and the picks of each.
    """

    name: str
    where: str
    source: VoteSource
    micrographs: Mapping[str, PickedMicrograph]
    sizes: Mapping[str, int]
    diameter_A: float | None


def read_input(
    name: str,
    where: str,
    known: KnownMicrographs,
    pixel_size_A: float | None,
    diameter_A: float | None,
    notes: list[str],
) -> Input:
    """Return what one picker found; ``notes`` hears what is left out of it."""
    if is_table(where):
        table = open_table(where)
        seen = {
            micrograph.micrograph_id: micrograph
            for micrograph in table.micrographs
            if micrograph.status == "complete"
        }
        sizes = {key: one.candidates if one.picks is None else one.picks for key, one in seen.items()}
        counted = {key: 1 if size is None else size for key, size in sizes.items()}
        return Input(name, where, table, seen, counted, table.diameter_A)
    read = read_coordinates(where)
    notes += read.notes
    frame, moved, unknown = CoordinateFrame(known=known, pixel_size_A=pixel_size_A), [], []
    for one in read.coordinates:
        try:
            moved.append(frame.moved(one))
        except UsageError as error:
            unknown.append(str(error))
    if unknown:
        notes.append(f"{name}: {len(unknown)} micrographs are left out: {unknown[0]}")
    said_A = next((one.diameter_A for one in moved if one.diameter_A), diameter_A)
    made = as_picks(moved, pixel_size_A=pixel_size_A, diameter_A=said_A or 1.0)  # the table's own is used
    picks = {one.micrograph.micrograph_id: one for one in made}
    for key, own in picks.items():
        assert own.micrograph.shape is not None
        check_inside(
            np.column_stack([own.x_px, own.y_px]), own.micrograph.shape, f"picks of {key} in {where}"
        )
    about = {key: own.micrograph for key, own in picks.items()}
    return Input(name, where, VoterPicks(picks), about, {key: len(own) for key, own in picks.items()}, said_A)


def paired(
    found: Sequence[Input], dataset: str, notes: list[str]
) -> tuple[list[PickedMicrograph], list[Renamed]]:
    """Return all micrographs, and each input with the names that they have in it.

    Parameters
    ----------
    dataset
        Of micrographs whose input does not say it.
    """
    listed: dict[str, PickedMicrograph] = {}
    own: dict[str, dict[str, str]] = {}
    for one in sorted(found, key=lambda one: not isinstance(one.source, PickTable)):
        names = NamesAlike(listed)
        ids = {key: _reference(key, names, listed) for key in one.micrographs}
        if listed and not set(ids.values()) & set(listed):
            raise UsageError(
                f"{one.name} has none of the micrographs of the others, such as {next(iter(listed))!r}; "
                "give `inputs` of the same micrographs"
            )
        own[one.name] = {}
        for key, name in ids.items():
            if (before := own[one.name].setdefault(name, key)) != key:
                raise UsageError(f"{one.name} has {name!r} as {before!r} and as {key!r}; keep one of them")
            about = one.micrographs[key]
            listed.setdefault(name, replace(about.unjudged(), dataset=about.dataset or dataset))
            if listed[name].excluded and not about.excluded:
                listed[name] = replace(listed[name], excluded=False)
            if about.shape != listed[name].shape:
                raise UsageError(
                    f"{one.name} has {key} with {_sides(about)} pixels, others with {_sides(listed[name])}; "
                    "give `inputs` of the same images"
                )
        differ = [name for key, name in ids.items() if _differ(one.micrographs[key], listed[name])]
        if differ:
            notes.append(
                f"pixel sizes of {len(differ)} micrographs in {one.name} differ from those of the others, "
                f"which are used: {few(differ)}"
            )
    for one in found:
        if lacks := sorted(listed.keys() - own[one.name].keys()):
            notes.append(f"{one.name} lacks {len(lacks)} of {len(listed)} micrographs, such as {lacks[0]}")
    everything = sorted(listed.values(), key=lambda one: (one.dataset, one.micrograph_id))
    return everything, [Renamed(one.source, own[one.name]) for one in found]


def _sides(micrograph: PickedMicrograph) -> str:
    return " x ".join(map(str, reversed(micrograph.shape or ())))


def _differ(micrograph: PickedMicrograph, other: PickedMicrograph) -> bool:
    """Tell whether two pixel sizes are not that of one image, rounded."""
    return not math.isclose(micrograph.pixel_size_A or 0, other.pixel_size_A or 0, rel_tol=0.01)


def _reference(key: str, names: NamesAlike, listed: Mapping[str, PickedMicrograph]) -> str:
    """Return what a micrograph is called by the inputs before."""
    if key in listed:
        return key
    alike = names.find(key)
    return alike[0] if len(alike) == 1 else key
