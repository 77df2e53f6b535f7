"""The page that compares models, in a real browser."""

import json
from dataclasses import replace

import pytest
from selenium.webdriver.common.by import By

from cryopick_ray.report.figures import BOTTOM, HEIGHT, LEFT, LINE_HEIGHT, RIGHT, TOP
from cryopick_ray.suite.averaged_rows import Result
from cryopick_ray.suite.page import render_comparison
from cryopick_ray.suite.suite_settings import suite_settings

HOSTILE = "<script>alert(1)</script>"
MODELS = [
    "log",
    "weak",
    {"name": "taught", "seeds": ["x"], "after": "weak"},
    {"name": HOSTILE, "seeds": ["y"]},
]
SET = {"name": "real", "micrographs": ["m"], "labels": "l", "diameter_A": 100}
SETTINGS = {"models": MODELS, "data": [SET], "empty": [SET | {"name": "ice"}]}
del SETTINGS["empty"][0]["labels"]
F1 = {"log": 0.8, "weak": 0.6, "taught": 0.9, HOSTILE: 0.7}


def found(model, f1, **changes):
    measures = {"precision": f1, "recall": f1, "f1": f1, "best_f1": f1 + 0.05, "auprc": f1 - 0.1}
    measures |= {"best_threshold": 0.5, "centring_error": 1 - f1, "seconds": 10 * f1}
    curve = ((0.25, 1.0), (f1, f1), (1.0, 0.25))
    return replace(Result("real", "", model, model, False, 4, measures, "", curve=curve), **changes)


def results():
    false = {"false_mean": 12.5, "false_median": 12.0, "false_most": 20.0}
    nothing = [found(model, 0.5, data="ice", is_empty=True, curve=()) for model in ("log", "weak")]
    ice = [
        replace(one, measures={name: (1 + n) * value for name, value in false.items()})
        for n, one in enumerate(nothing)
    ]
    failed = found("log", 0.0, data="p97-few", group="few, mean", measures={}, failure=HOSTILE, curve=())
    other = {"f1": 0.99, "best_f1": None, "auprc": None}
    person = found("a person", 0.99, measures=other, curve=(), labels="a picker")
    return [*(found(model, f1) for model, f1 in F1.items()), person, failed, *ice]


@pytest.fixture
def page(browser, tmp_path):
    path = tmp_path / "suite.html"
    path.write_text(render_comparison(suite_settings(SETTINGS), results()), encoding="utf-8")
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get(path.as_uri())
    return browser


def texts(page, css):
    """Return what is on the page, also in what is folded."""
    return [
        " ".join(one.get_attribute("textContent").split()) for one in page.find_elements(By.CSS_SELECTOR, css)
    ]


def column(page, section, name):
    heads = texts(page, f"#{section} th")
    return texts(page, f"#{section} tbody td:nth-child({heads.index(name) + 1})")


def test_the_page_opens_without_errors_dialogs_or_requests(page):
    assert page.get_log("browser") == []
    messages = (json.loads(entry["message"])["message"] for entry in page.get_log("performance"))
    sent = [message["params"] for message in messages if message["method"] == "Network.requestWillBeSent"]
    urls = {one["request"]["url"] for one in sent if one["documentURL"].startswith("file:")}
    assert urls == {page.current_url}
    assert HOSTILE in texts(page, "#overview th")


def test_the_models_of_a_set_stand_by_their_best_f1_and_failures_last(page):
    assert column(page, "set-1", "model") == [
        "a person", "taught after weak", "log", HOSTILE, "weak",
    ]  # fmt: skip
    assert column(page, "set-1", "F1") == ["0.990", "0.900 +0.300", "0.800", "0.700", "0.600"]
    assert column(page, "set-1", "off centre")[1] == "0.100 -0.300"
    assert column(page, "set-2", "failed") == [HOSTILE]
    assert column(page, "set-4", "false picks a micrograph") == ["12.5", "25.0"]


def test_the_overview_has_a_line_of_each_set_and_marks_the_best_model_but_no_person(page):
    assert texts(page, "#overview tbody td:first-child") == ["real", "few, mean", "ice"]
    assert texts(page, "#overview .best") == ["0.900 / 0.950", "12.5"]
    lines = texts(page, "#overview tbody tr")
    assert lines[0].startswith("real 0.800 / 0.850 0.600 / 0.650")
    assert "failed" not in lines[2]


def test_a_set_that_a_mean_stands_for_is_folded(page):
    assert texts(page, "details summary") == ["p97-few"]
    assert not page.find_element(By.CSS_SELECTOR, "details table").is_displayed()


def test_a_click_on_a_head_sorts_by_it_down_and_then_up(page):
    heads = page.find_elements(By.CSS_SELECTOR, "#set-1 th button")
    seconds = next(head for head in heads if head.text == "s a micrograph")
    seconds.click()
    assert column(page, "set-1", "s a micrograph") == ["9.000", "8.000", "7.000", "6.000", "-"]
    seconds.click()
    assert column(page, "set-1", "s a micrograph") == ["-", "6.000", "7.000", "8.000", "9.000"]
    assert column(page, "set-4", "model") == ["log", "weak"]


def test_every_model_has_its_curve_in_the_style_of_its_key_and_a_dot_where_it_cuts(page):
    (chart,) = page.find_elements(By.CSS_SELECTOR, "#set-1 svg.chart")
    drawn = [one.get_attribute("class") for one in chart.find_elements(By.CSS_SELECTOR, "polyline")]
    assert len(set(drawn)) == len(drawn) == len(F1)
    bottom = LINE_HEIGHT - (HEIGHT - BOTTOM)
    for name, style in zip(F1, drawn, strict=True):
        key = f"#set-1 .key line[class='{style}']"
        (row,) = (
            one
            for one in page.find_elements(By.CSS_SELECTOR, "#set-1 tr")
            if one.find_elements(By.CSS_SELECTOR, key)
        )
        assert name in row.text
        dot = chart.find_element(By.CSS_SELECTOR, f"circle[class='{style.replace('line', 'dot')}']")
        assert float(dot.get_attribute("cx")) == pytest.approx(LEFT + F1[name] * (RIGHT - LEFT), abs=0.06)
        up = bottom - F1[name] / 1.02 * (bottom - TOP)
        assert float(dot.get_attribute("cy")) == pytest.approx(up, abs=0.06)
