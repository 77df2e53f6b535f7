"""A part of a table in memory: the candidates of consecutive micrographs, as arrays."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cryopick_ray.micrographs.junk import KINDS, Junk
from cryopick_ray.picks.columns import COLUMNS, in_column_order, take_columns
from cryopick_ray.picks.reasons import from_words, none
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph

_CODES = {kind: code for code, kind in enumerate(KINDS)}


class TablePart:
    """The rows of a part, sliced by micrograph.

    Parameters
    ----------
    rows
        Rows of a table's part, perhaps none; texts as text or dictionary-encoded.
    """

    def __init__(self, rows: pa.Table) -> None:
        names = _by_dictionary(rows["micrograph_id"])
        codes = names.indices.to_numpy()
        starts = np.flatnonzero(np.diff(codes, prepend=-1))
        texts = names.dictionary.to_pylist()
        self._ids = [texts[code] for code in codes[starts].tolist()]
        self._edges = [*starts.tolist(), len(codes)]
        self._numbers = [rows[name].to_numpy() for name in ("x_px", "y_px", "score")]
        self._unpicked = map_texts(rows["unpicked"], from_words)
        self._junk = map_texts(rows["junk"], junk_codes)
        self._model = rows["model"]
        self._more = {name: COLUMNS[name].to_numpy(rows[name]) for name in in_column_order(rows.column_names)}

    def __iter__(self) -> Iterator[tuple[str, slice]]:
        """Yield the micrograph ids in order, and the slices of their candidates."""
        edges = zip(self._edges[:-1], self._edges[1:], strict=True)
        return zip(self._ids, (slice(*pair) for pair in edges), strict=True)

    def picks(self, micrograph: PickedMicrograph, rows: slice, diameter_A: float) -> MicrographPicks:
        """Return a micrograph's candidates."""
        x_px, y_px, score = (values[rows] for values in self._numbers)
        n = rows.stop - rows.start
        return MicrographPicks(
            micrograph,
            x_px,
            y_px,
            score,
            self._unpicked[rows],
            diameter_A,
            junk=self._junk[rows],
            more=take_columns(self._more, rows),
            model=self._model[rows.start].as_py() if n else "",
        )


def no_picks(micrograph: PickedMicrograph, diameter_A: float) -> MicrographPicks:
    """Return a micrograph without candidates."""
    numbers = np.empty(0, np.float32)
    more = {name: column.unknown(0) for name, column in COLUMNS.items()}
    junk = np.empty(0, np.uint8)
    return MicrographPicks(micrograph, *(numbers,) * 3, none(0), diameter_A, junk=junk, more=more)


def _by_dictionary(texts: pa.ChunkedArray) -> pa.DictionaryArray:
    whole = texts.combine_chunks()
    return whole if pa.types.is_dictionary(whole.type) else whole.dictionary_encode()


def map_texts(texts: pa.ChunkedArray, meaning: Callable[[pa.Array], NDArray[Any]]) -> NDArray[Any]:
    """Return ``meaning`` of each of ``(n,)`` texts, computed once per distinct text."""
    encoded = _by_dictionary(texts)
    return np.asarray(meaning(encoded.dictionary)[encoded.indices.to_numpy()])


def junk_codes(kinds: pa.Array) -> NDArray[np.uint8]:
    """Return what :data:`KINDS` calls junk as its codes; kinds of later versions as masked."""
    return np.array([_CODES.get(kind, Junk.MASKED) for kind in kinds.to_pylist()], np.uint8)
