"""Counts of all candidates, made in the background while a page is looked at."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import CryoPickError
from cryopick_ray.page.counts import Collected, CountedCandidates, Free, Histogram, free_ones, histogram
from cryopick_ray.page.judgement import Judgement
from cryopick_ray.page.pick_sources import ShownPicks
from cryopick_ray.page.truths import centres_of, finds
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph

if TYPE_CHECKING:
    from cryopick_ray.evaluation.truth import Truth

REST = 4.0
"""Times as long as it counted, it does not count again: a run at work changes every few seconds."""
PATIENCE_S = 30.0
BREATH_SECONDS, EVERY = 0.002, 16
"""So long, every so many micrographs, other threads go first: a person waits for them."""


@dataclass(frozen=True, eq=False)
class CountedMicrograph:
    """What came of counting.

    Attributes
    ----------
    candidates, histogram
        All free candidates, by the micrographs' places.
    has_truth
        ``(m,)`` which micrographs have known particles.
    true_particles
        How many all of these have.
    generation
        A number that grows with every count.
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
        Whose candidates.
    micrographs
        Gives those of the page, in order.
    judgement
        What people decided: counts heed it, the histogram does not.
    """

    def __init__(
        self,
        source: ShownPicks,
        micrographs: Callable[[], Sequence[PickedMicrograph]],
        truth: "Truth | None",
        diameter_A: float,
        judgement: Judgement,
    ) -> None:
        self._source, self._micrographs, self._truth = source, micrographs, truth
        self._diameter_A, self._judgement = diameter_A, judgement
        self._counted: CountedMicrograph | None = None
        self._curated: dict[int, Free] = {}
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
        """Count anew: there are others now."""
        self._wanted.set()

    def stop(self) -> None:
        """End; a thread that goes on while Python ends would break it off with an abort."""
        self._ended.set()
        self._wanted.set()
        if self._thread.is_alive():
            self._thread.join(PATIENCE_S)

    @property
    def counted(self) -> CountedMicrograph | None:
        """What came of it; ``None`` while it is not ready.

        Raises
        ------
        CryoPickError
            If the candidates cannot be read.
        """
        if self._error:
            raise CryoPickError(self._error)
        return self._counted

    def curate(self, place: int, picks: MicrographPicks | None) -> None:
        """Let a micrograph count as it is once people decided; ``None`` as it is without that."""
        with self._lock:
            if picks is None:
                self._curated.pop(place, None)
                self._picked.pop(place, None)
            else:
                self._curated[place] = free_ones(picks)
                self._picked[place] = int(picks.picked.sum())

    @property
    def picked(self) -> dict[int, int]:
        """Picks of micrographs, by their places, that people decided about."""
        with self._lock:
            return dict(self._picked)

    def counts(
        self, threshold: float, smallest_A: float | None, largest_A: float | None
    ) -> NDArray[np.uint32] | None:
        """Return ``(m,)`` picks of each micrograph at a cut, decisions heeded; ``None`` if not ready yet."""
        if (counted := self.counted) is None:
            return None
        counts = counted.candidates.counts(threshold, smallest_A, largest_A)
        found = np.zeros(len(self._micrographs()), np.uint32)
        found[: len(counts)] = counts
        with self._lock:
            places = [place for place in self._curated if place < len(found)]
            if places:
                own = Collected(len(places))
                for at, place in enumerate(places):
                    own.add(at, self._curated[place])
                found[places] = own.all().counts(threshold, smallest_A, largest_A)
        return found

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

    def _count(self) -> CountedMicrograph | None:
        micrographs = list(self._micrographs())
        places = {micrograph.micrograph_id: at for at, micrograph in enumerate(micrographs)}
        found = Collected(len(micrographs), sum(micrograph.candidates or 0 for micrograph in micrographs))
        for number, (name, picks) in enumerate(self._source.every()):
            if self._ended.is_set():
                return None
            if number % EVERY == 0:
                time.sleep(BREATH_SECONDS)
            if (at := places.get(name)) is not None:
                before = self._judgement.before(picks)
                is_decided = self._judgement.is_decided(name)
                self.curate(at, self._judgement.curated(picks) if is_decided else None)
                found.add(at, free_ones(before, finds(self._truth, before, self._diameter_A)))
        candidates = found.all()
        centres = [centres_of(self._truth, micrograph) for micrograph in micrographs]
        known = np.array([centre is not None for centre in centres], bool)
        made = histogram(candidates, self._source.about.threshold)
        true_particles = sum(len(centre) for centre in centres if centre is not None)
        return CountedMicrograph(candidates, made, known, true_particles, self.generation + 1)
