import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray import DEFAULT_MODEL
from cryopick_ray.errors import UsageError
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.settings.config import fill, load_settings, read_yaml, to_yaml
from cryopick_ray.settings.engine_settings import EngineSettings
from cryopick_ray.settings.leaves import differences, option

BASE = {"inputs": ["/data"], "diameter_A": 120.0}


@given(
    st.fixed_dictionaries(
        {"inputs": st.lists(st.text(min_size=1), min_size=1), "diameter_A": st.none() | st.floats(1e-3, 1e5)},
        optional={
            "threshold": st.just("auto") | st.floats(-1e6, 1e6),
            "invert": st.sampled_from(["auto", "yes", "no", True, False]),
            "particle_px": st.none() | st.floats(4, 512),
            "limit": st.none() | st.integers(1, 10**9),
        },
    )
)
def test_settings_survive_yaml(data):
    settings = load_settings(data)
    assert load_settings(yaml.safe_load(to_yaml(settings))) == settings


def test_only_what_changes_the_picks_is_a_difference():
    old = load_settings(BASE)
    free = {"threshold": 1.5, "exclude": ["bad*"], "optics": {"voltage_kV": 200}}
    assert differences(old, load_settings(BASE | free)) == []
    assert differences(old, load_settings(BASE | {"particle_px": 30})) == ["particle_px: None -> 30.0"]
    assert differences(old, load_settings(BASE | {"invert": "yes", "model": "x"})) == [
        f"model: {DEFAULT_MODEL} -> x",
        "invert: auto -> yes",
    ]


@pytest.mark.parametrize(
    ("text", "meant"),
    [("true", "yes"), ("false", "no"), ("yes", "yes"), ("no", "no"), ("'yes'", "yes"), ("auto", "auto")],
)
def test_a_file_says_the_polarity_in_words_or_as_earlier_versions_did(text, meant):
    settings = load_settings(BASE | yaml.safe_load(f"invert: {text}"))
    assert settings.invert == settings.pick.invert == meant
    assert load_settings(yaml.safe_load(to_yaml(settings))) == settings


def test_another_word_for_the_polarity_is_refused():
    with pytest.raises(UsageError, match="`invert` is 'maybe': input should be 'auto', 'yes' or 'no'"):
        load_settings(BASE | {"invert": "maybe"})


def test_options_not_given_keep_their_defaults_and_wrong_ones_are_named():
    assert fill(EngineSettings, workers=None, engine=None) == EngineSettings()
    with pytest.raises(UsageError, match="`gpus_per_worker` is 0"):
        fill(EngineSettings, gpus_per_worker=0.0)


def test_options_are_spelled_as_the_command_line_spells_them():
    assert option("store_pixel_size_A") == "--store-pixel-size"
    assert option("engine.gpus_per_worker") == "--gpus-per-worker"


def test_a_yaml_file_runs_no_code(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("!!python/object/apply:os.system ['touch pwned']")
    with pytest.raises(UsageError):
        read_yaml(file)
    assert not (tmp_path / "pwned").exists()


def test_a_run_folder_is_claimed_by_one_run_at_a_time(tmp_path):
    folder, settings = RunFolder(tmp_path / "run"), load_settings(BASE)
    with folder.claim(settings, resume=False):
        with (
            pytest.raises(UsageError, match="another run"),
            RunFolder(tmp_path / "run").claim(settings, resume=True),
        ):
            pass
        assert folder.settings() == settings
    with pytest.raises(UsageError, match="`resume`"), folder.claim(settings, resume=False):
        pass
    other = load_settings(BASE | {"particle_px": 30})
    with pytest.raises(UsageError, match=r"None -> 30.0"), folder.claim(other, resume=True):
        pass


def test_a_folder_with_other_things_in_it_is_not_claimed(tmp_path):
    (tmp_path / "thesis.doc").touch()
    with (
        pytest.raises(UsageError, match="not empty"),
        RunFolder(tmp_path).claim(load_settings(BASE), resume=False),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.doc"]
