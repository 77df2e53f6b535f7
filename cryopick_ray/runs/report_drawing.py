"""What a report draws of a run's candidates, taken down as its micrographs pass."""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.picks.table import PickTable
from cryopick_ray.runs.pictured_micrographs import pictured


class Drawn:
    """Takes down counts, scores and sizes, and the picks of the micrographs that are pictured.

    Where data sets were cut at different scores, scores count from each one's threshold.

    Parameters
    ----------
    table
        Whose micrographs will pass.
    cuts
        The threshold of each of its data sets.

    Attributes
    ----------
    threshold
        Where all scores are cut; NaN if there are none.
    shown
        Ids of the micrographs that are pictured.
    picks
        Their candidates, by id.
    """

    def __init__(self, table: PickTable, cuts: Mapping[str, float]) -> None:
        several = len(set(cuts.values())) > 1
        self._origin = cuts if several else {}
        self.threshold = 0.0 if several else next(iter(cuts.values()), math.nan)
        self.shown = pictured(table)
        self.picks: dict[str, MicrographPicks] = {}
        self._counts: list[int] = []
        self._scores, self._sizes = bytearray(), bytearray()  # as numbers, they would be copied to be joined

    def __call__(self, picks: MicrographPicks) -> None:
        """Take down what a micrograph has to be drawn."""
        about, picked = picks.micrograph, picks.picked
        if about.status != "complete":
            return
        if (origin := self._origin.get(about.dataset)) is not None:
            picks = replace(picks, score=picks.score - np.float32(origin))
        self._counts.append(int(picked.sum()))
        self._scores += picks.score[~picks.is_kept_out].tobytes()
        if "size_A" in picks.more:
            self._sizes += picks.more["size_A"][picked].tobytes()
        if about.micrograph_id in self.shown:
            self.picks[about.micrograph_id] = picks.take(np.arange(len(picks)))  # a copy: the part may go

    @property
    def counts(self) -> NDArray[np.int64]:
        """``(m,)`` picks of each complete micrograph."""
        return np.array(self._counts, np.int64)

    @property
    def scores(self) -> NDArray[np.float32]:
        """``(n,)`` scores of all candidates that nothing but their score keeps out."""
        return np.frombuffer(self._scores, np.float32)

    @property
    def sizes_A(self) -> NDArray[np.float32]:
        """``(p,)`` sizes of picks, NaN where the picker does not tell."""
        return np.frombuffer(self._sizes, np.float32)
