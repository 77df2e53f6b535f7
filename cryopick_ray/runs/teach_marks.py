"""What a person marked in a run's micrographs -> places to learn from: particles, and what is none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import UsageError, few
from cryopick_ray.passes.curation import Curated, check_places, said_last
from cryopick_ray.passes.decision_files import read_rows
from cryopick_ray.passes.decisions import Decisions, decisions_of
from cryopick_ray.picks.columns import HAND
from cryopick_ray.picks.reasons import Why
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.picks.table import PickTable
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.settings.run_settings import RunSettings
from cryopick_ray.store.manifest import read_manifest
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.training.data.examples import LabelledRow
from cryopick_ray.training.data.labelled import Centres, nowhere

FEWEST = 4
"""Marks of either kind: half of them teach while the other half is asked about."""
PARTS = 2
"""Into which marks are dealt to be held back in turn."""
STREAM = 0x6D61726B
"""Of random numbers that nothing else draws from."""


@dataclass(frozen=True)
class Marks:
    """A run's micrographs in which a person marked something, each with ``particles`` and ``false`` places.

    Attributes
    ----------
    rows
        The micrographs; whatever else is in them, picks that were left alone too, counts as neither.
    notes
        What was left out, and why.
    """

    rows: tuple[LabelledRow, ...]
    notes: tuple[str, ...] = ()

    @property
    def particles(self) -> int:
        """How many are marked as particles."""
        return sum(len(row.particles) for row in self.rows)

    @property
    def wrong(self) -> int:
        """How many are marked as none."""
        return sum(len(row.false) for row in self.rows)

    def shown(self) -> tuple[LabelledRow, ...]:
        """Return the micrographs to learn from, about as often as they have marks, at least once."""
        usual = (self.particles + self.wrong) / (2 * len(self.rows))
        many = ((row, round((len(row.particles) + len(row.false)) / usual)) for row in self.rows)
        return tuple(row for row, count in many for _ in range(max(1, count)))

    def halves(self, seed: int) -> list[tuple["Marks", "Marks"]]:
        """Return pairs of some marks and the rest, which is held back; each mark is held back once."""
        rng = np.random.default_rng([STREAM, seed])
        dealt = {
            kind: _dealt([getattr(row, kind) for row in self.rows], rng) for kind in ("particles", "false")
        }
        return [
            (self._part(dealt, part, held_back=False), self._part(dealt, part, held_back=True))
            for part in range(PARTS)
        ]

    def _part(
        self, dealt: Mapping[str, Sequence[NDArray[np.intp]]], part: int, *, held_back: bool
    ) -> "Marks":
        rows = []
        for at, row in enumerate(self.rows):
            own = {
                kind: getattr(row, kind)[(parts[at] == part) == held_back] for kind, parts in dealt.items()
            }
            if any(map(len, own.values())):
                rows.append(replace(row, **own))
        return Marks(tuple(rows))


def read_marks(run: RunFolder, settings: RunSettings, curation: Sequence[Path]) -> Marks:
    """Return what people marked in a run's micrographs.

    Particles are what they added or kept; wrong is what they removed, and picks on what they painted as junk.
    Decisions about excluded micrographs teach nothing.

    Raises
    ------
    UsageError
        If there are too few marks of a kind, or one lies outside its micrograph.
    """
    decisions = decisions_of(read_rows(curation))
    table = PickTable(run.table)
    check_places(decisions, table.micrographs)
    manifest = read_manifest(MicrographStore(run.store).place)
    found = table.of(decisions)
    rows, notes = [], []
    if unknown := sorted(decisions.keys() - found.keys()):
        notes.append(f"the run has no micrograph {few(unknown)}: marks there teach nothing")
    for name, picks in found.items():
        own = decisions[name]
        if own.exclude or picks.micrograph.status != "complete":
            notes.append(
                f"{name} is {'excluded' if own.exclude else 'not picked'}: marks in it teach nothing"
            )
            continue
        particles, wrong = _places(picks, own)
        if len(particles) + len(wrong):
            sign = -1 if settings.invert == "yes" or picks.micrograph.inverted else 1
            diameter_A = settings.pick.diameter_A
            row = manifest[name]
            rows.append(
                LabelledRow(
                    run.store, row, row.dataset, diameter_A, diameter_A / 2, sign, particles, wrong, nowhere()
                )
            )
    marks = Marks(tuple(rows), tuple(notes))
    _check_enough(marks, curation)
    return marks


def _places(picks: MicrographPicks, own: Decisions) -> tuple[Centres, Centres]:
    """Return where a person says that particles are, and where none are."""
    if "source" in picks.more:  # of what an earlier table was told, decisions say what still holds
        picks = picks.take(picks.more["source"] != HAND)
    picks = replace(picks, unpicked=picks.unpicked & ~np.uint16(Why.REMOVED_BY_HAND))
    said = said_last(picks, own)
    is_said = said >= 0
    is_removed = is_said.copy()
    is_removed[is_said] = own.is_removed[said[is_said]]
    found = replace(own, add=own.add[:0], traces=())
    curated = Curated({picks.micrograph.micrograph_id: found})(picks)
    painted = curated.has(Why.REMOVED_BY_HAND) & ~is_removed
    places = np.column_stack([picks.x_px, picks.y_px])
    kept = places[is_said & ~is_removed & ~painted]
    return np.concatenate([own.add, kept]), places[is_removed | (painted & picks.picked)]


def _check_enough(marks: Marks, curation: Sequence[Path]) -> None:
    for count, what, how in (
        (marks.particles, "particles", "add missed ones, or keep right picks"),
        (marks.wrong, "wrong places", "remove wrong picks"),
    ):
        if count < FEWEST:
            left_out = "; ".join(("", *marks.notes))
            raise UsageError(
                f"`curation` {few([str(path) for path in curation])} marks {count} {what}, too few to learn "
                f"from: expected {FEWEST} at least, better 10; {how}{left_out}"
            )


def _dealt(places: Sequence[Centres], rng: np.random.Generator) -> list[NDArray[np.intp]]:
    """Return which part each place of each micrograph is in: as many in all parts, drawn at random."""
    ends = np.cumsum([len(place) for place in places])
    parts = rng.permutation(int(ends[-1])) % PARTS
    return np.split(parts, ends[:-1])
