from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_sources import labelled_row

from cryopick_ray.errors import UsageError
from cryopick_ray.settings.config import read_yaml, to_yaml
from cryopick_ray.training.data.prepare import TrainingSet, prepare_data
from cryopick_ray.training.experiment import _parts, train
from cryopick_ray.training.training_settings import learn_settings, train_settings

APO = {"name": "apo", "micrographs": ["m/*.mrc"], "labels": "labels", "diameter_A": 120}
WHOLE = {"network": "heatmap", "data": [APO]}


TOPAZ = {"network": "topaz"}
ALIKE = {"data": [APO | {"molecule": "apoferritin"}], "simulated": [{"molecules": ["shell", "20s"]}]}


def with_data(**changes):
    return WHOLE | {"data": [APO | changes]}


def simulated(**settings):
    return WHOLE | {
        "simulated": [{"molecules": ["p97"]}, {"molecules": ["apoferritin"], "settings": settings}]
    }


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (WHOLE | {"epoch": 3}, "epoch is not a setting of a training"),
        (with_data(diameter=120), r"data\.0\.diameter is not a setting"),
        (with_data(diameter_A=0), r"data\.0\.diameter_A is 0: .*greater than 0"),
        (with_data(diameter_A=-5), "greater than 0"),
        (with_data(diameter_A=float("inf")), "finite"),
        (with_data(diameter_A=float("nan")), "diameter_A is nan"),
        (with_data(pixel_size_A=0), r"data\.0\.pixel_size_A is 0"),
        (with_data(micrographs=[]), r"data\.0\.micrographs"),
        (with_data(name="../up"), r"data\.0\.name is '\.\./up'"),
        (with_data(labels_used=0), "labels_used is 0"),
        ({"data": [APO]}, "network is missing"),
        ({"network": "heatmap", "data": [{"name": "a"}]}, r"data\.0\.labels is missing"),
        (WHOLE | {"network": "unet"}, "no network 'unet' to train"),
        ({"network": "heatmap"}, "nothing to train on"),
        (WHOLE | {"data": [APO, APO | {"labels": "other"}]}, "two data sets are called 'apo'"),
        (WHOLE | {"options": {"base": [1]}}, r"options\.base"),
        (WHOLE | {"options": {"base": None}}, r"options\.base"),
        (WHOLE | {"epochs": 0}, "epochs is 0"),
        (WHOLE | {"steps": 1.5}, r"steps is 1\.5"),
        (WHOLE | {"learning_rate": 0}, "learning_rate is 0"),
        (WHOLE | {"validation_share": 0.6}, r"validation_share is 0\.6"),
        (WHOLE | {"seed": 2**32}, "seed is 4294967296"),
        (WHOLE | {"folds": 1}, "folds"),
        (WHOLE | {"folds": "molecule"}, "folds"),
        (WHOLE | {"precision": "float16"}, "precision is 'float16'"),
        (WHOLE | {"name": "a/b"}, "name is 'a/b'"),
        (WHOLE | {"simulated": [{"molecules": []}]}, r"simulated\.0\.molecules"),
        (WHOLE | {"simulated": {"molecules": ["p97"]}}, r"simulated is .*should be a list"),
        (WHOLE | {"simulated": [{"molecules": ["p97"], "name": "a/b"}]}, r"simulated\.0\.name is 'a/b'"),
        (WHOLE | {"simulated": [{"molecules": ["p97"], "seed": 2**31}]}, r"simulated\.0\.seed is 2147483648"),
        (with_data(repeat=0), r"data\.0\.repeat is 0"),
        (WHOLE | {"scales": [0.2, 1]}, r"scales is \[0\.2, 1\]: expected numbers from 0\.25 to 4"),
        (WHOLE | {"scales": [1, 5]}, "expected numbers from 0.25 to 4"),
        (WHOLE | {"scales": [1.5, 0.7]}, "low <= high"),
        (
            with_data(labels_used=8) | {"network": "deepem", "rounds": 2},
            "rounds is 2, and labels_used of apo",
        ),
        (
            simulated(molecules=["p97"]),
            r"simulated\.1: settings has molecules; give molecules beside settings",
        ),
        (simulated(micrographs=3), r"simulated\.1: settings has micrographs; give micrographs beside"),
        (simulated(seed=3), r"simulated\.1: settings has seed; give seed beside"),
        (simulated(pixel_size_A=2.0), r"simulated\.1: settings has pixel_size_A; give particle_px"),
    ],
)
def test_what_is_wrong_is_named(data, complaint):
    with pytest.raises(UsageError, match=complaint):
        train_settings(data)


def test_every_wrong_value_is_named_at_once():
    with pytest.raises(UsageError, match="epochs") as caught:
        train_settings(WHOLE | {"epochs": 0, "patience": 0, "colour": 1})
    assert str(caught.value).count(";") == 2
    assert "patience is 0" in str(caught.value)
    assert "colour is not a setting" in str(caught.value)


@given(
    options=st.dictionaries(
        st.sampled_from(["base", "general", "architecture"]),
        st.booleans()
        | st.integers(-(2**40), 2**40)
        | st.floats(allow_nan=False)
        | st.text("ab1.e", max_size=4),
    )
)
def test_options_keep_their_types(options):
    kept = learn_settings({"network": "heatmap", "options": options}).options
    assert {name: (type(value), value) for name, value in kept.items()} == {
        name: (type(value), value) for name, value in options.items()
    }


def test_settings_survive_their_file(tmp_path):
    whole = train_settings(
        WHOLE
        | {
            "options": {"base": 8, "scale_jitter": 1.2, "flag": True, "architecture": "heatmap"},
            "simulated": [
                {"molecules": ["groel"], "settings": {"ice": {"mean": 1}}},
                {"molecules": ["groel"], "name": "crowded"},
            ],
            "scales": [0.7, 1.4],
            "folds": 3,
            "data": [APO | {"validation": ["a*"]}, APO | {"name": "other", "exclude": ["b"]}],
        }
    )
    (tmp_path / "config.yaml").write_text(to_yaml(whole))
    assert train_settings(read_yaml(tmp_path / "config.yaml")) == whole


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (with_data(test=["a*"]) | {"folds": 2}, "take away the test of apo"),
        (with_data(validation=["a*"]) | {"folds": 2}, "validation of apo"),
        (WHOLE | {"folds": "molecules"}, "two molecules to leave one out; there is apo"),
        (WHOLE | ALIKE | {"folds": "families"}, "there is hollow"),
        (WHOLE | {"options": {"bse": 8}}, "bse is not an option of heatmap"),
        (WHOLE | {"options": {"batch": 8}}, "give batch beside options"),
        (WHOLE | {"options": {"particle_px": 0}}, "particle_px of heatmap is 0"),
        (WHOLE | {"options": {"base": 0}}, r"options\.base is 0"),
        (WHOLE | {"rounds": 2}, "rounds is 2: heatmap learns from every place"),
        (with_data(false_labels="f") | {"network": "cryolo"}, r"data\.0\.false_labels is 'f': cryolo learns"),
        (with_data(false_labels="f") | TOPAZ, "false_labels is 'f': the objective ge-binomial"),
        (WHOLE | TOPAZ | {"rounds": 2}, "rounds is 2: the objective ge-binomial"),
        (with_data(labels_used=8) | TOPAZ, r"data\.0\.labels_used is 8: .*options\.expected_particles"),
        (WHOLE | TOPAZ | {"options": {"expected_particles": -1}}, "expected_particles is -1"),
        (
            simulated() | {"options": {"particle_px": 50}},
            r"simulated\.0\.particle_px is 48, .* particles of 50 px",
        ),
        (
            simulated() | {"options": {"particle_px": 35}, "scales": [0.7, 1.4]},
            r"simulated\.0\.particle_px is 48, .* particles of 49 px; .* or scales",
        ),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_is_done(tmp_path, data, complaint):
    with pytest.raises(UsageError, match=complaint):
        train(train_settings(data), tmp_path / "out", None, SimpleNamespace(events=None))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ({"simulated": [{"molecules": ["apoferritin", "APOFERRITIN"]}]}, "apoferritin"),
        ({"simulated": [{"molecules": ["apoferritin"]}] * 2}, "apoferritin"),
        ({"simulated": [{"molecules": ["p97"], "name": "few"}] * 2}, "p97-few"),
        ({"data": [APO | {"name": "p97"}], "simulated": [{"molecules": ["p97"]}]}, "p97"),
        (
            {"data": [APO | {"name": "p97-few"}], "simulated": [{"molecules": ["p97"], "name": "few"}]},
            "p97-few",
        ),
    ],
)
def test_a_simulated_data_set_needs_a_name_of_its_own(tmp_path, data, name):
    with pytest.raises(UsageError, match=f"two data sets are called '{name}'.* group of molecules a name"):
        prepare_data(train_settings({"network": "heatmap"} | data), 20.0, tmp_path / "out", None, None)
    assert not (tmp_path / "out").exists()


def test_a_simulated_data_set_needs_a_name_that_can_be_a_folders(tmp_path):
    groups = [{"molecules": ["p97"]}, {"molecules": ["rubisco"], "name": "x" * 95}]
    with pytest.raises(UsageError, match=r"simulated\.1 makes a data set called 'rubisco-xxx"):
        prepare_data(
            train_settings({"network": "heatmap", "simulated": groups}), 20.0, tmp_path / "out", None, None
        )
    assert not (tmp_path / "out").exists()


def parts(folds, sets):
    settings = train_settings(
        {"network": "heatmap", "folds": folds, "data": [APO | {"name": name} for name in sets]}
    )
    data = [
        TrainingSet(
            one, tuple(labelled_row(f"{one.name}-{number}", dataset=one.name) for number in range(count))
        )
        for one, count in zip(settings.data, sets.values(), strict=True)
    ]
    rows = [row for one in data for row in one.rows]
    return dict(_parts(settings, data)), rows


def ids(rows):
    return sorted(row.row.micrograph_id for row in rows)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_folds_test_every_micrograph_once_on_a_model_that_never_saw_it(count):
    found, rows = parts(count, {"a": 7, "b": 5})
    assert list(found) == [f"fold-{number + 1}" for number in range(count)]
    assert ids(row for one in found.values() for row in one.test) == ids(rows)
    for one in found.values():
        assert ids([*one.training, *one.validation, *one.test]) == ids(rows)
        assert {row.dataset for row in one.test} == {row.dataset for row in one.training} == {"a", "b"}


def test_too_many_folds_are_refused():
    with pytest.raises(UsageError, match="b has 2 labelled micrographs for 3 folds"):
        parts(3, {"a": 7, "b": 2})


def test_a_molecule_left_out_is_tested_whole_and_never_seen():
    found, rows = parts("molecules", {"a": 4, "b": 5, "c": 2})
    assert list(found) == ["without-a", "without-b", "without-c"]
    for name, one in found.items():
        out = name.removeprefix("without-")
        assert ids(one.test) == ids(row for row in rows if row.dataset == out)
        assert ids([*one.training, *one.validation, *one.test]) == ids(rows)
        assert {row.dataset for row in one.validation} == {"a", "b", "c"} - {out}


def of_molecules(folds, sets):
    """Return the parts of data sets by their molecules, and all rows."""
    rows = {name: [labelled_row(f"{name}{n}", dataset=name) for n in range(2)] for name in sets}
    data = [APO | {"name": name, "molecule": molecule} for name, molecule in sets.items()]
    settings = train_settings({"network": "heatmap", "folds": folds, "data": data, "validation_share": 0})
    made = [TrainingSet(one, tuple(rows[one.name])) for one in settings.data]
    return dict(_parts(settings, made))


def datasets(rows):
    return {row.dataset for row in rows}


def test_a_molecule_is_left_out_with_all_of_its_sets():
    sets = {"plain": "p97", "other": "rubisco", "crowded": "p97", "nobody-knows": None}
    found = of_molecules("molecules", sets)
    assert {name: datasets(one.test) for name, one in found.items()} == {
        "without-p97": {"plain", "crowded"},
        "without-rubisco": {"other"},
        "without-nobody-knows": {"nobody-knows"},
    }
    for one in found.values():
        assert datasets(one.training).isdisjoint(datasets(one.test))
        assert datasets(one.training) | datasets(one.test) == set(sets)


def test_molecules_that_look_alike_are_left_out_together():
    sets = {"a": "ring", "b": "rubisco", "c": "lock-washer", "d": "betagal", "e": "ring", "f": "of-mine"}
    found = of_molecules("families", sets)
    assert {name: datasets(one.test) for name, one in found.items()} == {
        "without-rings": {"a", "c", "e"},
        "without-globular": {"b", "d"},
        "without-of-mine": {"f"},
    }
    for one in found.values():
        assert datasets(one.training) == set(sets) - datasets(one.test)
