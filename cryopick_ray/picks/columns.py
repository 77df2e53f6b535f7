"""Optional columns of candidates beside place and score, each declared once with unit and meaning."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Columns = Mapping[str, NDArray[Any]]
"""``(n,)`` values of candidates by the column's name."""


@dataclass(frozen=True)
class Column:
    """An optional column of shards and tables.

    Attributes
    ----------
    name
        Name, with its unit.
    type
        Type in Parquet, where unknown values are null.
    missing
        Value in arrays for what is unknown.
    meaning
        Meaning in words, with the unit.
    written_by
        Pickers and files that provide it.
    """

    name: str
    type: pa.DataType
    missing: Any
    meaning: str
    written_by: str

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of its arrays."""
        return np.dtype(object if pa.types.is_string(self.type) else self.type.to_pandas_dtype())

    def unknown(self, n: int) -> NDArray[Any]:
        """Return ``(n,)`` unknown values."""
        return np.full(n, self.missing, self.dtype)

    def is_known(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Tell which of ``(n,)`` values are known."""
        is_known = ~np.isnan(values) if values.dtype.kind == "f" else values != self.missing
        return np.asarray(is_known, bool)

    def to_arrow(self, values: NDArray[Any]) -> pa.Array:
        """Return ``(n,)`` values as an Arrow array."""
        return pa.array(values, self.type, mask=~self.is_known(values))

    def to_numpy(self, values: pa.ChunkedArray) -> NDArray[Any]:
        """Return the array that :meth:`to_arrow` was given."""
        whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
        filled = whole.fill_null(self.missing) if whole.null_count else whole
        return np.asarray(filled.to_numpy(zero_copy_only=False), self.dtype)


HAND = "hand"
"""Source of picks that a person added."""
_NAN = float("nan")
COLUMNS = {
    column.name: column
    for column in (
        Column(
            "size_A",
            pa.float32(),
            _NAN,
            "longest dimension of this particle in angstroms, as the picker sees it",
            "heat-map networks",
        ),
        Column(
            "box_w_A",
            pa.float32(),
            _NAN,
            "width in angstroms of the box that the picker draws around this particle",
            "crYOLO, files with boxes",
        ),
        Column("box_h_A", pa.float32(), _NAN, "height of that box in angstroms", "crYOLO, files with boxes"),
        Column(
            "angle_deg",
            pa.float32(),
            _NAN,
            "turn in the plane of the image in degrees, as rlnAnglePsi counts it; along a filament",
            "STAR and CryoSPARC files, filament pickers",
        ),
        Column(
            "view",
            pa.int16(),
            -1,
            "number of the template that fits best, from 0",
            "template matching, CryoSPARC files",
        ),
        Column(
            "class_number",
            pa.int32(),
            -1,
            "class, as rlnClassNumber counts",
            "STAR and CryoSPARC files",
        ),
        Column(
            "filament",
            pa.int32(),
            -1,
            "number of the filament in its micrograph that this is a segment of, from 0",
            "filament pickers, files of filaments",
        ),
        Column(
            "track_A",
            pa.float32(),
            _NAN,
            "distance in angstroms from the filament's first segment, along it",
            "filament pickers, files of filaments",
        ),
        Column("votes", pa.uint8(), 0, "pickers that agree on this particle", "consensus"),
        Column("source", pa.string(), "", "who found it: a picker, a person's hand", "consensus, curation"),
    )
}
"""By name, in the order of files."""
OF_SHARDS = tuple(name for name, column in COLUMNS.items() if not pa.types.is_string(column.type))
"""Columns that a picker may write."""


def fields(names: Iterable[str]) -> list[pa.Field]:
    """Return the Parquet fields of the columns."""
    return [pa.field(name, COLUMNS[name].type) for name in names]


def in_column_order(names: Iterable[str]) -> list[str]:
    """Return the optional columns among ``names``, in the order of files."""
    present = set(names)
    return [name for name in COLUMNS if name in present]


def concatenated(parts: Sequence[tuple[int, Columns]]) -> dict[str, NDArray[Any]]:
    """Return the columns of several ``(number of candidates, columns)``, concatenated."""
    names = in_column_order(name for _, columns in parts for name in columns)
    return {
        name: np.concatenate(
            [columns[name] if name in columns else COLUMNS[name].unknown(n) for n, columns in parts]
        ).astype(COLUMNS[name].dtype, copy=False)
        for name in names
    }


def in_angstroms(columns: Columns, pixel_size_A: float) -> dict[str, NDArray[Any]]:
    """Return columns with lengths in pixels (``size_px``) converted to angstroms (``size_A``)."""
    return {
        f"{name[:-3]}_A" if name.endswith("_px") else name: (
            (values * np.float32(pixel_size_A)).astype(np.float32) if name.endswith("_px") else values
        )
        for name, values in columns.items()
    }


def take_columns(columns: Columns, chosen: Any) -> dict[str, NDArray[Any]]:
    """Return the columns of the candidates that an index, mask or slice chooses."""
    return {name: values[chosen] for name, values in columns.items()}
