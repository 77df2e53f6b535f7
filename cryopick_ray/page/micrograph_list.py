"""The list of all micrographs as JSON, made anew when something changed."""

import json
from collections.abc import Mapping, Sequence
from threading import RLock
from typing import Any

from cryopick_ray.errors import CryoPickError
from cryopick_ray.page.counting import PageTally
from cryopick_ray.page.judgement import Judgement
from cryopick_ray.page.listed_columns import listed_columns, outliers
from cryopick_ray.picks.schema import PickedMicrograph


class Listing:
    """Micrographs with what is known, decided and counted of each."""

    def __init__(self, judgement: Judgement, tally: PageTally) -> None:
        self._judgement, self._tally = judgement, tally
        self._lock = RLock()
        self._json: tuple[int, bytes] = (-1, b"")
        self._known: tuple[object, dict[str, list[Any]]] = (None, {})

    def json(
        self,
        generation: int,
        micrographs: Sequence[PickedMicrograph],
        threshold: float,
        told: Mapping[str, object],
    ) -> bytes:
        """Return all of it and what else is told, as it was made last where that was of this generation."""
        with self._lock:
            if self._json[0] != generation:
                if self._known[0] is not micrographs:
                    self._known = micrographs, listed_columns(micrographs)
                columns = self._known[1] | self._decided(micrographs, threshold)
                found = {
                    "generation": generation,
                    "n": len(micrographs),
                    "columns": columns,
                    "outliers": outliers(columns),
                    **told,
                }
                self._json = generation, json.dumps(found, allow_nan=False).encode()
            return self._json[1]

    def _decided(self, micrographs: Sequence[PickedMicrograph], threshold: float) -> dict[str, list[Any]]:
        """Return the columns that decisions change; picks that no table tells are those counted."""
        ids = [micrograph.micrograph_id for micrograph in micrographs]
        picked = self._tally.picked
        picks = [picked.get(at, micrograph.picks) for at, micrograph in enumerate(micrographs)]
        if None in picks and (counts := self._counts(threshold)) is not None:
            picks = [one if one is not None else counts[at] for at, one in enumerate(picks)]
        return {
            "picks": picks,
            "excluded": [self._judgement.is_excluded(name) for name in ids],
            "decisions": [len(self._judgement.rows_of(name)) for name in ids],
        }

    def _counts(self, threshold: float) -> list[int] | None:
        try:
            counts = self._tally.counts(threshold, None, None)
        except CryoPickError:
            return None
        return None if counts is None else counts.tolist()
