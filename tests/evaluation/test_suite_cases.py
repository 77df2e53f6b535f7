import pytest

from cryopick_ray.engine.events import SilentEvents
from cryopick_ray.engine.serial import SerialEngine
from cryopick_ray.errors import UsageError
from cryopick_ray.suite.cases import prepare_cases
from cryopick_ray.suite.suite_settings import suite_settings


def test_pickers_find_out_by_themselves_that_simulated_particles_are_bright(tmp_path):
    small = {"height_px": 128, "width_px": 128, "scene": {"aggregates": 0}}
    some = {"molecules": ["rubisco"], "micrographs": 1, "particle_px": 24}
    stained = some | {"name": "stain", "invert": True, "settings": small | {"stain": {"probability": 1}}}
    groups = [some | {"name": "ice", "settings": small}, stained]
    settings = suite_settings({"models": ["log"], "simulated": groups})
    cases = prepare_cases(settings, tmp_path, SerialEngine(), SilentEvents())
    assert [(case.name, case.settings.invert) for case in cases] == [
        ("rubisco-ice", "no"),
        ("rubisco-stain", "auto"),
    ]


def test_another_persons_filaments_are_refused_in_words(tmp_path):
    small = {"molecules": ["tmv-like"], "micrographs": 1, "particle_px": 14.5}
    small |= {
        "settings": {"height_px": 256, "width_px": 256, "scene": {"filaments": {"density": [0.3, 0.3]}}}
    }
    made = suite_settings({"models": ["heatmap-filament"], "simulated": [small]})
    (case,) = prepare_cases(made, tmp_path, SerialEngine(), SilentEvents())
    assert case.of_filaments
    again = case.settings.model_dump() | {"name": "again", "annotators": {"other": case.settings.labels}}
    settings = suite_settings({"models": ["heatmap-filament"], "data": [again]})
    with pytest.raises(UsageError, match="again: annotators are compared on particles"):
        prepare_cases(settings, tmp_path, SerialEngine(), SilentEvents())
