"""Numbers and picks that a report draws, collected while a run's table is read once."""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.picks.table import PickTable
from cryopick_ray.runs.results.pictured_micrographs import pictured_micrographs


class ReportCollector:
    """Collects counts, scores and sizes of candidates, and the picks of the pictured micrographs.

    Where thresholds of data sets differ, scores are relative to the threshold of each.

    Parameters
    ----------
    table
        The table that will be read.
    cuts
        Threshold of each data set.

    Attributes
    ----------
    threshold
        Common threshold of the collected scores; NaN if there are none.
    shown
        Ids of the pictured micrographs.
    picks
        Their candidates, by id.
    """

    def __init__(self, table: PickTable, cuts: Mapping[str, float]) -> None:
        several = len(set(cuts.values())) > 1
        self._origin = cuts if several else {}
        self.threshold = 0.0 if several else next(iter(cuts.values()), math.nan)
        self.shown = pictured_micrographs(table)
        self.picks: dict[str, MicrographPicks] = {}
        self._counts: list[int] = []
        self._scores, self._sizes = bytearray(), bytearray()  # byte arrays grow in place, arrays are copied

    def __call__(self, picks: MicrographPicks) -> None:
        """Collect a micrograph."""
        micrograph, picked = picks.micrograph, picks.picked
        if micrograph.status != "complete":
            return
        if (origin := self._origin.get(micrograph.dataset)) is not None:
            picks = replace(picks, score=picks.score - np.float32(origin))
        self._counts.append(int(picked.sum()))
        self._scores += picks.score[~picks.is_kept_out].tobytes()
        if "size_A" in picks.more:
            self._sizes += picks.more["size_A"][picked].tobytes()
        if micrograph.micrograph_id in self.shown:
            self.picks[micrograph.micrograph_id] = picks.take(
                np.arange(len(picks))
            )  # a copy: the table's part is freed

    @property
    def counts(self) -> NDArray[np.int64]:
        """``(m,)`` picks of each complete micrograph."""
        return np.array(self._counts, np.int64)

    @property
    def scores(self) -> NDArray[np.float32]:
        """``(n,)`` scores of all candidates that are not excluded for another reason than their score."""
        return np.frombuffer(self._scores, np.float32)

    @property
    def sizes_A(self) -> NDArray[np.float32]:
        """``(p,)`` sizes of picks in angstroms, NaN where the picker measures none."""
        return np.frombuffer(self._sizes, np.float32)
