"""Counts of all candidates on a page, made in a background thread."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import CryoPickError
from cryopick_ray.page.candidate_counts import (
    CandidateCollector,
    CountedCandidates,
    FreeCandidates,
    Histogram,
    free_candidates,
    histogram,
)
from cryopick_ray.page.pick_sources import ShownPicks
from cryopick_ray.page.shared_decisions import SharedDecisions
from cryopick_ray.page.true_particles import centres_of, matches_truth
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph

if TYPE_CHECKING:
    from cryopick_ray.evaluation.truth import Truth

REST = 4.0
"""Pause between counts, in durations of a count: a running run changes every few seconds."""
PATIENCE_S = 30.0
BREATH_SECONDS, EVERY = 0.002, 16
"""Pause every so many micrographs, so that requests are answered meanwhile."""


@dataclass(frozen=True, eq=False)
class PageCounts:
    """Result of a count over all micrographs.

    Attributes
    ----------
    candidates, histogram
        Candidates that a cut may pick, by the micrographs' indices.
    has_truth
        ``(m,)`` which micrographs have known particles.
    true_particles
        Number of their known particles.
    generation
        Number that grows with every count.
    """

    candidates: CountedCandidates
    histogram: Histogram
    has_truth: NDArray[np.bool_]
    true_particles: int
    generation: int


class PageTally:
    """Exact counts of a source's candidates at any cut.

    Parameters
    ----------
    source
        Source of the candidates.
    micrographs
        Returns the micrographs of the page, in order.
    decisions
        People's decisions: they change the counts, not the histogram.
    """

    def __init__(
        self,
        source: ShownPicks,
        micrographs: Callable[[], Sequence[PickedMicrograph]],
        truth: "Truth | None",
        diameter_A: float,
        decisions: SharedDecisions,
    ) -> None:
        self._source, self._micrographs, self._truth = source, micrographs, truth
        self._diameter_A, self._decisions = diameter_A, decisions
        self._counted: PageCounts | None = None
        self._curated: dict[int, FreeCandidates] = {}
        self._picked: dict[int, int] = {}
        self._error, self.generation = "", 0
        self._wanted, self._ended = Event(), Event()
        self._lock = Lock()
        self._thread = Thread(target=self._run, name="tally", daemon=True)

    def start(self) -> None:
        """Begin to count."""
        self._wanted.set()
        self._thread.start()

    def again(self) -> None:
        """Count again, as the candidates have changed."""
        self._wanted.set()

    def stop(self) -> None:
        """Stop and join the thread; Python would abort at exit while it runs."""
        self._ended.set()
        self._wanted.set()
        if self._thread.is_alive():
            self._thread.join(PATIENCE_S)

    @property
    def counted(self) -> PageCounts | None:
        """The last count; ``None`` before the first is ready.

        Raises
        ------
        CryoPickError
            If the candidates cannot be read.
        """
        if self._error:
            raise CryoPickError(self._error)
        return self._counted

    def curate(self, index: int, picks: MicrographPicks | None) -> None:
        """Set a micrograph's picks after decisions; ``None``: there are none about it."""
        with self._lock:
            if picks is None:
                self._curated.pop(index, None)
                self._picked.pop(index, None)
            else:
                self._curated[index] = free_candidates(picks)
                self._picked[index] = int(picks.picked.sum())

    @property
    def picked(self) -> dict[int, int]:
        """Number of picks of the micrographs with decisions, by their indices."""
        with self._lock:
            return dict(self._picked)

    def counts(
        self, threshold: float, smallest_A: float | None, largest_A: float | None
    ) -> NDArray[np.uint32] | None:
        """Return ``(m,)`` picks by micrograph at a cut, after decisions; ``None`` if not ready yet."""
        if (counted := self.counted) is None:
            return None
        counts = counted.candidates.counts(threshold, smallest_A, largest_A)
        all_counts = np.zeros(len(self._micrographs()), np.uint32)
        all_counts[: len(counts)] = counts
        with self._lock:
            indices = [index for index in self._curated if index < len(all_counts)]
            if indices:
                collected = CandidateCollector(len(indices))
                for position, index in enumerate(indices):
                    collected.add(position, self._curated[index])
                all_counts[indices] = collected.all().counts(threshold, smallest_A, largest_A)
        return all_counts

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if self._ended.is_set():
                return
            began = time.monotonic()
            try:
                self._counted, self._error = self._count(), ""
                self.generation += 1
            except CryoPickError as error:
                self._error = str(error)
            self._ended.wait(REST * (time.monotonic() - began))

    def _count(self) -> PageCounts | None:
        micrographs = list(self._micrographs())
        index_of = {micrograph.micrograph_id: index for index, micrograph in enumerate(micrographs)}
        collector = CandidateCollector(
            len(micrographs), sum(micrograph.candidates or 0 for micrograph in micrographs)
        )
        for number, (name, picks) in enumerate(self._source.every()):
            if self._ended.is_set():
                return None
            if number % EVERY == 0:
                time.sleep(BREATH_SECONDS)
            if (index := index_of.get(name)) is not None:
                before = self._decisions.before(picks)
                is_decided = self._decisions.is_decided(name)
                self.curate(index, self._decisions.curated(picks) if is_decided else None)
                collector.add(
                    index, free_candidates(before, matches_truth(self._truth, before, self._diameter_A))
                )
        candidates = collector.all()
        centres = [centres_of(self._truth, micrograph) for micrograph in micrographs]
        has_truth = np.array([centre is not None for centre in centres], bool)
        score_histogram = histogram(candidates, self._source.about.threshold)
        true_particles = sum(len(centre) for centre in centres if centre is not None)
        return PageCounts(candidates, score_histogram, has_truth, true_particles, self.generation + 1)
