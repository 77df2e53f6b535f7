"""Which candidates are not picked, whatever their score."""

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cryopick_ray.micrographs.junk import kept_out
from cryopick_ray.picks.gather import Partition, gather
from cryopick_ray.picks.judged import among
from cryopick_ray.picks.outside import Masked
from cryopick_ray.picks.shards import PickShards


@dataclass(frozen=True)
class Unpicked:
    """What keeps candidates from being picked.

    Attributes
    ----------
    masked
        What masks of the user exclude.
    strange
        Ids of images that are no micrographs.
    keep_junk
        Whether what a model takes for junk keeps nothing out.
    """

    masked: Masked = field(default_factory=Masked)
    strange: Collection[str] = ()
    keep_junk: bool = False

    def gather(self, shards: PickShards, part: Partition) -> tuple[pa.Table, NDArray[np.bool_]]:
        """Return a partition's candidates with their junk, and ``(n,)`` which of them are kept out."""
        rows = gather(shards, part, self.masked)
        on_junk = kept_out(rows["junk"].to_numpy(), keep_junk=self.keep_junk)
        return rows, on_junk | among(rows["micrograph_id"], self.strange)
