"""The shape of picks: one row a candidate, one row a micrograph."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cryopick_ray.micrographs.junk import KINDS
from cryopick_ray.picks.columns import Columns, taken
from cryopick_ray.picks.reasons import Reasons, Why, marked
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
        pa.field("unpicked", pa.string(), nullable=False),
        pa.field("junk", pa.string(), nullable=False),
    ]
)
"""The table: all candidates by data set, micrograph, falling score, y, x; optional columns follow.

``unpicked`` says why a candidate is not picked (:mod:`~cryopick_ray.picks.reasons`), empty where it is.
``junk`` is what each lies on, by its kind (:data:`~cryopick_ray.micrographs.junk.KINDS`). Tables of earlier
versions lack either.
"""

SHARD = pa.schema(
    [
        *(PICKS.field(name) for name in ("micrograph_id", "x_px", "y_px", "score")),
        pa.field("junk", pa.uint8(), nullable=False),
    ]
)
"""One work unit's candidates, ``junk`` by its code, which shards of earlier versions lack; optional columns
follow. What else tables have joins in them."""

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
        :class:`~cryopick_ray.micrographs.star_list.ListedMicrograph`.
    inverted
        Whether its particles are brighter than the ice, and its negative was picked.
    mask
        Key in the store of what the model saw of junk in it; empty if it saw none, or looks for none.
    junk_share
        Part of its area that each kind of junk has, as :func:`~cryopick_ray.micrographs.junk.read_shares`
        reads it; empty if nothing looked for any. What the model and a mask of the user both exclude
        counts in both.
    candidates, picks, mean_score, just_below, on_junk
        Its candidates, counted as :class:`~cryopick_ray.picks.verdict.Facts` says; ``None`` where it was not
        judged: failed ones, and those of tables of earlier versions.
    verdict, reasons
        What it is worth (:data:`~cryopick_ray.picks.verdict.KINDS`), and why, one reason a line; empty where
        it was not judged.
    excluded
        Whether nothing in it may be picked: a person said so, or its verdict. It is no data then.
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
    mask: str = ""
    junk_share: str = ""
    candidates: int | None = None
    picks: int | None = None
    mean_score: float | None = None
    just_below: int | None = None
    on_junk: int | None = None
    verdict: str = ""
    reasons: str = ""
    excluded: bool = False

    def unjudged(self) -> "PickedMicrograph":
        """Return it without what one picker's picks say of it."""
        return replace(
            self,
            candidates=None,
            picks=None,
            mean_score=None,
            just_below=None,
            on_junk=None,
            verdict="",
            reasons="",
        )


@dataclass(frozen=True)
class MicrographPicks:
    """The candidates of one micrograph, best first: what passes, exporters, evaluation and reports read.

    Attributes
    ----------
    x_px, y_px, score
        ``(n,)`` float32; centres in pixels of the source micrograph (see :mod:`cryopick_ray.units`).
    unpicked
        ``(n,)`` uint16, why each is not picked (:class:`~cryopick_ray.picks.reasons.Why`).
    diameter_A
        Particle diameter in angstroms.
    junk
        ``(n,)`` uint8, what each lies on (:class:`~cryopick_ray.micrographs.junk.Junk`); ``None`` if nothing
        looked for any.
    more
        What else is known of them, by column (:data:`~cryopick_ray.picks.columns.COLUMNS`).
    model
        Name of what found them.
    """

    micrograph: PickedMicrograph
    x_px: NDArray[np.float32]
    y_px: NDArray[np.float32]
    score: NDArray[np.float32]
    unpicked: Reasons
    diameter_A: float
    junk: NDArray[np.uint8] | None = None
    more: Columns = field(default_factory=dict)
    model: str = ""

    def __len__(self) -> int:
        return len(self.score)

    @property
    def picked(self) -> NDArray[np.bool_]:
        """``(n,)`` bool, true where nothing keeps a candidate from being picked."""
        return np.asarray(self.unpicked == 0)

    @property
    def is_kept_out(self) -> NDArray[np.bool_]:
        """``(n,)`` bool, true of what is not picked whatever its score."""
        return self.has(~Why.BELOW_THRESHOLD)

    @property
    def is_excluded(self) -> bool:
        """Whether the micrograph is no data; tables of earlier versions say so of their candidates alone."""
        all_out = len(self) > 0 and bool(self.has(Why.EXCLUDED_MICROGRAPH).all())
        return self.micrograph.excluded or all_out

    def has(self, why: Why) -> NDArray[np.bool_]:
        """Return ``(n,)`` bool, true where any of these is among the reasons."""
        return np.asarray((self.unpicked & np.uint16(why)) != 0)

    def marked(self, why: Why, where: NDArray[np.bool_]) -> "MicrographPicks":
        """Return the same with one reason more where it holds."""
        return replace(self, unpicked=marked(self.unpicked, why, where)) if where.any() else self

    def take(self, chosen: Any) -> "MicrographPicks":
        """Return the candidates that an index, mask or slice chooses."""
        return replace(
            self,
            x_px=self.x_px[chosen],
            y_px=self.y_px[chosen],
            score=self.score[chosen],
            unpicked=self.unpicked[chosen],
            junk=None if self.junk is None else self.junk[chosen],
            more=taken(self.more, chosen),
        )

    def best_first(self) -> "MicrographPicks":
        """Return them in the order of tables: by falling score, y, x."""
        return self.take(np.lexsort((self.x_px, self.y_px, -self.score)))

    def kept_out(self, least: float = -np.inf) -> dict[str, int]:
        """Return how many candidates with a score of at least ``least`` each kind of junk keeps out."""
        if self.junk is None:
            return {}
        codes = self.junk[self.has(Why.ON_JUNK) & (self.score >= np.float32(least))]
        counts = np.bincount(codes, minlength=len(KINDS)).tolist()
        return {kind: count for kind, count in zip(KINDS, counts, strict=True) if count}
