"""Coordinate formats and the columns of picks, from the tables that the code goes by."""

import pyarrow as pa

from cryopick_ray.formats.column_names import in_file
from cryopick_ray.formats.format_table import ROWS
from cryopick_ray.picks.columns import COLUMNS
from cryopick_ray.picks.reasons import WORDS
from cryopick_ray.picks.schema import PICKS
from generate.markdown import code, from_docstring, page, table

ALWAYS = {
    "dataset": "the data set's name",
    "micrograph_id": "the micrograph's path below INPUT, folders and extension kept",
    "x_px": "column of the centre in the source micrograph, 0.0 the centre of the first pixel",
    "y_px": "row of the centre, row 0 first",
    "score": "the picker's score; of a calibrated model the share of such candidates that are particles",
    "diameter_A": "the diameter in angstroms that was picked with",
    "model": "the model's name",
    "picked": "whether it is picked",
    "unpicked": "why it is not picked; empty where it is",
    "junk": "what it lies on; empty for clear ice",
}
"""The meanings of the columns that every table has."""


def table_pages() -> dict[str, str]:
    """Return the page of formats and columns, by its file name."""
    formats = table(
        ["name", "format", "files", "read", "written", "holds", "columns"],
        (
            [
                *(code(one.name), one.title, " ".join(map(code, one.suffixes))),
                *("yes" if can else "no" for can in (one.read, one.write)),
                ", ".join(sorted(one.holds)),
                ", ".join(code(name) for name in sorted(one.columns)),
            ]
            for one in ROWS
        ),
    )
    always = table(
        ["column", "type", "meaning"], ([code(one.name), _type(one.type), ALWAYS[one.name]] for one in PICKS)
    )
    known = table(
        ["column", "in files", "type", "meaning", "written by"],
        (
            [code(name), code(in_file(name)), _type(one.type), from_docstring(one.meaning), one.written_by]
            for name, one in COLUMNS.items()
        ),
    )
    return {
        "formats.md": page(
            "Formats and columns",
            "Formats of coordinates, from the code; [the guide](../guides/formats.md) tells the traps. "
            "`empty` are micrographs without particles, `folders` those of names.",
            formats,
            "## Columns of every table of picks",
            always,
            "## Columns that are there where anything is known",
            known,
            "## Why a candidate is not picked",
            f"`unpicked` holds, with commas between: {', '.join(map(code, WORDS.values()))}.",
        )
    }


def _type(kind: pa.DataType) -> str:
    return str(kind.value_type if pa.types.is_dictionary(kind) else kind)
