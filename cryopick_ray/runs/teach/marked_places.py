"""A person's marks in a run's micrographs as training labels: particles and wrong places."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import UsageError, few
from cryopick_ray.passes.curation import Curated, check_places, last_decision_at
from cryopick_ray.passes.decision_files import read_rows
from cryopick_ray.passes.decisions import Decisions, decisions_of
from cryopick_ray.picks.columns import HAND
from cryopick_ray.picks.reasons import Reason
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.picks.table import PickTable
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.settings.run_settings import RunSettings
from cryopick_ray.store.manifest import read_manifest
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.training.data.examples import LabelledRow
from cryopick_ray.training.data.labelled import Centres, no_centres

FEWEST = 4
"""Least number of marks of either kind: half of them train while the other half is held back."""
PARTS = 2
"""Number of parts that are held back in turn."""
STREAM = 0x6D61726B
"""Key of a random stream that nothing else uses."""


@dataclass(frozen=True)
class MarkedPlaces:
    """Micrographs with marks, each with ``particles`` and ``false`` places.

    Attributes
    ----------
    rows
        The micrographs; unmarked candidates count as neither.
    notes
        What was left out, and why.
    """

    rows: tuple[LabelledRow, ...]
    notes: tuple[str, ...] = ()

    @property
    def particles(self) -> int:
        """Number of marked particles."""
        return sum(len(row.particles) for row in self.rows)

    @property
    def wrong(self) -> int:
        """Number of marked wrong places."""
        return sum(len(row.false) for row in self.rows)

    def shown(self) -> tuple[LabelledRow, ...]:
        """Return the micrographs for training, repeated in proportion to their marks, at least once."""
        usual = (self.particles + self.wrong) / (2 * len(self.rows))
        many = ((row, round((len(row.particles) + len(row.false)) / usual)) for row in self.rows)
        return tuple(row for row, count in many for _ in range(max(1, count)))

    def halves(self, seed: int) -> list[tuple["MarkedPlaces", "MarkedPlaces"]]:
        """Return pairs of training marks and held-back marks; each mark is held back once."""
        rng = np.random.default_rng([STREAM, seed])
        dealt = {
            kind: _deal([getattr(row, kind) for row in self.rows], rng) for kind in ("particles", "false")
        }
        return [
            (self._part(dealt, part, held_back=False), self._part(dealt, part, held_back=True))
            for part in range(PARTS)
        ]

    def _part(
        self, dealt: Mapping[str, Sequence[NDArray[np.intp]]], part: int, *, held_back: bool
    ) -> "MarkedPlaces":
        rows = []
        for index, row in enumerate(self.rows):
            held = {
                kind: getattr(row, kind)[(parts[index] == part) == held_back] for kind, parts in dealt.items()
            }
            if any(map(len, held.values())):
                rows.append(replace(row, **held))
        return MarkedPlaces(tuple(rows))


def read_marks(run: RunFolder, settings: RunSettings, curation: Sequence[Path]) -> MarkedPlaces:
    """Read the marks in a run's micrographs from decision files.

    Particles were added or kept by hand; wrong places were removed, or are picks on painted junk.
    Decisions about excluded micrographs are ignored.

    Raises
    ------
    UsageError
        If there are too few marks of a kind, or one lies outside its micrograph.
    """
    decisions = decisions_of(read_rows(curation))
    table = PickTable(run.table)
    check_places(decisions, table.micrographs)
    manifest = read_manifest(MicrographStore(run.store).place)
    picks_by_id = table.of(decisions)
    rows, notes = [], []
    if unknown := sorted(decisions.keys() - picks_by_id.keys()):
        notes.append(f"the run has no micrograph {few(unknown)}: marks there teach nothing")
    for name, picks in picks_by_id.items():
        decided = decisions[name]
        if decided.exclude or picks.micrograph.status != "complete":
            notes.append(
                f"{name} is {'excluded' if decided.exclude else 'not picked'}: marks in it teach nothing"
            )
            continue
        particles, wrong = _places(picks, decided)
        if len(particles) + len(wrong):
            sign = -1 if settings.invert == "yes" or picks.micrograph.inverted else 1
            diameter_A = settings.pick.diameter_A
            row = manifest[name]
            rows.append(
                LabelledRow(
                    run.store,
                    row,
                    row.dataset,
                    diameter_A,
                    diameter_A / 2,
                    sign,
                    particles,
                    wrong,
                    no_centres(),
                )
            )
    marks = MarkedPlaces(tuple(rows), tuple(notes))
    _check_enough(marks, curation)
    return marks


def _places(picks: MicrographPicks, decided: Decisions) -> tuple[Centres, Centres]:
    """Return ``(n, 2)`` marked particles and ``(m, 2)`` wrong places, as x and y in pixels."""
    if "source" in picks.more:  # earlier additions hold only if decisions repeat them
        picks = picks.take(picks.more["source"] != HAND)
    picks = replace(picks, unpicked=picks.unpicked & ~np.uint16(Reason.REMOVED_BY_HAND))
    decision = last_decision_at(picks, decided)
    is_said = decision >= 0
    is_removed = is_said.copy()
    is_removed[is_said] = decided.is_removed[decision[is_said]]
    painting = replace(decided, add=decided.add[:0], traces=())
    curated = Curated({picks.micrograph.micrograph_id: painting})(picks)
    painted = curated.has(Reason.REMOVED_BY_HAND) & ~is_removed
    places = np.column_stack([picks.x_px, picks.y_px])
    kept = places[is_said & ~is_removed & ~painted]
    return np.concatenate([decided.add, kept]), places[is_removed | (painted & picks.picked)]


def _check_enough(marks: MarkedPlaces, curation: Sequence[Path]) -> None:
    for count, kind, remedy in (
        (marks.particles, "particles", "add missed ones, or keep right picks"),
        (marks.wrong, "wrong places", "remove wrong picks"),
    ):
        if count < FEWEST:
            left_out = "; ".join(("", *marks.notes))
            raise UsageError(
                f"`curation` {few([str(path) for path in curation])} marks {count} {kind}, too few to learn "
                f"from: expected {FEWEST} at least, better 10; {remedy}{left_out}"
            )


def _deal(places: Sequence[Centres], rng: np.random.Generator) -> list[NDArray[np.intp]]:
    """Return the part of each place by micrograph: parts of equal size, drawn at random."""
    ends = np.cumsum([len(place) for place in places])
    parts = rng.permutation(int(ends[-1])) % PARTS
    return np.split(parts, ends[:-1])
