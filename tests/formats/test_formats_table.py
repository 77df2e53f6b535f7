"""The table of formats in the documentation is the one in the code."""

from pathlib import Path

from cryopick_ray.formats.formats import ROWS

DOCS = Path(__file__).resolve().parents[2] / "docs" / "formats.md"


def test_the_documented_table_is_that_of_the_code():
    lines = [line for line in DOCS.read_text().splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    documented = [(*row[:4], frozenset(row[4].split(", "))) for row in rows[1:] if row[0] != "-"]
    assert documented == [
        (one.name, one.title, "yes" if one.read else "no", "yes" if one.write else "no", one.holds)
        for one in ROWS
    ]


def test_names_and_titles_are_each_ones_own():
    for words in zip(*((one.name, one.title) for one in ROWS), strict=True):
        assert len(set(words)) == len(ROWS)
