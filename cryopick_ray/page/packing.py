"""Candidates and places as the bytes that a page reads: little endian, column after column."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryopick_ray.picks.columns import COLUMNS, HAND
from cryopick_ray.picks.schema import MicrographPicks

BY_HAND, TRUE = 1, 2
"""Marks of a candidate: a person added it; it finds a true particle."""


def packed_candidates(picks: MicrographPicks, true: NDArray[np.bool_] | None = None) -> bytes:
    """Return a micrograph's candidates.

    A uint32 ``n``, then ``n`` float32 each of ``x_px``, ``y_px``, ``score`` and ``size_A`` (NaN where it is
    not known), ``n`` uint16 of why each is not picked (:class:`~cryopick_ray.picks.reasons.Why`), ``n`` uint8
    of what it lies on (:class:`~cryopick_ray.micrographs.junk.Junk`), and ``n`` uint8 of marks. Where any is
    a segment of a filament, ``n`` int32 of the filament (-1 for none) and ``n`` float32 of ``track_A`` follow
    ``size_A``.

    Parameters
    ----------
    true
        ``(n,)`` which of them find a true particle.
    """
    n = len(picks)
    size_A = picks.more.get("size_A", COLUMNS["size_A"].nothing(n))
    junk = np.zeros(n, np.uint8) if picks.junk is None else picks.junk
    marks = np.where(is_by_hand(picks), np.uint8(BY_HAND), np.uint8(0))
    if true is not None:
        marks |= np.where(true, np.uint8(TRUE), np.uint8(0))
    numbers = (picks.x_px, picks.y_px, picks.score, size_A)
    return b"".join(
        [
            n.to_bytes(4, "little"),
            *(np.asarray(number, "<f4").tobytes() for number in numbers),
            *_of_filaments(picks),
            picks.unpicked.astype("<u2").tobytes(),
            junk.astype(np.uint8).tobytes(),
            marks.tobytes(),
        ]
    )


def _of_filaments(picks: MicrographPicks) -> list[bytes]:
    """Return the columns of filaments, if there are any."""
    filament, track_A = picks.more.get("filament"), picks.more.get("track_A")
    if filament is None or not (filament >= 0).any():
        return []
    track_A = COLUMNS["track_A"].nothing(len(picks)) if track_A is None else track_A
    return [filament.astype("<i4").tobytes(), track_A.astype("<f4").tobytes()]


def packed_places(x_px: ArrayLike, y_px: ArrayLike) -> bytes:
    """Return ``(n,)`` places: a uint32 ``n``, then ``n`` float32 each of x and y."""
    x, y = np.asarray(x_px, "<f4"), np.asarray(y_px, "<f4")
    return len(x).to_bytes(4, "little") + x.tobytes() + y.tobytes()


def is_by_hand(picks: MicrographPicks) -> NDArray[np.bool_]:
    """Return ``(n,)`` which candidates a person added."""
    source = picks.more.get("source")
    return np.zeros(len(picks), bool) if source is None else np.asarray(source == HAND, bool)
