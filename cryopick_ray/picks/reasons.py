"""Reasons why a candidate is not picked: flags in arrays, words in tables."""

from enum import IntFlag
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Reasons = NDArray[np.uint16]
"""``(n,)`` flags of :class:`Reason`; what has none is picked."""


class Reason(IntFlag):
    """What keeps a candidate from being picked; several may."""

    BELOW_THRESHOLD = 1
    ON_JUNK = 2
    NEAR_EDGE = 4
    EXCLUDED_MICROGRAPH = 8
    DUPLICATE = 16
    REMOVED_BY_HAND = 32
    WRONG_SIZE = 64
    SURPLUS = 128
    TOO_FEW_VOTES = 256
    OTHER = 512
    BAD_CLASS = 1024


WORDS = {reason: (reason.name or "").lower().replace("_", " ") for reason in Reason}
"""As tables say it; what a later version says there is :attr:`Reason.OTHER`."""
_FLAGS = {word: reason for reason, word in WORDS.items()}


def none(n: int) -> Reasons:
    """Return no reason for any of ``n`` candidates."""
    return np.zeros(n, np.uint16)


def marked(reasons: Reasons, why: Reason, where: NDArray[np.bool_]) -> Reasons:
    """Return the reasons, one more where it holds."""
    return reasons | np.multiply(where, np.uint16(why), dtype=np.uint16)


def to_words(reasons: Reasons) -> pa.Array:
    """Return ``(n,)`` reasons as text, those of one candidate parted by commas; picks have none."""
    codes = np.flatnonzero(np.bincount(reasons))
    places = np.zeros(codes[-1] + 1 if len(codes) else 0, np.int32)
    places[codes] = np.arange(len(codes))
    words = pa.array([_text(int(code)) for code in codes], pa.string())
    return words.take(pa.array(places[reasons]))


def from_words(words: pa.ChunkedArray) -> Reasons:
    """Return what :func:`to_words` was given."""
    unique = pc.unique(words)
    codes = np.array([_flags(text) for text in unique.to_pylist()], np.uint16)
    places = pc.index_in(words, unique).to_numpy()
    return codes[places] if len(places) else none(0)


@lru_cache(maxsize=1024)
def _text(code: int) -> str:
    return ", ".join(word for reason, word in WORDS.items() if code & reason)


def _flags(text: str) -> int:
    flags = 0
    for word in text.split(", ") if text else ():
        flags |= _FLAGS.get(word, Reason.OTHER)
    return flags
