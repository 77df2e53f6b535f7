import re
from html.parser import HTMLParser

import numpy as np
import pytest

from cryopick_ray.passes.agreed_reliability import reliability
from cryopick_ray.passes.agreement import PickerAgreement, agreement
from cryopick_ray.passes.patterns import Patterns
from cryopick_ray.report.agreement_part import MOST_ROWS, render_agreement

EVIL = "<script>alert(1)</script>\"'&"
NAMES = (EVIL, "Topaz", "crYOLO")
LEVEL = np.array([[0, 0, 1], [0, 2, 1], [1, 1, 1], [3, 0, 0]], np.uint8)


@pytest.fixture
def agreed() -> Patterns:
    return Patterns(NAMES, LEVEL, np.array([30, 1000, 500, 250]))


class Page(HTMLParser):
    """Rows of cells, and all tags."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.rows, self.styles = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        elif tag == "circle":
            self.rows[-1][-1] += "has" if dict(attrs).get("class") == "has" else "not"
        elif tag == "span":
            self.styles.append(dict(attrs)["style"])

    def handle_data(self, data):
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip() if self.lasttag in ("td", "th") else ""


def test_the_part_says_what_the_agreement_says(agreed):
    rows = Page(render_agreement(agreement(agreed))).rows
    assert rows[0] == ["", "places", *NAMES]
    assert rows[1] == [EVIL, "750", "", "66.7 %", "66.7 %"]
    assert rows[2] == ["Topaz", "1,500", "33.3 %", "", "100.0 %"]
    assert rows[3] == ["crYOLO", "1,530", "32.7 %", "98.0 %", ""]
    assert rows[4] == [*NAMES, "groups", ""]
    assert [row[:4] for row in rows[5:]] == [
        ["not", "has", "has", "1,000"],
        ["has", "has", "has", "500"],
        ["has", "not", "not", "250"],
        ["not", "not", "has", "30"],
    ]


def test_bars_are_as_long_as_groups_are_many(agreed):
    widths = Page(render_agreement(agreement(agreed))).styles
    assert widths == ["width: 100.0%", "width: 50.0%", "width: 25.0%", "width: 3.0%"]


def test_what_agreement_tells_stands_beside(agreed):
    told = reliability(agreed, sites=20_000)
    rows = Page(render_agreement(agreement(agreed), told)).rows
    assert rows[0][-2:] == ["precision", "recall"]
    for row, precision, recall in zip(rows[1:4], told.precision, told.recall, strict=True):
        assert row[-2:] == [f"{precision:.2f}", f"{recall:.2f}"]


def test_where_agreement_tells_nothing_the_part_says_why(agreed):
    two = Patterns(NAMES[1:], LEVEL[:2, 1:], agreed.count[:2])
    html = render_agreement(agreement(two), reliability(two, sites=20_000))
    assert "agreement tells nothing of 2 pickers" in html
    assert "precision" not in Page(html).rows[0]


def test_names_are_escaped_and_nothing_is_fetched(agreed):
    html = render_agreement(agreement(agreed), reliability(agreed, sites=20_000))
    assert "script" not in Page(html).tags
    assert not re.search(r"(src|href|url)\s*[=(]", html)


def test_rare_kinds_of_groups_are_counted_but_not_shown():
    level = np.array([[number >> bit & 1 for bit in range(5)] for number in range(1, 32)], np.uint8)
    many = agreement(Patterns(tuple("abcde"), level, np.arange(1, 32)))
    html = render_agreement(many)
    assert len(Page(html).styles) == MOST_ROWS
    assert f"{sum(range(1, 32 - MOST_ROWS))} more groups, of {31 - MOST_ROWS} rarer kinds" in html


def test_no_groups_make_an_empty_part():
    nothing = PickerAgreement(("a",), {"a": 0}, (), ())
    assert Page(render_agreement(nothing)).rows[1] == ["a", "0", ""]
