import pytest

from cryopick_ray.errors import UsageError
from cryopick_ray.suite.suite_settings import changed_sets, suite_settings

REAL = {"name": "real", "micrographs": ["m"], "labels": "l", "diameter_A": 100}
JUNK = {"name": "junk", "micrographs": ["j"], "diameter_A": 100}
GROUP = {"molecules": ["p97", "70s"]}
SUITE = {
    "models": ["log", "runs/a.safetensors", {"name": "several", "seeds": ["b", "c"]}],
    "data": [REAL],
    "simulated": [{"name": "few", "molecules": ["p97", "70s"]}],
    "empty": [JUNK, {"name": "ice", "molecules": ["p97"]}],
}


def test_a_model_by_itself_is_a_group_of_one():
    groups = [(group.name, group.seeds) for group in suite_settings(SUITE).models]
    assert groups == [("log", ("log",)), ("a", ("runs/a.safetensors",)), ("several", ("b", "c"))]


def test_each_molecule_is_a_data_set_by_its_full_name():
    names = ["real", "p97-few", "ribosome-70s-few", "junk", "p97-ice"]
    assert suite_settings(SUITE).set_names() == names


def test_settings_come_back_from_what_is_kept_of_them():
    settings = suite_settings(SUITE)
    assert suite_settings(settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"models": []}, "models"),
        ({"models": ["x/a.sav", "y/a.sav"]}, "two models are called 'a'"),
        ({"models": [{"name": "m", "seeds": ["a", "a"]}]}, "twice"),
        ({"data": [REAL, REAL]}, "two data sets are called 'real'"),
        ({"data": [REAL | {"name": "p97-ice"}]}, "two data sets are called 'p97-ice'"),
        ({"data": [REAL | {"name": "ice"}]}, "two lines of the table are called 'ice'"),
        ({"data": [REAL | {"diameters_off": [2, 2]}]}, "diameters_off of real"),
        ({"simulated": [GROUP, GROUP | {"molecules": ["clpb", "cand1"]}]}, "two groups of molecules"),
        ({"data": [REAL | {"noise": [2, 2]}]}, "noise of real lists one factor twice"),
        (
            {"data": [REAL | {"noise": [1]}, REAL | {"name": "real-noise-1"}]},
            "two data sets are called 'real-no",
        ),
        ({"data": [REAL | {"annotators": {"log": "l"}}]}, "two models or annotators are called 'log'"),
        ({"unlabelled": [REAL]}, "labels is not a setting"),
        ({"models": ["log", {"name": "a", "seeds": ["b"], "after": "c"}]}, "after of a is 'c'.* log, a"),
        ({"models": ["log", {"name": "a", "seeds": ["b"], "after": "a"}]}, "after of a is 'a'"),
        ({"models": [{"name": "a", "seeds": ["b"], "only": ["reel"]}]}, "only of a has 'reel'.* real"),
        ({"empty": [JUNK | {"molecule": "unobtainium"}]}, "unobtainium"),
        ({"data": [REAL | {"diametre_A": 3}]}, r"data\.0\.diametre_A is not a setting"),
        ({"data": [REAL | {"diameter_A": -3}]}, r"data\.0\.diameter_A is -3"),
        ({"data": [REAL | {"molecule": "unobtainium"}]}, "unobtainium"),
        ({"data": [JUNK]}, r"data\.0\.labels is missing"),
        ({"empty": [REAL]}, "labels is not a setting"),
        ({"simulated": [{"molecules": ["p97"], "settings": {"seed": 3}}]}, "seed"),
        ({"data": [], "simulated": [], "empty": []}, "nothing to pick"),
    ],
)
def test_what_is_wrong_is_named(change, said):
    with pytest.raises(UsageError, match=said):
        suite_settings(SUITE | change)


def test_a_molecule_whose_file_can_name_no_folder_is_refused_before_it_is_simulated(tmp_path):
    atom = "ATOM  {0:5d}  CA  ALA A{0:4d}    {0:8.3f}{0:8.3f}   0.000  1.00 20.00           C  \n"
    (tmp_path / "my molecule.pdb").write_text("".join(atom.format(number) for number in range(1, 20)))
    group = {"molecules": [str(tmp_path / "my molecule.pdb")]}
    with pytest.raises(UsageError, match="'my molecule', which can name no folder"):
        suite_settings(SUITE | {"simulated": [group]})


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        ({"models": ["log"]}, []),
        ({"data": []}, []),
        ({"data": [REAL | {"labels": "m", "radius_A": 9, "diameters_off": [0.5]}]}, []),
        ({"data": [REAL, REAL | {"name": "more"}]}, []),
        ({"data": [REAL | {"pixel_size_A": 2}]}, ["real.pixel_size_A: None -> 2.0"]),
        ({"data": [REAL | {"exclude": ["*1*"]}]}, ["real.exclude: [] -> ['*1*']"]),
        ({"simulated": [{"name": "few", "molecules": ["p97", "capsid"]}]}, []),
        ({"simulated": [{"name": "few", "molecules": ["p97"], "seed": 1}]}, ["p97-few.seed: 0 -> 1"]),
    ],
)
def test_models_and_sets_come_and_go_and_a_name_means_the_same(change, lines):
    assert changed_sets(suite_settings(SUITE), suite_settings(SUITE | change)) == lines


def test_a_sweep_is_a_group_for_each_combination():
    sweep = {"scene.packing": [0.1, 0.72], "exposure.dose_e_per_A2": [1]}
    group = {"name": "crowd", "molecules": ["p97"], "settings": {"height_px": 512}, "sweep": sweep}
    settings = suite_settings(SUITE | {"simulated": [group]})
    assert settings.set_names()[1:3] == [f"p97-crowd-packing-{x}-dose_e_per_A2-1" for x in ("0.1", "0.72")]
    assert settings.groups()[1].settings == {
        "height_px": 512,
        "scene": {"packing": 0.72},
        "exposure": {"dose_e_per_A2": 1},
    }
    assert suite_settings(settings.model_dump(mode="json")) == settings


def test_parts_noise_and_other_labels_may_be_added_later():
    more = {"noise": [1, 2], "labelled_by": "a picker", "annotators": {"second": "l2"}}
    more |= {"bins": {"values": "v.csv", "name": "defocus", "edges": [1]}}
    assert changed_sets(suite_settings(SUITE), suite_settings(SUITE | {"data": [REAL | more]})) == []
