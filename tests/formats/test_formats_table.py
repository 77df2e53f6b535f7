"""The table of formats in the documentation is the one in the code."""

from pathlib import Path

from cryopick_ray.formats.column_names import in_file
from cryopick_ray.formats.format_table import ROWS
from cryopick_ray.picks.columns import COLUMNS

DOCS = Path(__file__).resolve().parents[2] / "docs" / "guides" / "formats.md"


def table_of(first):
    """Return the rows of the table whose first column has that name, its head included."""
    _, head, rest = DOCS.read_text().partition(f"| {first} |")
    lines = [line for line in (head + rest).partition("\n\n")[0].splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_documented_table_is_that_of_the_code():
    rows = table_of("F")
    documented = [(*row[:4], frozenset(row[4].split(", "))) for row in rows[1:] if row[0] != "-"]
    assert documented == [
        (entry.name, entry.title, "yes" if entry.read else "no", "yes" if entry.write else "no", entry.holds)
        for entry in ROWS
    ]


def test_the_documented_columns_are_those_of_the_code():
    assert table_of("column")[1:] == [
        [
            *(name, in_file(name), str(item.type), item.meaning, item.written_by),
            ", ".join(row.name for row in ROWS if in_file(name) in row.columns),
        ]
        for name, item in COLUMNS.items()
    ]


def test_names_and_titles_are_each_ones_own():
    for words in zip(*((entry.name, entry.title) for entry in ROWS), strict=True):
        assert len(set(words)) == len(ROWS)
