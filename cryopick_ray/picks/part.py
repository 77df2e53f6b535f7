"""A part of a table in memory: the candidates of consecutive micrographs, as arrays."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cryopick_ray.micrographs.junk import KINDS, Junk
from cryopick_ray.picks.columns import COLUMNS, among, taken
from cryopick_ray.picks.reasons import from_words, none
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph

_CODES = {kind: code for code, kind in enumerate(KINDS)}


class TablePart:
    """The rows of a part, which micrographs cut into slices.

    Parameters
    ----------
    rows
        As a table has them, whole or empty; texts as text or by dictionary.
    """

    def __init__(self, rows: pa.Table) -> None:
        names = _by_dictionary(rows["micrograph_id"])
        codes = names.indices.to_numpy()
        starts = np.flatnonzero(np.diff(codes, prepend=-1))
        texts = names.dictionary.to_pylist()
        self._ids = [texts[code] for code in codes[starts].tolist()]
        self._edges = [*starts.tolist(), len(codes)]
        self._numbers = [rows[name].to_numpy() for name in ("x_px", "y_px", "score")]
        self._unpicked = each(rows["unpicked"], from_words)
        self._junk = each(rows["junk"], junk_codes)
        self._model = rows["model"]
        self._more = {name: COLUMNS[name].to_numpy(rows[name]) for name in among(rows.column_names)}

    def __iter__(self) -> Iterator[tuple[str, slice]]:
        """Yield the micrographs in their order, and where their candidates are."""
        edges = zip(self._edges[:-1], self._edges[1:], strict=True)
        return zip(self._ids, (slice(*some) for some in edges), strict=True)

    def picks(self, micrograph: PickedMicrograph, own: slice, diameter_A: float) -> MicrographPicks:
        """Return a micrograph's candidates."""
        x_px, y_px, score = (values[own] for values in self._numbers)
        n = own.stop - own.start
        return MicrographPicks(
            micrograph,
            x_px,
            y_px,
            score,
            self._unpicked[own],
            diameter_A,
            junk=self._junk[own],
            more=taken(self._more, own),
            model=self._model[own.start].as_py() if n else "",
        )


def no_picks(micrograph: PickedMicrograph, diameter_A: float) -> MicrographPicks:
    """Return a micrograph without candidates."""
    numbers = np.empty(0, np.float32)
    more = {name: one.nothing(0) for name, one in COLUMNS.items()}
    junk = np.empty(0, np.uint8)
    return MicrographPicks(micrograph, *(numbers,) * 3, none(0), diameter_A, junk=junk, more=more)


def _by_dictionary(texts: pa.ChunkedArray) -> pa.DictionaryArray:
    whole = texts.combine_chunks()
    return whole if pa.types.is_dictionary(whole.type) else whole.dictionary_encode()


def each(texts: pa.ChunkedArray, meaning: Callable[[pa.Array], NDArray[Any]]) -> NDArray[Any]:
    """Return what each of ``(n,)`` texts means, given what different ones mean."""
    found = _by_dictionary(texts)
    return np.asarray(meaning(found.dictionary)[found.indices.to_numpy()])


def junk_codes(kinds: pa.Array) -> NDArray[np.uint8]:
    """Return what :data:`KINDS` calls junk as its codes; kinds of later versions as masked."""
    return np.array([_CODES.get(kind, Junk.MASKED) for kind in kinds.to_pylist()], np.uint8)
