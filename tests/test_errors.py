import pickle

import pytest

from cryopick_ray.errors import CryoPickError, UsageError, brief, one_line, plain, spelled
from cryopick_ray.settings.config import fill, load_settings
from cryopick_ray.settings.run_settings import PickSettings


def test_a_message_is_spelled_by_the_surface_that_shows_it():
    text = "give `pixel_size_A`, or `movies.gain` x.mrc; `cryopick ingest` makes one of `it's`"
    names = {"pixel_size_A": "--pixel-size", "movies.gain": "--gain"}
    assert spelled(text, names.__getitem__) == (
        "give --pixel-size, or --gain x.mrc; `cryopick ingest` makes one of `it's`"
    )
    assert plain("`movies.gain` is off") == "movies.gain is off"


def test_an_error_knows_the_settings_it_speaks_of_and_their_values_after_a_journey_too():
    error = CryoPickError("`limit` 0; see `movies.gain`", limit=0)
    for one in (error, pickle.loads(pickle.dumps(error))):
        assert (str(one), one.settings) == (str(error), {"limit": 0, "movies.gain": None})


def test_refused_values_are_told_with_what_is_expected():
    with pytest.raises(UsageError, match="greater than 0") as caught:
        load_settings({"inputs": ["x"], "diameter_A": -5, "movies": {"binning": 99}, "colour": 1})
    assert caught.value.settings == {"diameter_A": -5, "movies.binning": 99}
    assert "colour is not a setting of a run: expected one of inputs, diameter_A" in str(caught.value)


def test_a_decimal_comma_is_named():
    with pytest.raises(UsageError, match=r"`diameter_A` is '1,5': it has a comma; did you mean 1\.5\?"):
        fill(PickSettings, diameter_A="1,5")


def test_a_value_is_quoted_with_a_line_at_most():
    with pytest.raises(UsageError) as caught:
        load_settings({"inputs": ["x"], "diameter_A": ["long"] * 10**6})
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "shown", [brief, one_line, lambda text: brief(ValueError(text)), lambda text: brief([text])]
)
def test_a_strangers_backticks_mark_no_setting(shown):
    assert CryoPickError(f"{shown('a `pixel_size_A` b')}; give `limit`").settings == {"limit": None}


def test_a_refused_value_with_backticks_names_its_own_setting_alone():
    with pytest.raises(UsageError, match="`diameter_A` is ''pixel_size_A''") as caught:
        load_settings({"inputs": ["x"], "diameter_A": "`pixel_size_A`"})
    assert caught.value.settings == {"diameter_A": "`pixel_size_A`"}


def test_an_error_of_ours_keeps_its_marks_when_another_quotes_it():
    assert brief(UsageError("give `pixel_size_A`")) == "give `pixel_size_A`"
