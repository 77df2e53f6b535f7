import statistics

import pytest

from cryopick_ray.suite.averaged_rows import Result, table_rows


def result(data, model, f1, *, seed="one", group="", overlap="", failure=""):
    measures = {} if f1 is None else {"f1": f1}
    return Result(data, group, model, seed, False, 3, measures, overlap, failure)


def test_seeds_make_one_row_with_mean_and_sample_deviation():
    f1 = {"a": 0.5, "b": 0.7, "c": 0.9}
    (row,) = table_rows([result("set", "m", value, seed=seed) for seed, value in f1.items()])
    assert (row.data, row.model, row.seeds, row.micrographs) == ("set", "m", 3, 3)
    assert row.mean["f1"] == pytest.approx(0.7)
    assert row.spread["f1"] == pytest.approx(statistics.stdev(f1.values()))


def test_one_training_has_no_spread():
    (row,) = table_rows([result("set", "m", 0.5)])
    assert (row.mean, row.spread) == ({"f1": 0.5}, {})


def test_rows_keep_the_order_of_sets_and_models():
    order = [("z", "m"), ("z", "a"), ("b", "m"), ("b", "a")]
    assert [(row.data, row.model) for row in table_rows([result(*one, 0.5) for one in order])] == order


def test_a_group_is_followed_by_its_mean_over_molecules_whatever_their_sizes():
    sets = [("x", "both", (0.2, 0.4)), ("y", "both", (0.6, 1.0)), ("real", "", (0.1, 0.3))]
    results = [
        result(name, model, f1, group=group)
        for name, group, values in sets
        for model, f1 in zip("ba", values, strict=True)
    ]
    rows = table_rows(results)
    assert [(row.data, row.model) for row in rows] == [
        (name, model) for name in ("x", "y", "both", "real") for model in "ba"
    ]
    context = [row for row in rows if row.data == "both"]
    assert [row.mean["f1"] for row in context] == pytest.approx([0.4, 0.7])
    assert [row.micrographs for row in context] == [6, 6]


def test_seeds_of_a_group_spread_as_their_means_over_molecules_do():
    values = {("a", "x"): 0.0, ("a", "y"): 1.0, ("b", "x"): 1.0, ("b", "y"): 0.4}
    results = [result(name, "m", f1, seed=seed, group="both") for (seed, name), f1 in values.items()]
    mean = table_rows(results)[-1]
    assert mean.mean["f1"] == pytest.approx(0.6)
    assert mean.spread["f1"] == pytest.approx(statistics.stdev([0.5, 0.7]))


def test_a_failure_is_a_row_and_takes_the_mean_of_its_group_with_it():
    results = [
        result("x", "m", None, group="both", failure="too coarse"),
        result("y", "m", 0.5, group="both"),
    ]
    x, y, both = table_rows(results)
    assert (x.mean, x.seeds, x.failure) == ({}, 0, "too coarse")
    assert (y.mean, y.failure) == ({"f1": 0.5}, "")
    assert (both.mean, both.failure) == ({}, "no mean without x")


def test_seeds_that_went_well_are_shown_beside_the_reason_of_those_that_did_not():
    results = [result("set", "m", 0.5, seed="runs/a.safetensors")]
    results += [result("set", "m", None, seed="runs/b.safetensors", failure="damaged")]
    (row,) = table_rows(results)
    assert (row.seeds, row.mean, row.spread, row.failure) == (1, {"f1": 0.5}, {}, "b: damaged")


def test_a_measure_that_one_seed_does_not_define_has_no_mean():
    one, other = result("set", "m", 0.5, seed="a"), result("set", "m", None, seed="b")
    (row,) = table_rows([one, Result(**{**other.__dict__, "measures": {"f1": None}})])
    assert row.mean == {"f1": None}


def test_what_was_seen_of_any_molecule_is_said_of_their_mean():
    results = [
        result("x", "m", 0.5, group="both", overlap="its molecule (x)"),
        result("y", "m", 0.5, group="both"),
        result("z", "m", 0.5, group="both", overlap="its molecule (x)"),
    ]
    assert table_rows(results)[-1].overlap == "its molecule (x)"
