"""Inputs of a consensus: the picks of each picker, and their micrographs matched by name."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cryopick_ray.errors import UsageError, few
from cryopick_ray.evaluation.external_picks import as_picks
from cryopick_ray.evaluation.frame import check_inside
from cryopick_ray.formats.convert import CoordinateFrame
from cryopick_ray.formats.known_micrographs import KnownMicrographs, MicrographNames
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
class RenamedSource:
    """A source whose micrograph ids are mapped: ``own`` gives its own id for each id of the consensus."""

    source: VoteSource
    own: Mapping[str, str]

    def of(self, micrograph_ids: Sequence[str]) -> dict[str, MicrographPicks]:
        """Return some of the micrographs, by id."""
        theirs = {name: self.own[name] for name in micrograph_ids if name in self.own}
        by_own_id = self.source.of(list(theirs.values()))
        return {name: by_own_id[own_name] for name, own_name in theirs.items() if own_name in by_own_id}


@dataclass(frozen=True)
class ConsensusInput:
    """One picker's micrographs and picks.

    Attributes
    ----------
    name
        Name in the consensus.
    where
        The run, table, file or folder.
    sizes
        Number of picks by micrograph id.
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
) -> ConsensusInput:
    """Open one picker's run, table or files; what is left out is appended to ``notes``."""
    if is_table(where):
        table = open_table(where)
        seen = {
            micrograph.micrograph_id: micrograph
            for micrograph in table.micrographs
            if micrograph.status == "complete"
        }
        sizes = {key: item.candidates if item.picks is None else item.picks for key, item in seen.items()}
        counted = {key: 1 if size is None else size for key, size in sizes.items()}
        return ConsensusInput(name, where, table, seen, counted, table.diameter_A)
    read = read_coordinates(where)
    notes += read.notes
    frame, moved, unknown = CoordinateFrame(known=known, pixel_size_A=pixel_size_A), [], []
    for item in read.coordinates:
        try:
            moved.append(frame.moved(item))
        except UsageError as error:
            unknown.append(str(error))
    if unknown:
        notes.append(f"{name}: {len(unknown)} micrographs are left out: {unknown[0]}")
    found_diameter_A = next((item.diameter_A for item in moved if item.diameter_A), diameter_A)
    micrograph_picks = as_picks(
        moved, pixel_size_A=pixel_size_A, diameter_A=found_diameter_A or 1.0
    )  # the table's own is used
    picks = {item.micrograph.micrograph_id: item for item in micrograph_picks}
    for key, picks_of in picks.items():
        assert picks_of.micrograph.shape is not None
        check_inside(
            np.column_stack([picks_of.x_px, picks_of.y_px]),
            picks_of.micrograph.shape,
            f"picks of {key} in {where}",
        )
    micrographs = {key: picks_of.micrograph for key, picks_of in picks.items()}
    return ConsensusInput(
        name,
        where,
        VoterPicks(picks),
        micrographs,
        {key: len(picks_of) for key, picks_of in picks.items()},
        found_diameter_A,
    )


def paired(
    pickers: Sequence[ConsensusInput], dataset: str, notes: list[str]
) -> tuple[list[PickedMicrograph], list[RenamedSource]]:
    """Match the inputs' micrographs by name; return all micrographs, and each input with mapped ids.

    Parameters
    ----------
    dataset
        Data set name of micrographs whose input has none.
    """
    listed: dict[str, PickedMicrograph] = {}
    own_names: dict[str, dict[str, str]] = {}
    for picker in sorted(pickers, key=lambda picker: not isinstance(picker.source, PickTable)):
        names = MicrographNames(listed)
        ids = {key: _reference(key, names, listed) for key in picker.micrographs}
        if listed and not set(ids.values()) & set(listed):
            raise UsageError(
                f"{picker.name} has none of the micrographs of the others, such as {next(iter(listed))!r}; "
                "give `inputs` of the same micrographs"
            )
        own_names[picker.name] = {}
        for key, name in ids.items():
            if (before := own_names[picker.name].setdefault(name, key)) != key:
                raise UsageError(f"{picker.name} has {name!r} as {before!r} and as {key!r}; keep one of them")
            micrograph = picker.micrographs[key]
            listed.setdefault(name, replace(micrograph.unjudged(), dataset=micrograph.dataset or dataset))
            if listed[name].excluded and not micrograph.excluded:
                listed[name] = replace(listed[name], excluded=False)
            if micrograph.shape != listed[name].shape:
                raise UsageError(
                    f"{picker.name} has {key} with {_sides(micrograph)} pixels, others with "
                    f"{_sides(listed[name])}; "
                    "give `inputs` of the same images"
                )
        differ = [name for key, name in ids.items() if _differ(picker.micrographs[key], listed[name])]
        if differ:
            notes.append(
                f"pixel sizes of {len(differ)} micrographs in {picker.name} differ from those of the others, "
                f"which are used: {few(differ)}"
            )
    for picker in pickers:
        if lacks := sorted(listed.keys() - own_names[picker.name].keys()):
            notes.append(f"{picker.name} lacks {len(lacks)} of {len(listed)} micrographs, such as {lacks[0]}")
    everything = sorted(listed.values(), key=lambda picker: (picker.dataset, picker.micrograph_id))
    return everything, [RenamedSource(picker.source, own_names[picker.name]) for picker in pickers]


def _sides(micrograph: PickedMicrograph) -> str:
    return " x ".join(map(str, reversed(micrograph.shape or ())))


def _differ(micrograph: PickedMicrograph, other: PickedMicrograph) -> bool:
    """Tell whether two pixel sizes differ by more than rounding."""
    return not math.isclose(micrograph.pixel_size_A or 0, other.pixel_size_A or 0, rel_tol=0.01)


def _reference(key: str, names: MicrographNames, listed: Mapping[str, PickedMicrograph]) -> str:
    """Return the id that earlier inputs have for a micrograph; its own id if they lack it."""
    if key in listed:
        return key
    alike = names.find(key)
    return alike[0] if len(alike) == 1 else key
