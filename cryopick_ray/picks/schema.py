"""The shape of picks: one row a candidate, one row a micrograph."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cryopick_ray.store.manifest import Status
from cryopick_ray.units import Optics, Shape

PICKS = pa.schema(
    [
        pa.field("dataset", pa.string(), nullable=False),
        pa.field("micrograph_id", pa.string(), nullable=False),
        pa.field("x_px", pa.float32(), nullable=False),
        pa.field("y_px", pa.float32(), nullable=False),
        pa.field("score", pa.float32(), nullable=False),
        pa.field("diameter_A", pa.float32(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("picked", pa.bool_(), nullable=False),
    ]
)
"""The table: all candidates, sorted by data set, micrograph, falling score, y, x."""

SHARD = pa.schema([PICKS.field(name) for name in ("micrograph_id", "x_px", "y_px", "score")])
"""One work unit's candidates; ``dataset``, ``diameter_A``, ``model`` and ``picked`` join in the table."""

SHARD_READ = SHARD.set(0, SHARD.field(0).with_type(pa.dictionary(pa.int32(), pa.string())))
"""The same as it is read: each id once."""


@dataclass(frozen=True, slots=True)
class PickedMicrograph:
    """One micrograph of a table, picked or failed.

    Attributes
    ----------
    micrograph_id
        Path relative to the source root, folders and extension kept.
    dataset
        Name of the data set it belongs to.
    relion_name
        What RELION calls it (rlnMicrographName).
    shape
        Height and width of the source micrograph in pixels; ``None`` if it could not be read.
    pixel_size_A
        Pixel size of the source micrograph; ``None`` if it could not be read.
    optics
        The microscope, where the input STAR said; else ``None``.
    status, reason
        ``complete``, or ``failed`` or ``left out`` and why.
    optics_group, listed
        What the input list says of it: see
        :class:`~cryopick_ray.micrographs.listing.ListedMicrograph`.
    inverted
        Whether its particles are brighter than the ice, and its negative was picked.
    candidates, picks, mean_score, just_below, on_junk
        Its candidates, counted as :class:`~cryopick_ray.picks.verdict.Facts` says; ``None`` where it was not
        judged: failed ones, and those of tables of earlier versions.
    verdict, reasons
        What it is worth (:data:`~cryopick_ray.picks.verdict.KINDS`), and why, one reason a line; empty where
        it was not judged.
    """

    micrograph_id: str
    dataset: str
    relion_name: str
    shape: Shape | None
    pixel_size_A: float | None
    optics: Optics | None
    status: Status
    reason: str
    optics_group: str = ""
    listed: str = ""
    inverted: bool = False
    candidates: int | None = None
    picks: int | None = None
    mean_score: float | None = None
    just_below: int | None = None
    on_junk: int | None = None
    verdict: str = ""
    reasons: str = ""


@dataclass(frozen=True)
class MicrographPicks:
    """The candidates of one micrograph, best first: what exporters, evaluation and reports read.

    Attributes
    ----------
    x_px, y_px, score
        ``(n,)`` float32; centres in pixels of the source micrograph (see :mod:`cryopick_ray.units`).
    picked
        ``(n,)`` bool, true where ``score >=`` the run's threshold.
    diameter_A
        Particle diameter in angstroms.
    """

    micrograph: PickedMicrograph
    x_px: NDArray[np.float32]
    y_px: NDArray[np.float32]
    score: NDArray[np.float32]
    picked: NDArray[np.bool_]
    diameter_A: float
