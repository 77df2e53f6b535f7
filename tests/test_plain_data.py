"""YAML and JSON of strangers: bounded, and told in a line with its place."""

import re

import pytest
import yaml

from cryopick_ray import plain_data
from cryopick_ray.errors import MOST_SHOWN, UsageError, brief
from cryopick_ray.plain_data import parse_documents, parse_yaml, read_json, yaml_complaint
from cryopick_ray.settings.config import load_settings, read_yaml


def complaint(text):
    with pytest.raises(yaml.YAMLError) as caught:
        parse_yaml(text)
    return yaml_complaint(caught.value)


def test_anchors_and_merges_work_as_in_any_yaml():
    text = "base: &b {x: 1, y: [2, 3]}\nmore: {<<: *b, x: 4}\nsame: *b\n"
    assert parse_yaml(text) == yaml.safe_load(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &a [x]\nb: *c\n", r"line 2: the alias 'c'"),
        ("a: &a [*a]\n", r"line 1: the alias 'a'"),
        ("a: 1\na2: &a 1\nb: &a [*a]\n", r"line 3: the alias 'a'"),
        ("a: 1\nb: 0x_\n", r"line 2: expected int, found '0x_'"),
        ("a: " + "9" * 5000, r"line 1: expected int, found '999"),
        ("1: x\n", r"line 1: expected a name, found '1'"),
        ("a: 1\nyes: x\n", r"line 2: expected a name, found 'yes'"),
        ("a: [1\nb: 2\n", r"line 2: "),
        ("a: 1\n---\nb: 2\n", r"one document, there are 2"),
        ("a: !!python/name:os.system x\n", r"line 1: "),
        ("a: \x00", r"allowed"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_place(text, said):
    found = complaint(text)
    assert re.search(said, found)
    assert len(found.splitlines()) == 1
    assert len(found) < 2 * MOST_SHOWN


def test_aliases_count_for_all_that_they_stand_for(monkeypatch):
    monkeypatch.setattr(plain_data, "MAX_YAML_VALUES", 20)
    text = (
        "a: &a [1, 2, 3]\nb: &b [*a, *a]\n"  # a mapping, two names, four values of a, then one and two of a
    )
    parse_yaml(text)
    assert "at most 20" in complaint(text + "c: [*b, *b]\n")


def test_values_may_be_nested_so_deep_and_no_deeper(monkeypatch):
    monkeypatch.setattr(plain_data, "MAX_YAML_DEPTH", 5)
    parse_documents("[[[[[1]]]]]")
    assert "5 deep" in complaint("[[[[[[1]]]]]]")


def test_a_date_is_a_text():
    assert parse_yaml("a: 2026-01-01\nb: 2026-13-41") == {"a": "2026-01-01", "b": "2026-13-41"}


def test_a_file_too_large_is_not_opened(tmp_path, monkeypatch):
    (tmp_path / "c.yaml").write_text("a: 1")
    monkeypatch.setattr("cryopick_ray.settings.config.MAX_YAML_BYTES", 3)
    with pytest.raises(UsageError, match="larger than"):
        read_yaml(tmp_path / "c.yaml")


def test_json_is_bounded_too(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("[" * 100_000)
    with pytest.raises(ValueError, match="nested too deep"):
        read_json(path, 2**20)
    with pytest.raises(ValueError, match="100000 bytes, expected at most 10"):
        read_json(path, 10)


def test_a_message_quotes_a_line_of_a_value():
    for value in (
        "x" * 10**6,
        ["y" * 10**6] * 50,
        {"a": {"b": {"c": [[[]]]}}},
        16**10_000,
        ValueError("a\nb\0c"),
    ):
        shown = brief(value)
        assert shown.isprintable()
        assert 0 < len(shown) <= MOST_SHOWN
    assert (brief("a'b"), brief(1.5), brief(ValueError("so\nit is"))) == ('"a\'b"', "1.5", "so it is")


def test_settings_that_are_wrong_a_thousand_times_are_told_a_few_times():
    data = {"inputs": ["a"], **{f"unknown_{number}": 1 for number in range(1000)}}
    with pytest.raises(UsageError, match="and 992 more") as caught:
        load_settings(data)
    assert len(str(caught.value)) < 2500


@pytest.mark.parametrize("name", ["text", "self", "values", "x" * 5000])
def test_any_name_may_be_that_of_an_unknown_setting(name):
    with pytest.raises(UsageError, match="is not a setting") as caught:
        load_settings({"inputs": ["a"], name: 1})
    assert len(str(caught.value)) < 2500
