"""The list of all micrographs as JSON, renewed on changes."""

import json
from collections.abc import Mapping, Sequence
from threading import RLock
from typing import Any

from cryopick_ray.errors import CryoPickError
from cryopick_ray.page.listed_columns import listed_columns, outliers
from cryopick_ray.page.page_tally import PageTally
from cryopick_ray.page.shared_decisions import SharedDecisions
from cryopick_ray.picks.schema import PickedMicrograph


class MicrographList:
    """Columns of all micrographs, with decisions and counts, as cached JSON."""

    def __init__(self, decisions: SharedDecisions, tally: PageTally) -> None:
        self._decisions, self._tally = decisions, tally
        self._lock = RLock()
        self._json: tuple[int, bytes] = (-1, b"")
        self._known: tuple[object, dict[str, list[Any]]] = (None, {})

    def json(
        self,
        generation: int,
        micrographs: Sequence[PickedMicrograph],
        threshold: float,
        extra: Mapping[str, object],
    ) -> bytes:
        """Return the list and ``extra`` entries as JSON; cached while ``generation`` is the same."""
        with self._lock:
            if self._json[0] != generation:
                if self._known[0] is not micrographs:
                    self._known = micrographs, listed_columns(micrographs)
                columns = self._known[1] | self._decided(micrographs, threshold)
                content = {
                    "generation": generation,
                    "n": len(micrographs),
                    "columns": columns,
                    "outliers": outliers(columns),
                    **extra,
                }
                self._json = generation, json.dumps(content, allow_nan=False).encode()
            return self._json[1]

    def _decided(self, micrographs: Sequence[PickedMicrograph], threshold: float) -> dict[str, list[Any]]:
        """Return the columns that decisions change; picks missing in the table are those counted."""
        ids = [micrograph.micrograph_id for micrograph in micrographs]
        picked = self._tally.picked
        picks = [picked.get(index, micrograph.picks) for index, micrograph in enumerate(micrographs)]
        if None in picks and (counts := self._counts(threshold)) is not None:
            picks = [count if count is not None else counts[index] for index, count in enumerate(picks)]
        return {
            "picks": picks,
            "excluded": [self._decisions.is_excluded(name) for name in ids],
            "decisions": [len(self._decisions.rows_of(name)) for name in ids],
        }

    def _counts(self, threshold: float) -> list[int] | None:
        try:
            counts = self._tally.counts(threshold, None, None)
        except CryoPickError:
            return None
        return None if counts is None else counts.tolist()
