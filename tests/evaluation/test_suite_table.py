from dataclasses import replace

from cryopick_ray.suite.averaged_rows import SuiteRow
from cryopick_ray.suite.results_table import to_markdown, to_text

FOUND = {
    "precision": 0.9,
    "recall": 0.8,
    "f1": 0.8471,
    "best_f1": 0.85,
    "best_threshold": 0.31,
    "auprc": None,
}
SPREAD = {"f1": 0.0123}


def row(data="set", *, is_empty=False, mean=None, spread=None, overlap="", failure=""):
    mean = FOUND | {"seconds": 0.5} if mean is None else mean
    return SuiteRow(data, "m", is_empty, 1, 4, mean, spread or {}, overlap, failure)


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def table(text, number=0):
    """Return the lines of a Markdown table by the names of its columns."""
    head, _, *lines = text.strip().split("\n\n")[1 + number].splitlines()
    return [dict(zip(cells(head), cells(line), strict=True)) for line in lines]


def test_numbers_come_with_their_spread_and_what_is_undefined_is_a_dash():
    (line,) = table(to_markdown([row(spread=SPREAD)]))
    assert (line["F1"], line["AUPRC"], line["at score"]) == ("0.847 ± 0.012", "-", "0.31")
    assert (line["micrographs"], line["s a micrograph"]) == ("4", "0.500")


def test_columns_of_remarks_are_there_when_there_is_one():
    assert {"trained on", "failed"}.isdisjoint(table(to_markdown([row()]))[0])
    plain, other = table(to_markdown([row(), row(overlap="this data set")]))
    assert (plain["trained on"], other["trained on"]) == ("", "this data set")


def test_a_failure_keeps_to_its_cell():
    (line,) = table(to_markdown([row(mean={}, failure="a\nlong reason")]))
    assert (line["F1"], line["failed"]) == ("-", "a long reason")
    assert r"a \| b" in to_markdown([row(failure="a | b")])


def test_filaments_have_a_table_of_their_own_between_particles_and_empty_sets():
    counted = {
        "breaks": 3.0,
        "bridges": 0.0,
        "false_joins": 1.0,
        "crossings": 50.0,
        "angle_deg": 1.254,
        "offset": 0.02,
    }
    traced = replace(row("tubes", mean=FOUND | counted), of_filaments=True)
    empty = row("junk", is_empty=True, mean={"false_mean": 2.0})
    text = to_markdown([empty, traced, row()])
    (particles,), (filaments,), (false,) = (table(text, number) for number in range(3))
    assert [line["data"] for line in (particles, filaments, false)] == ["set", "tubes", "junk"]
    assert list(filaments)[3:15] == [
        *("precision", "recall", "F1", "best F1", "at score", "AUPRC"),
        *("breaks", "bridges", "false joins", "crossings", "off deg", "off axis"),
    ]
    assert [filaments[name] for name in ("false joins", "off deg")] == ["1.0", "1.25"]
    assert "breaks" not in particles


def test_empty_sets_have_a_table_of_false_picks():
    empty = row("junk", is_empty=True, mean={"false_mean": 2.25, "false_most": 9, "seconds": None})
    text = to_markdown([row(), empty])
    assert [line["data"] for line in table(text)] == ["set"]
    (line,) = table(text, 1)
    assert (line["false picks a micrograph"], line["most in one"], line["s a micrograph"]) == (
        "2.2",
        "9.0",
        "-",
    )


def test_unlabelled_sets_have_a_table_of_counts_between_the_two():
    counted = {"false_mean": 40.0, "false_median": 38, "false_most": 60}
    unlabelled = SuiteRow("good", "m", False, 1, 4, counted, {}, "", "", is_labelled=False)
    text = to_markdown([row(), unlabelled, row("junk", is_empty=True, mean=counted)])
    (line,) = table(text, 1)
    assert (line["picks a micrograph"], line["median"], line["most in one"]) == ("40.0", "38.0", "60.0")
    assert [line["data"] for line in table(text, 2)] == ["junk"]


def test_whose_labels_they_are_and_how_parts_compare_is_said_where_it_is_known():
    assert {"labels", "recall first/last"}.isdisjoint(table(to_markdown([row()]))[0])
    mean = FOUND | {"recall_ratio": 0.712}
    (line,) = table(to_markdown([SuiteRow("set", "m", False, 1, 4, mean, {}, "", "", labels="a picker")]))
    assert (line["labels"], line["recall first/last"]) == ("a picker", "0.71")


def test_the_terminal_shows_the_same_cells_in_line():
    text = to_text([row("a"), row("longer", overlap="this data set")])
    head, *lines = text.splitlines()
    assert len({line.index("0.847") for line in lines} | {head.index("F1")}) == 1
    assert lines[1].endswith("this data set")
